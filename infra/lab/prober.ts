/**
 * A client that asks an address a thousand times a second and knows to the millisecond when nobody answered.
 *
 * This is the handle; the measuring process is prober-main.ts and its bookkeeping probe-record.ts.
 */
import { join } from 'node:path'
import type { ProbeEvent, ProbeReport } from './probe-record.ts'
import type { Sandbox } from './sandbox.ts'

export type ProberOptions = {
  readonly target: string
  /** From which namespace. Default: client. */
  readonly from?: string
  /** Time between probes in milliseconds, fractions allowed. Default: 1. */
  readonly intervalMs?: number
  /** A probe without a reply after this many milliseconds is lost. Default: 500. */
  readonly timeoutMs?: number
  /** A live event says so when a probe has no reply after this many milliseconds. Default: 20. */
  readonly lostAfterMs?: number
  /** Live events, for a timeline. Instants are those of `nowMs`. */
  readonly onEvent?: (event: LiveEvent) => void
}

export type LiveEvent = Extract<ProbeEvent, { event: 'lost' | 'recovered' }>

/** What the measuring process is given. */
export type ProbeSettings = {
  readonly target: string
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly lostAfterMs: number
}

export type Prober = {
  /** Resolves with the instant of the first reply. */
  answered(): Promise<number>
  /** What follows is counted anew. */
  mark(): void
  /** Since the last mark. Waits until each probe sent so far is answered or lost: up to `timeoutMs`. */
  report(): Promise<ProbeReport>
  stop(): Promise<void>
}

export async function startProber(sandbox: Sandbox, options: ProberOptions): Promise<Prober> {
  const { target, from = 'client', intervalMs = 1, timeoutMs = 500, lostAfterMs = 20 } = options
  const settings: ProbeSettings = { target, intervalMs, timeoutMs, lostAfterMs: Math.min(lostAfterMs, timeoutMs / 2) }
  const firstAnswer = Promise.withResolvers<number>()
  const reports = new Map<number, PromiseWithResolvers<ProbeReport>>()
  const complaints: string[] = []
  let asked = 0
  let ended: Error | undefined

  const onEvent = (event: ProbeEvent): void => {
    if (event.event === 'answered') firstAnswer.resolve(event.at)
    else if (event.event === 'report') reports.get(event.id)?.resolve(event)
    else options.onEvent?.(event)
  }
  // One thread: at real-time priority it must not wait for helpers of V8 that began before and have none.
  const program = await sandbox.spawn(
    process.execPath,
    ['--single-threaded', join(import.meta.dirname, 'prober-main.ts'), JSON.stringify(settings)],
    {
      in: from,
      onLine: (line, stream) => {
        if (stream === 'stdout') onEvent(JSON.parse(line) as ProbeEvent)
        else complaints.push(line)
      },
    },
  )
  void program.exited.then((code) => {
    ended = new Error(`the prober ended (${code}): ${complaints.join(' ') || 'it was stopped'}`)
    for (const { promise, reject } of [firstAnswer, ...reports.values()]) {
      promise.catch(() => {}) // who waits for it hears it; nobody has to wait
      reject(ended)
    }
  })
  return {
    answered: () => firstAnswer.promise,
    mark: () => void program.stdin.write('mark\n'),
    report: async () => {
      if (ended !== undefined) throw ended
      asked += 1
      const report = Promise.withResolvers<ProbeReport>()
      reports.set(asked, report)
      program.stdin.write(`report ${asked}\n`)
      return report.promise.finally(() => reports.delete(asked))
    },
    stop: async () => {
      program.stdin.write('stop\n')
      await program.exited
    },
  }
}
