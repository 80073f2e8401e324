/**
 * The audit trail as server-sent events, which a reader takes up where it left, without a gap and without seeing
 * anything twice.
 *
 *   store ──events after the cursor──▶ one piece of text each time the reader takes one ──▶ reader
 *     └── a change only wakes whoever waits: what is sent is always read from the store, by its id
 *
 * So a slow reader costs no memory, and what happens between two looks cannot be missed. What was removed from the
 * store before the reader came for it is not passed over in silence: a `gap` says from where on the trail is whole.
 */
import type { Cluster } from '../core/cluster.ts'
import type { ClusterPorts } from '../core/ports.ts'
import type { EventRecord, Store } from '../store/store.ts'

export type EventStreamInput = {
  readonly cluster: Pick<Cluster, 'subscribe'>
  readonly store: Pick<Store, 'events' | 'lastEventId' | 'firstEventId'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer'>
  /** Ends the stream. */
  readonly ending: AbortSignal
  /** Whether whoever reads may still do so: looked at with every piece. */
  readonly mayRead: () => boolean
  /** Calls back when `mayRead` may have changed. Returns how to stop that. */
  readonly onMayRead: (listener: () => void) => () => void
  /** The last id that the reader has seen. */
  readonly since: number
  readonly service: string | null
  readonly ended: () => void
}

/** How often an idle stream says that it is alive, in milliseconds. */
const keepAliveMs = 15_000
const pieceEvents = 100

export function streamEvents(input: EventStreamInput): ReadableStream<Uint8Array> {
  const { cluster, ports, ending, mayRead } = input
  const encoder = new TextEncoder()
  const cursor = createCursor(input)
  let over = false
  let wake = (): void => undefined
  const stops = [
    cluster.subscribe(({ events }) => {
      if (events.length > 0) wake()
    }),
    input.onMayRead(() => wake()),
  ]
  const interrupt = (): void => wake()
  ending.addEventListener('abort', interrupt)
  const end = (): void => {
    if (over) return
    over = true
    ending.removeEventListener('abort', interrupt)
    for (const stop of stops) stop()
    input.ended()
    wake()
  }
  /** Until something may have happened, or it is time to say that nothing has. */
  const sleep = (until: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = ports.timer.at(until, () => wake())
      wake = () => {
        cancel()
        resolve()
      }
    })
  return new ReadableStream<Uint8Array>({
    // Says where it begins, so that a reader who hears nothing before the connection is lost misses nothing either.
    start: (controller) => controller.enqueue(encoder.encode(`: events follow\nid: ${input.since}\n\n`)),
    pull: async (controller) => {
      const idleUntil = ports.clock.now() + keepAliveMs
      for (;;) {
        if (over) return
        if (ending.aborted || !mayRead()) {
          end()
          controller.close()
          return
        }
        const text = cursor.next() ?? (ports.clock.now() >= idleUntil ? cursor.alive() : null)
        if (text !== null) {
          controller.enqueue(encoder.encode(text))
          return
        }
        await sleep(idleUntil)
      }
    },
    cancel: end,
  })
}

function createCursor({ store, since, service }: EventStreamInput) {
  let cursor = since
  return {
    /** What there is after the cursor, as text; null when there is nothing. */
    next: (): string | null => {
      // One turn of the event loop: nothing is written between these looks.
      const [first, last] = [store.firstEventId(), store.lastEventId()]
      if (cursor > last) {
        // The reader knows of events that are not here: the database was restored, or is another one.
        cursor = last
        return gap(cursor, 'the trail is shorter than what you have seen: it was restored, or is another one')
      }
      if (first > cursor + 1) {
        cursor = first - 1
        return gap(cursor, `events before ${first} have been removed`)
      }
      if (cursor === last) return null
      const query = { since: cursor, limit: pieceEvents, ...(service === null ? {} : { service }) }
      const events = store.events(query)
      // What was looked through and is none of this reader's is behind it as well.
      cursor = events.length < pieceEvents ? last : events.at(-1)!.id
      return events.length === 0 ? null : events.map(eventText).join('')
    },
    /** A line without data: readers are told nothing, and remember the id. */
    alive: (): string => `: alive\nid: ${cursor}\n\n`,
  }
}

function eventText(event: EventRecord): string {
  return `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`
}

function gap(cursor: number, why: string): string {
  return `id: ${cursor}\nevent: gap\ndata: ${JSON.stringify({ first: cursor + 1, why })}\n\n`
}
