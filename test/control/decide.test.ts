/** Rules 1, 2 and 6 of the design's section 7, one scenario each, told in seconds of a clock that the test turns. */
import { describe, expect, test } from 'vitest'
import { leaseMs } from '../../control/contract.ts'
import { confirmMs, kinds, settledPair, world } from './decide-world.ts'

describe('rule 1: an active node owns when nobody else can', () => {
  test('the first owner ever owns at once, even while control has only just begun to listen', () => {
    const it = world(null, { listening: false })
    expect(kinds(it.report('n2', 'active'))).toEqual(['own n2 1 first', 'owner-changed'])
  })

  test('the epoch goes on from the highest ever stored', () => {
    const it = world({ node: 'n1', epoch: 41 })
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toEqual(['own n2 42 owner-not-active', 'owner-changed'])
  })

  test.each(['backup', 'fault', 'initialize'] as const)(
    'an owner that says %s is followed by a rival at once',
    (said) => {
      const it = settledPair()
      it.report('n1', said)
      expect(it.owner()).toBe('n1')
      expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-not-active')
    },
  )

  test('the order does not matter: a rival that is heard first owns when the owner says that it left', () => {
    const it = settledPair()
    it.report('n2', 'active')
    expect(it.owner()).toBe('n1')
    expect(kinds(it.report('n1', 'backup'))).toContain('own n2 2 owner-not-active')
  })

  test('an owner whose connection is closed is followed at once', () => {
    const it = settledPair()
    it.hear({ kind: 'disconnected', node: 'n1' })
    expect(it.owner()).toBe('n1')
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-disconnected')
  })

  test('a rival that was active first owns in the moment in which the owner’s connection closes', () => {
    const it = settledPair()
    it.report('n2', 'active')
    expect(kinds(it.hear({ kind: 'disconnected', node: 'n1' }))).toContain('own n2 2 owner-disconnected')
  })

  test('nobody active: the owner stays, so that there is no black hole', () => {
    const it = settledPair()
    it.report('n1', 'fault')
    it.hear({ kind: 'disconnected', node: 'n1' })
    expect(it.pass(60_000)).toEqual([])
    expect(it.owner()).toBe('n1')
  })

  test('of two that are active, the higher priority owns, then the first name', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active')
    it.report('n3', 'active', { priority: 150 })
    it.report('n2', 'active', { priority: 150 })
    it.hear({ kind: 'disconnected', node: 'n1' })
    expect(it.owner()).toBe('n2')
  })

  test('a rival that was not heard for a lease is none', () => {
    const it = settledPair()
    it.report('n2', 'active', { via: 'post' })
    it.advance(leaseMs + 1)
    it.hear({ kind: 'disconnected', node: 'n1' })
    expect(it.owner()).toBe('n1')
  })
})

describe('rule 2: an owner that looks active is asked first', () => {
  test('it is asked, and it does not move before the time is up', () => {
    const it = settledPair()
    expect(kinds(it.report('n2', 'active'))).toEqual(['ask n1'])
    it.pass(confirmMs - 1)
    expect(it.owner()).toBe('n1')
    expect(kinds(it.pass(1))).toEqual(['own n2 2 no-answer', 'owner-changed'])
  })

  test('it answers "active": both are, the owner stays, one event says so, and nothing outside moves', () => {
    const it = settledPair()
    it.report('n2', 'active')
    expect(kinds(it.report('n1', 'active', { answers: [it.asked()!] }))).toEqual(['dual-active'])
    const seen: string[] = []
    for (let second = 0; second < 10; second++) {
      seen.push(...kinds(it.pass(1_000)), ...kinds(it.report('n2', 'active')))
      seen.push(...kinds(it.report('n1', 'active', { answers: [it.asked() ?? ''] })))
    }
    expect(new Set(seen)).toEqual(new Set(['ask n1']))
    expect(seen.length).toBeGreaterThanOrEqual(8)
    expect(it.epoch()).toBe(1)
  })

  test('dual active, and then the owner freezes: found out well before its lease', () => {
    const it = settledPair()
    it.report('n2', 'active')
    it.report('n1', 'active', { answers: [it.asked()!] })
    it.pass(900)
    it.report('n2', 'active')
    expect(kinds(it.pass(300))).toEqual(['ask n1', 'own n2 2 no-answer', 'owner-changed'])
  })

  test('dual active heals: an event says so', () => {
    const it = settledPair()
    it.report('n2', 'active')
    it.report('n1', 'active', { answers: [it.asked()!] })
    expect(kinds(it.report('n2', 'backup'))).toEqual(['dual-active-ended'])
    expect(it.pass(10_000)).toEqual([])
  })

  test('a report that answers nothing is no answer: it may have been on its way since before the question', () => {
    const it = settledPair()
    it.report('n2', 'active')
    it.report('n1', 'active')
    expect(kinds(it.pass(confirmMs))).toContain('own n2 2 no-answer')
  })

  test('an answer that says "not active" moves at once', () => {
    const it = settledPair()
    it.report('n2', 'active')
    expect(kinds(it.report('n1', 'backup', { answers: [it.asked()!] }))).toContain('own n2 2 owner-not-active')
  })

  test('a brief self-promotion that ends before the time is up never happened', () => {
    const it = settledPair()
    it.report('n2', 'active')
    it.advance(confirmMs / 2)
    expect(kinds(it.report('n2', 'backup'))).toEqual([])
    expect(it.pass(60_000)).toEqual([])
    expect(it.epoch()).toBe(1)
  })

  test('the frozen owner is no rival of its successor until it speaks again', () => {
    const it = settledPair()
    it.report('n2', 'active')
    it.pass(confirmMs)
    expect(kinds(it.report('n2', 'active'))).toEqual([])
    expect(kinds(it.report('n1', 'active'))).toEqual(['ask n2'])
  })

  test('an owner that only posts is believed for its lease, and no longer', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active', { via: 'post' })
    expect(kinds(it.report('n2', 'active'))).toEqual(['ask n1'])
    for (let second = 0; second < 5; second++) {
      expect(it.pass(900)).toEqual([])
      it.report('n2', 'active')
    }
    expect(kinds(it.pass(1_000))).toContain('own n2 2 owner-silent')
  })

  test('an unplugged owner keeps its connection open: the lease tells', () => {
    const it = settledPair()
    it.advance(leaseMs + 1)
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-silent')
  })
})

describe('reports are levels', () => {
  test.each([
    { name: 'the same report twice', sequence: 1 },
    { name: 'an older report that was overtaken', sequence: 0 },
  ])('$name changes nothing', ({ sequence }) => {
    const it = settledPair()
    const before = it.state()
    expect(it.report('n1', 'backup', { sequence })).toEqual([])
    expect(it.state()).toBe(before)
  })

  test('a former incarnation is refused, and changes nothing', () => {
    const it = settledPair()
    it.report('n1', 'active', { incarnation: 'n1-second-start', sequence: 1 })
    const before = it.state()
    expect(kinds(it.report('n1', 'backup'))).toEqual(['refused former-incarnation'])
    expect(it.state()).toBe(before)
  })

  test('a service that a node no longer mentions is not active there', () => {
    const it = settledPair()
    it.report('n2', 'active')
    expect(kinds(it.report('n1', 'active', { report: null }))).toContain('own n2 2 owner-not-active')
  })
})

describe('rule 6: silence proves nothing to a control that has only just begun to listen', () => {
  test('an owner that was not heard yet keeps the service for one lease, and loses it then', () => {
    const it = world({ node: 'n1', epoch: 1 }, { listening: false })
    it.report('n2', 'active')
    for (let second = 0; second < 4; second++) {
      it.pass(1_000)
      it.report('n2', 'active')
      expect(it.owner()).toBe('n1')
    }
    expect(kinds(it.pass(1_000))).toContain('own n2 2 owner-silent')
  })

  test('an owner that has come back and goes again is gone', () => {
    const it = settledPair({ listening: false })
    it.hear({ kind: 'disconnected', node: 'n1' })
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-disconnected')
  })

  test('but what the owner says itself is', () => {
    const it = settledPair({ listening: false })
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-not-active')
  })

  test('an owner that has come back and then does not answer is not waited for', () => {
    const it = settledPair({ listening: false })
    it.report('n2', 'active')
    expect(kinds(it.pass(confirmMs))).toContain('own n2 2 no-answer')
  })

  test('a control that stood still begins to listen anew', () => {
    const it = settledPair()
    it.advance(10_000)
    it.hear({ kind: 'stalled' })
    it.report('n2', 'active')
    it.pass(confirmMs)
    expect(it.owner()).toBe('n1')
    it.report('n1', 'active')
    expect(it.owner()).toBe('n1')
  })
})

test('the state of one event never changes what an earlier one returned', () => {
  const it = settledPair()
  const before = structuredClone(it.state())
  const kept = it.state()
  it.report('n2', 'active')
  it.pass(confirmMs)
  expect(kept).toEqual(before)
})
