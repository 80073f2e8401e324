/**
 * What the probes of a service have come to, kept where the program sleeps between one probe and the next: the verdict
 * and the row that leads to the next one, so that waking is not forgetting; and when the next is due, so that waking
 * for anything else neither puts it off nor brings it forward.
 */
import type { ProbeConfig } from '../config/service-config.ts'
import type { Health } from './health.ts'
import type { Kept } from './ports.ts'

/** `at`: when it was kept. */
export type KeptPlace = {
  readonly site: string | null
  readonly config: ProbeConfig
  readonly health: Health
  readonly beganAt: number
  readonly countedAt: number
  readonly dueAt: number
  readonly at: number
}

/** How much later than due a probe may come before its place counts as not looked at, in milliseconds. */
const lateMs = 60_000
/** What only says again how it is, is not kept more often than this, in milliseconds. Nobody sleeps for less. */
const againMs = 10_000

export function sameProbe(a: ProbeConfig, b: ProbeConfig): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

const keyOf = (service: string): string => `probes ${service}`

/** Places that have been looked at as often as they were to be. */
export function recallPlaces(kept: Kept | undefined, service: string, now: number): readonly KeptPlace[] {
  const places = kept?.get<readonly KeptPlace[]>(keyOf(service)) ?? []
  return places.filter(({ at, config }) => now <= at + config.intervalMs + lateMs)
}

type Seen = Omit<KeptPlace, 'at'>

/** Returns what is kept now: `before` itself while it is not worth a write. */
export function keepPlaces(kept: Kept | undefined, service: string, change: Change): readonly KeptPlace[] {
  const { before, places, now } = change
  if (kept === undefined) return before
  const news = places.length !== before.length || places.some((place, i) => isNews(before[i]!, place, now))
  if (!news) return before
  const after = places.map(({ site, config, health, beganAt, countedAt, dueAt }): KeptPlace => {
    return { site, config, health, beganAt, countedAt, dueAt, at: now }
  })
  kept.put(keyOf(service), after)
  return after
}

type Change = { readonly before: readonly KeptPlace[]; readonly places: readonly Seen[]; readonly now: number }

function isNews(before: KeptPlace, { site, config, health }: Seen, now: number): boolean {
  const { verdict, last, row } = before.health
  const same = before.site === site && before.config === config
  const sameHealth = verdict === health.verdict && last === health.last && row === health.row
  return !same || !sameHealth || now >= before.at + againMs
}

export function forgetPlaces(kept: Kept | undefined, service: string): void {
  kept?.delete(keyOf(service))
}
