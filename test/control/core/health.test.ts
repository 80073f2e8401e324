import { expect, test } from 'vitest'
import { count, unknownHealth } from '../../../control/core/health.ts'

/** Each probe, + for good and - for bad, and the verdict after it: + healthy, - unhealthy, ? none yet. */
const rows: readonly { name: string; rise: number; fall: number; probes: string; verdicts: string }[] = [
  { name: 'one of each decides at once', rise: 1, fall: 1, probes: '+-+--+', verdicts: '+-+--+' },
  { name: 'the first verdict needs the full row as well', rise: 2, fall: 3, probes: '++', verdicts: '?+' },
  { name: 'the first verdict may be the bad one', rise: 2, fall: 3, probes: '---', verdicts: '??-' },
  { name: 'a row that breaks begins anew', rise: 3, fall: 3, probes: '--+--+---', verdicts: '????????-' },
  { name: 'a short fall is borne', rise: 2, fall: 3, probes: '++--+--+', verdicts: '?+++++++' },
  { name: 'a full fall is not', rise: 2, fall: 3, probes: '++---', verdicts: '?+++-' },
  { name: 'one good answer is no recovery', rise: 2, fall: 2, probes: '--+-+-++', verdicts: '?------+' },
  {
    name: 'a place that flaps with every probe keeps its verdict',
    rise: 2,
    fall: 2,
    probes: '+++-+-+-',
    verdicts: '?+++++++',
  },
]

test.each(rows)('$name', ({ rise, fall, probes, verdicts }) => {
  let health = unknownHealth
  const seen = [...probes].map((probe) => {
    health = count(health, probe === '+', { rise, fall })
    return health.verdict === null ? '?' : health.verdict ? '+' : '-'
  })
  expect(seen.join('')).toBe(verdicts)
})
