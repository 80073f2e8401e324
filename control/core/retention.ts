/** Whether anything of the past is due for removal, without looking at all of it. */
import type { Retention } from '../config/config.ts'
import type { ClusterPorts } from './ports.ts'

/**
 * By the oldest event and their number alone, a few rows: a program that woke asks it every half minute. Operations
 * come with events, so that they are not forgotten for long.
 */
export function isOverdue(
  { store, clock }: Pick<ClusterPorts, 'store' | 'clock'>,
  { ageMs, events }: Retention,
): boolean {
  const first = store.firstEventId()
  const [oldest] = store.events({ since: first - 1, limit: 1 })
  if (oldest === undefined) return false
  return store.lastEventId() - first >= events || oldest.at < new Date(clock.wall().getTime() - ageMs).toISOString()
}
