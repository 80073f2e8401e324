/** `holdfast events`: the audit trail, oldest first; with `--follow` as it grows. */
import type { EventRecord } from '../store/store.ts'
import { type Access, callControl } from './client.ts'
import { followEvents, newestEvent } from './event-follower.ts'
import { UsageError } from './failure.ts'

type Options = Access & {
  readonly since?: string
  readonly service?: string
  readonly node?: string
  readonly limit?: string
  readonly follow?: boolean
  readonly json?: boolean
}

export async function runEventsCommand(given: Options): Promise<void> {
  const limit = limitOf(given)
  const stop = new AbortController()
  const options: Asking = { ...given, signal: stop.signal }
  let printed = 0
  const print = (event: EventRecord): void => {
    printed += 1
    process.stdout.write(`${options.json ? JSON.stringify(event) : describe(event)}\n`)
  }
  // Before the first page is asked for, so that Ctrl-C ends it politely from the beginning.
  if (options.follow === true) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  }
  try {
    const last = await printFirst(options, { limit, print })
    // On standard error, since a mistyped name and a service without events look alike.
    if (printed === 0 && !options.json && !options.follow) process.stderr.write('holdfast: there are no such events\n')
    if (options.follow === true) await follow(options, { since: last, print, stop })
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

type Asking = Options & { readonly signal: AbortSignal }

type Printing = { readonly limit: number | undefined; readonly print: (event: EventRecord) => void }

function limitOf({ limit, since, follow }: Options): number | undefined {
  if (since !== undefined && !/^\d{1,15}$/.test(since)) {
    throw new UsageError(`--since ${since} is not the number of an event, which is what begins its line; write 4711`)
  }
  // Whoever begins to follow wants to know where he has come in, and not all that ever was.
  if (limit === undefined) return follow === true && since === undefined ? 10 : undefined
  if (/^\d{1,9}$/.test(limit)) return Number(limit)
  throw new UsageError(`--limit ${limit} is not a number of events; write 20`)
}

/** What there is already. Returns how far that went, which is where following goes on. */
async function printFirst(options: Asking, { limit, print }: Printing): Promise<number> {
  const { since, follow, signal } = options
  if (limit !== undefined && since === undefined) return printNewest(options, { limit, print })
  if (follow !== true || since === undefined || limit !== undefined) return printSince(options, { limit, print })
  // The stream brings what there is as well, and outlives a lost connection while it does. A control that is not there
  // at all is said at once.
  await newestEvent(options, signal)
  return Number(since)
}

/** What follows `--since`, to its end or to the limit. Returns how far that went. */
async function printSince(options: Asking, { limit, print }: Printing): Promise<number> {
  let since = options.since ?? '0'
  let left = limit ?? Number.POSITIVE_INFINITY
  for (;;) {
    const { events, next } = await page(options, since)
    for (const event of events.filter((event) => concerns(event, options))) {
      if (left === 0) return event.id - 1
      left -= 1
      print(event)
    }
    // Control says how far it has looked, also past events of other services.
    if (events.length === 0 || String(next) === since) return next
    since = String(next)
  }
}

/** Looks back in steps that double, until there are enough. */
async function printNewest(options: Asking, { limit = 0, print }: Printing): Promise<number> {
  const last = await newestEvent(options, options.signal)
  let found: EventRecord[] = []
  let before = last + 1
  for (let step = limit; found.length < limit && before > 1; step *= 2) {
    const since = Math.max(0, before - 1 - step)
    found = [...(await between(options, since, before)), ...found]
    before = since + 1
  }
  for (const event of found.slice(-limit || found.length)) print(event)
  return last
}

async function between(options: Asking, since: number, before: number): Promise<EventRecord[]> {
  const found: EventRecord[] = []
  for (let from = since; from < before - 1; ) {
    const { events, next } = await page(options, String(from))
    found.push(...events.filter((event) => event.id < before && concerns(event, options)))
    if (next <= from) break
    from = next
  }
  return found
}

async function page(options: Asking, since: string): Promise<{ events: EventRecord[]; next: number }> {
  const service = options.service === undefined ? '' : `&service=${encodeURIComponent(options.service)}`
  const path = `/v1/events?since=${encodeURIComponent(since)}&limit=1000${service}`
  return (await callControl(options, 'GET', path, { has: ['events', 'next'], signal: options.signal })) as {
    events: EventRecord[]
    next: number
  }
}

const concerns = ({ node }: EventRecord, options: Options): boolean =>
  options.node === undefined || node === options.node

type Following = { readonly since: number; readonly print: Printing['print']; readonly stop: AbortController }

async function follow(options: Options, { since, print, stop }: Following): Promise<void> {
  const say = (text: string): void => void process.stderr.write(`holdfast: ${text}\n`)
  await followEvents(options, {
    since,
    service: options.service,
    signal: stop.signal,
    onEvent: (event) => {
      if (concerns(event, options)) print(event)
    },
    onGap: (why) => say(`some events are missing here: ${why}`),
    onLost: (error) => say(`${error.message}; trying again`),
    onResumed: () => say('connected again; nothing is missing'),
  })
}

function describe({ id, at, service, node, text }: EventRecord): string {
  const subject = service ?? node
  return `${id}  ${at}  ${subject === null ? '' : `${subject}: `}${text}`
}
