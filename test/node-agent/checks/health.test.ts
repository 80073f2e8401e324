import { describe, expect, test } from 'vitest'
import { type Health, observe, unknownHealth } from '../../../node-agent/checks/health.ts'

const counts = { rise: 2, fall: 3 }
/** `+` passed, `-` failed. */
const healthAfter = (results: string, from: Health = unknownHealth): Health =>
  [...results].reduce((health, result) => observe(health, counts, result === '+' ? null : 'HTTP 503'), from)

describe('a verdict', () => {
  test.each([
    { results: '', verdict: 'unknown' },
    { results: '+', verdict: 'unknown' },
    { results: '++', verdict: 'passing' },
    { results: '--', verdict: 'unknown' },
    { results: '---', verdict: 'failing' },
    { results: '+-+-+-', verdict: 'unknown' },
    { results: '+-+-++', verdict: 'passing' },
    { results: '-+---', verdict: 'failing' },
    { results: '++--', verdict: 'passing' },
    { results: '++--+--', verdict: 'passing' },
    { results: '++---', verdict: 'failing' },
    { results: '---+', verdict: 'failing' },
    { results: '---+-+', verdict: 'failing' },
    { results: '---++', verdict: 'passing' },
  ])('after "$results" is $verdict', ({ results, verdict }) => expect(healthAfter(results).verdict).toBe(verdict))

  test('rise and fall of one: each result is one', () => {
    const once = { rise: 1, fall: 1 }
    expect(observe(unknownHealth, once, 'down').verdict).toBe('failing')
    expect(observe(observe(unknownHealth, once, 'down'), once, null).verdict).toBe('passing')
  })

  test('that it fails comes with why the last probe did', () => {
    expect(observe(healthAfter('--'), counts, 'refused')).toEqual({ verdict: 'failing', streak: 0, why: 'refused' })
  })
})
