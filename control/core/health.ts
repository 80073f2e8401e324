/** Rise and fall: what a row of probes that succeeded or failed says about a place. */

export type Health = {
  /** Null: not enough probes have agreed yet. */
  readonly verdict: boolean | null
  /** How the last probe went, and how many in a row have gone like it. */
  readonly last: boolean | null
  readonly row: number
}

export const unknownHealth: Health = { verdict: null, last: null, row: 0 }

/** So many good probes in a row make it healthy (`rise`), so many bad ones unhealthy (`fall`); fewer change nothing. */
export function count(health: Health, good: boolean, needed: { readonly rise: number; readonly fall: number }): Health {
  const most = Math.max(needed.rise, needed.fall)
  const row = health.last === good ? Math.min(health.row + 1, most) : 1
  const verdict = row >= (good ? needed.rise : needed.fall) ? good : health.verdict
  return { verdict, last: good, row }
}
