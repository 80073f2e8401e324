/** Rows of the conformance list that no other test of the state machine names. */
import { describe, expect, test } from 'vitest'
import { activeDownInterval } from '../../../node-agent/vrrp/step.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import { advertisement, at, play, router } from '../../support/routers.ts'

const started = [
  [0, { kind: 'startup' }],
  [3_700, { kind: 'tick' }],
] as const

describe('F-26: an active router without preemption', () => {
  const stubborn = router({ preemptMode: false })
  const active = play(stubborn, started).state

  test('still yields to a higher priority, and to a greater address of the same', () => {
    for (const heard of [advertisement({ priority: 101 }), advertisement({ priority: 100, source: '192.0.2.3' })])
      expect(play(stubborn, [[3_800, heard]], active)).toMatchObject({ state: { kind: 'backup' }, effects: [] })
  })

  test('still answers a lower one', () => {
    const { state, effects } = play(stubborn, [[3_800, advertisement({ priority: 1 })]], active)
    expect(state.kind).toBe('active')
    expect(effects).toContain('send 100')
  })
})

test.each([
  { version: 2, interval: 100 },
  { version: 3, interval: 300 },
] as const)('F-23, F-30: outranked, version $version waits by an interval of $interval cs', ({ version, interval }) => {
  const it = router({ version })
  const outranked = play(it, [[3_800, advertisement({ priority: 200, interval: 300 })]], play(it, started).state)
  const activeDownAt = at(3_800) + activeDownInterval(it, interval as Centiseconds)
  expect(outranked.state).toMatchObject({ kind: 'backup', activeAdverInterval: interval, activeDownAt })
})

describe('T-38, D4: an address owner of version 3 that hears another one', () => {
  const owner = router({ priority: 255 })
  const active = play(owner, [[0, { kind: 'startup' }]]).state

  test.each([
    { source: '192.0.2.3', kind: 'backup' },
    { source: '192.0.2.1', kind: 'active' },
  ])('at $source is $kind', ({ source, kind }) => {
    expect(play(owner, [[500, advertisement({ priority: 255, source })]], active).state.kind).toBe(kind)
  })
})

test('F-28: a backup that is raised above the active one takes over when its wait ends, and not before', () => {
  const raised = router({ priority: 200 })
  const followed = play(router(), [
    [0, { kind: 'startup' }],
    [1_000, advertisement({ priority: 150 })],
    [1_500, advertisement({ priority: 150 })],
  ]).state
  const told = play(raised, [[1_600, { kind: 'priority', was: 100 }]], followed)
  expect(told).toMatchObject({ state: { kind: 'backup' }, effects: [] })
  const heard = play(raised, [[2_500, advertisement({ priority: 150 })]], told.state).state
  expect(heard).toEqual(told.state)
  expect(play(raised, [[1_500 + 3_219, { kind: 'tick' }]], heard).state.kind).toBe('active')
})
