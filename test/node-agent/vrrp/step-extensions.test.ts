/** Version 2 where it differs, and what configuration and the machine add: start delay, patience, suspension. */
import { describe, expect, test } from 'vitest'
import { activeDownInterval, nextDeadline, skewTime, step } from '../../../node-agent/vrrp/step.ts'
import { type Centiseconds, milliseconds } from '../../../node-agent/vrrp/time.ts'
import { advertisement, at, play, router } from '../../support/routers.ts'

const cs = (count: number) => count as Centiseconds

describe('version 2', () => {
  test.each([
    { priority: 1, skew: 996.1 },
    { priority: 100, skew: 609.4 },
    { priority: 254, skew: 7.8 },
  ])('P-30, P-31: at priority $priority the skew is $skew ms at any interval', ({ priority, skew }) => {
    for (const interval of [100, 500]) {
      const it = router({ version: 2, priority, advertisementInterval: cs(interval) })
      expect(skewTime(it, cs(interval)) / 1_000).toBeCloseTo(skew, 1)
      expect(activeDownInterval(it, cs(interval)) / 1_000).toBeCloseTo(interval * 30 + skew, 1)
    }
  })

  test('F-30, P-32: it learns no interval', () => {
    const it = router({ version: 2 })
    const { state } = play(it, [
      [0, { kind: 'startup' }],
      [100, advertisement({ interval: 300 })],
    ])
    expect(state).toMatchObject({ activeAdverInterval: 100 })
    expect(nextDeadline(it, state)).toBe(at(100) + activeDownInterval(it, cs(100)))
  })

  test.each([
    { profile: 'interop', effects: ['send 100', 'announce-addresses'] },
    { profile: 'strict', effects: [] },
  ] as const)('D5: a losing advertisement, $profile', ({ profile, effects }) => {
    const it = router({ version: 2, profile })
    const played = play(it, [
      [0, { kind: 'startup' }],
      [3_700, { kind: 'tick' }],
      [3_800, advertisement({ priority: 50 })],
    ])
    expect(played.effects).toEqual(effects)
    expect(played.state.kind).toBe('active')
  })
})

describe('the start delay', () => {
  const it = router({ startDelay: milliseconds(5_000) })

  test('holds back the first start only', () => {
    const first = step(it, { kind: 'initialize' }, { kind: 'startup', first: true }, at(0))
    expect(nextDeadline(it, first.state)).toBe(at(5_000))
    expect(step(it, first.state, advertisement(), at(1)).state).toBe(first.state)
    expect(step(it, first.state, { kind: 'tick' }, at(5_000)).state.kind).toBe('backup')
    expect(step(it, { kind: 'initialize' }, { kind: 'startup' }, at(0)).state.kind).toBe('backup')
  })

  test('is over when the router stops, and does not hold back one whose addresses are still installed', () => {
    const first = step(it, { kind: 'initialize' }, { kind: 'startup', first: true }, at(0))
    expect(nextDeadline(it, step(it, first.state, { kind: 'shutdown' }, at(1)).state)).toBeUndefined()
    const held = step(it, { kind: 'initialize' }, { kind: 'startup', first: true, holding: true }, at(0))
    expect(held.state.kind).toBe('resigning')
  })
})

test.each([
  { downMultiplier: 3, ms: 3_609.375 },
  { downMultiplier: 10, ms: 10_609.375 },
  { downMultiplier: 1, ms: 1_609.375 },
])('$downMultiplier intervals of silence are borne', ({ downMultiplier, ms }) => {
  expect(activeDownInterval(router({ downMultiplier }), cs(100))).toBe(ms * 1_000)
})

describe('a machine that was suspended', () => {
  const active = (downMultiplier = 3) =>
    play(router({ downMultiplier }), [
      [0, { kind: 'startup' }],
      [20_000, { kind: 'tick' }],
    ]).state
  const slept = (ms: number) => ({ kind: 'slept', for: milliseconds(ms) }) as const

  test('F-35: for as long as its peers have patience steps down, and sends nothing', () => {
    const { state, effects, reason } = step(router(), active(), slept(3_000), at(20_001))
    expect({ kind: state.kind, effects, reason }).toEqual({
      kind: 'backup',
      effects: [{ kind: 'remove-addresses' }],
      reason: 'overslept',
    })
  })

  test.each([
    { downMultiplier: 3, ms: 2_900 },
    { downMultiplier: 6, ms: 5_500 },
  ])('for less than $downMultiplier intervals goes on', ({ downMultiplier, ms }) => {
    const before = active(downMultiplier)
    expect(step(router({ downMultiplier }), before, slept(ms), at(20_001)).state).toBe(before)
  })

  test('no longer answers for anybody it was leaving to', () => {
    const it = router()
    const resigning = step(it, active(), { kind: 'shutdown' }, at(20_001)).state
    expect(step(it, resigning, slept(60), at(20_002)).effects).toEqual([{ kind: 'remove-addresses' }])
    const outranked = step(it, active(), advertisement({ priority: 200 }), at(20_001)).state
    expect(step(it, outranked, slept(60), at(20_002)).effects).toEqual([{ kind: 'remove-addresses' }])
  })
})
