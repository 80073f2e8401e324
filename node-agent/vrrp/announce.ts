/**
 * When an active router tells hosts where its addresses are.
 *
 *   burst          second burst                refresh, refresh, …
 *   |·|··|····|    |·|··|····|                 |                  |
 *   0 10 30 70     again                       + refresh
 *
 * Gaps in a burst double: the first frames repair a lost one at once, the last ones come when a former active router
 * has certainly stopped answering.
 */
import type { Active, Announce } from './router.ts'
import { after, type Instant, type Microseconds, milliseconds } from './time.ts'

const firstGap = milliseconds(10)

/** The instant of the next announcement. Undefined when there is none to come. */
export function nextAnnouncement(announce: Announce, state: Active): Instant | undefined {
  const offset = offsetOf(announce, state.announced)
  return offset === undefined ? undefined : after(state.announcedFrom, offset)
}

/** How long after the first announcement the one with this index comes; the first has index 0. */
function offsetOf({ repeat, again, refresh }: Announce, index: number): Microseconds | undefined {
  if (index < repeat) return inBurst(index)
  if (again > 0 && index < 2 * repeat) return (again + inBurst(index - repeat)) as Microseconds
  if (refresh === 0) return undefined
  const refreshes = index - (again > 0 ? 2 * repeat : repeat) + 1
  return (again + refreshes * refresh) as Microseconds
}

/** The gaps stop doubling at a second, so that a large `repeat` stays a burst. */
function inBurst(index: number): Microseconds {
  const doublings = Math.min(index, 7)
  const doubled = (2 ** doublings - 1) * firstGap
  return (doubled + (index - doublings) * milliseconds(1_000)) as Microseconds
}
