/**
 * Sends traces of moves to a collector, by OTLP over HTTP in JSON.
 *
 * Nothing waits for it: a move that has ended is put into a queue that holds so many and drops the oldest. One request is
 * on its way at a time; what a collector could not take it is given again later, and what it refuses is dropped. Where
 * a timer may never come, because a program that sleeps is not to be woken for this, it is given again with the next.
 */

import type { ClusterPorts } from '../core/ports.ts'
import type { Operation } from '../operation.ts'
import { traceRequest } from './trace.ts'

export type Exporter = {
  /** A move has ended. */
  add(operation: Operation): void
  /** Ends the request that is on its way. */
  stop(): void
}

export type ExporterInput = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'log'>
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
}

const mostWaiting = 256
/** How long a collector may take to answer, in milliseconds; and how soon it is tried again, and at last how seldom. */
const patienceMs = 5_000
const retryMs = { first: 1_000, last: 60_000 }

export function createExporter({ url, headers, ports, fetch }: ExporterInput): Exporter {
  const { clock, timer, log } = ports
  const waiting: Operation[] = []
  let failures = 0
  let busy = false
  let notBefore = Number.NEGATIVE_INFINITY
  let stopped = false
  let abort = new AbortController()

  const send = async (): Promise<void> => {
    const sent = waiting.slice()
    const answer = await post(sent)
    // Those that were added meanwhile stand behind, and the oldest may have been dropped.
    if (answer.taken || !answer.again) for (const each of sent) if (waiting[0] === each) waiting.shift()
    if (answer.taken) {
      if (failures > 0) log('info', { event: 'traces-taken', msg: 'the trace collector answers again' })
      failures = 0
      return
    }
    if (failures === 0) log('warn', { event: 'traces-not-taken', url: withoutSecrets(url), msg: answer.why })
    failures += 1
  }
  const post = async (operations: readonly Operation[]): Promise<Answer> => {
    abort = new AbortController()
    const cancel = timer.at(clock.now() + patienceMs, () => abort.abort(new Error(`no answer within ${patienceMs} ms`)))
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(traceRequest(operations)),
        signal: abort.signal,
      })
      await response.body?.cancel()
      if (response.ok) return { taken: true }
      const again = response.status === 429 || response.status >= 500
      return { taken: false, again, why: `the trace collector answered ${response.status}` }
    } catch (error) {
      return { taken: false, again: true, why: `the trace collector cannot be reached: ${reasonOf(error)}` }
    } finally {
      cancel()
    }
  }
  const work = (): void => {
    if (busy || stopped || waiting.length === 0 || clock.now() < notBefore) return
    busy = true
    void send().then(() => {
      busy = false
      if (failures === 0) work()
      else pause()
    })
  }
  const pause = (): void => {
    notBefore = clock.now() + Math.min(retryMs.last, retryMs.first * 2 ** (failures - 1))
    timer.at(notBefore, () => {
      notBefore = Number.NEGATIVE_INFINITY
      work()
    })
  }
  return {
    add: (operation) => {
      waiting.push(operation)
      if (waiting.length > mostWaiting) waiting.shift()
      work()
    },
    stop: () => {
      stopped = true
      abort.abort(new Error('control is stopping'))
    },
  }
}

type Answer = { readonly taken: true } | { readonly taken: false; readonly again: boolean; readonly why: string }

function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: Error }
  return cause?.message || message
}
