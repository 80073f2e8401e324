/**
 * The audit trail as it grows: server-sent events (WHATWG HTML §9.2), taken up again after a lost connection where
 * they ended, so that no event is missed or given twice.
 */
import { urlToHttpOptions } from 'node:url'
import type { EventRecord } from '../store/store.ts'
import {
  type Access,
  callControl,
  controlUrl,
  headersFor,
  noControl,
  readRefusal,
  unreachableControl,
} from './client.ts'
import { mayPass } from './failure.ts'

export type Following = {
  /** Begins after this event. */
  readonly since: number
  readonly service?: string | undefined
  readonly onEvent: (event: EventRecord) => void
  /** Some events are missing, and why. */
  readonly onGap: (why: string) => void
  /** The connection was lost; it is made again after a pause. */
  readonly onLost: (error: Error) => void
  /** It stands again. */
  readonly onResumed: () => void
  readonly signal: AbortSignal
}

/** The id of the newest event there is: what happens from now on comes after it. */
export async function newestEvent(access: Access, signal?: AbortSignal): Promise<number> {
  const path = `/v1/events?since=${Number.MAX_SAFE_INTEGER}&limit=1`
  return ((await callControl(access, 'GET', path, { has: ['next'], signal })) as { next: number }).next
}

/** Before a lost connection is tried again, in milliseconds: the first time soon, then at a pace that does no harm. */
const againMs = [200, 1_000, 2_000, 5_000]

/** Resolves when `signal` ends it. Rejects when control refuses; one that is away is asked again. */
export async function followEvents(access: Access, following: Following): Promise<void> {
  const { signal, onLost, onResumed } = following
  let cursor = following.since
  let failures = 0
  const opened = (): void => {
    if (failures > 0) onResumed()
    failures = 0
  }
  const take = ({ id, name, data }: Block): void => {
    if (name === 'gap') {
      // Also back, when the trail is another one now.
      cursor = id ?? cursor
      following.onGap((data as { why: string }).why)
    } else if (id !== undefined && id > cursor) {
      cursor = id
      if (data !== undefined) following.onEvent(data as EventRecord)
    }
  }
  while (!signal.aborted) {
    try {
      await readStream(access, { since: cursor, service: following.service, signal, opened, take })
    } catch (error) {
      if (signal.aborted) return
      if (!mayPass(error)) throw error
      if (failures === 0) onLost(error as Error)
      await pause(againMs[Math.min(failures, againMs.length - 1)]!, signal)
      failures += 1
    }
  }
}

type Reading = Pick<Following, 'since' | 'service' | 'signal'> & {
  readonly opened: () => void
  readonly take: (block: Block) => void
}

/** A stream that says nothing for so long is dead: control says something every 15 s. */
const silenceMs = 45_000

/** Never resolves: it ends with an error, be it that of `signal`. */
function readStream(access: Access, { since, service, signal, opened, take }: Reading): Promise<never> {
  const url = controlUrl(access, `/v1/events${service === undefined ? '' : `?service=${encodeURIComponent(service)}`}`)
  const headers = { ...headersFor(access, 'text/event-stream'), 'last-event-id': String(since) }
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  return new Promise((_, reject) => {
    const fail = (error: unknown): void => reject(unreachableControl(url, error))
    const sent = request({ ...urlToHttpOptions(url), headers, signal, timeout: silenceMs }, (response) => {
      response.setEncoding('utf8')
      response.on('error', fail)
      if (response.statusCode !== 200) return void readRefusal(response).then(reject, fail)
      if (response.headers['content-type'] !== 'text/event-stream') {
        sent.destroy()
        return reject(noControl(url.origin))
      }
      opened()
      response.on('data', createReader(take))
      response.on('end', () => fail(new Error('it ended the stream')))
    })
    sent.on('timeout', () => sent.destroy(new Error('it has fallen silent')))
    sent.on('error', fail)
    sent.end()
  })
}

/** One server-sent event; without data it only says how far the reader has come. */
export type Block = { readonly id: number | undefined; readonly name: string | undefined; readonly data: unknown }

/** Takes text as it arrives, in whatever pieces, and gives whole blocks on. */
export function createReader(take: (block: Block) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = block.split('\n')
      const field = (name: string): string | undefined =>
        fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const [id, data] = [field('id'), field('data')]
      take({
        id: id === undefined ? undefined : Number(id),
        name: field('event'),
        data: data === undefined ? undefined : JSON.parse(data),
      })
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise.finally(() => clearTimeout(timer))
}
