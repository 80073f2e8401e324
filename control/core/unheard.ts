/**
 * What a service was told and could not write down. Nothing has changed by it, so it must be heard again: a link says a
 * thing once, and from then on only that it is still so.
 *
 * Of each thing only the newest word is kept. A report is not: it was true when it was made, and a node that is taken at
 * an old word might be gone. So the node is asked for another. Requests are not kept either: whoever asked was told.
 */
import type { ServiceEvent } from '../decision.ts'

export type Unheard = {
  keep(event: ServiceEvent): void
  /** A newer word of the same thing was heard. */
  heard(event: ServiceEvent): void
  isEmpty(): boolean
  /** Facts to hear again, in the order in which they came, and nodes to ask. */
  take(): { readonly facts: readonly ServiceEvent[]; readonly nodes: readonly string[] }
}

export function createUnheard(): Unheard {
  const kept = new Map<string, ServiceEvent>()
  return {
    keep: (event) => {
      const thing = thingOf(event)
      if (thing === null) return
      kept.delete(thing)
      kept.set(thing, event)
    },
    heard: (event) => {
      const thing = kept.size === 0 ? null : thingOf(event)
      if (thing !== null) kept.delete(thing)
    },
    isEmpty: () => kept.size === 0,
    take: () => {
      const all = [...kept.values()]
      kept.clear()
      return {
        facts: all.filter(({ kind }) => kind !== 'report'),
        nodes: all.flatMap((event) => (event.kind === 'report' ? [event.node] : [])),
      }
    },
  }
}

/** What an event speaks of. Null: nobody has to hear it again. */
function thingOf(event: ServiceEvent): string | null {
  switch (event.kind) {
    case 'report':
      return `report of ${event.node}`
    case 'connected':
    case 'disconnected':
      return `link of ${event.node}`
    case 'drain':
    case 'undrain':
      return `drain of ${event.node}`
    case 'origin':
      return `origin ${event.site}`
    case 'superseded':
    case 'accepted':
    case 'visible':
      return `${event.kind} ${event.binding}`
    case 'settled':
    case 'seen':
    case 'stalled':
      return event.kind
    case 'tick':
    case 'switchover':
    case 'hold':
    case 'release':
    case 'acknowledge':
      return null
    default:
      return event satisfies never
  }
}
