/**
 * From the results of a check's probes to its verdict: only several in a row change it.
 *
 *   unknown ──rise passed──▶ passing ──fall failed──▶ failing ──rise passed──▶ passing
 *      └────── fall failed ───────────────────────────▲
 */
import type { Check } from './check.ts'

export type Verdict = 'unknown' | 'passing' | 'failing'

export type Health = {
  readonly verdict: Verdict
  /** Results in a row that speak against the verdict; while it is unknown, results of one kind. */
  readonly streak: number
  /** Why the last probe failed; null when it passed, or there was none. */
  readonly why: string | null
}

export const unknownHealth: Health = { verdict: 'unknown', streak: 0, why: null }

/** `why`: what was wrong with the probe, null when it passed. */
export function observe(health: Health, { rise, fall }: Pick<Check, 'rise' | 'fall'>, why: string | null): Health {
  const passed = why === null
  const sameAsVerdict = health.verdict === (passed ? 'passing' : 'failing')
  if (sameAsVerdict) return { ...health, streak: 0, why }
  // Before the first verdict a streak is of the kind of the last result.
  const broken = health.verdict === 'unknown' && (health.why === null) !== passed
  const streak = (broken ? 0 : health.streak) + 1
  if (streak < (passed ? rise : fall)) return { ...health, streak, why }
  return { verdict: passed ? 'passing' : 'failing', streak: 0, why }
}
