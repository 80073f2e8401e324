/** Holding and releasing a service, draining and undraining a node, and going on above a higher epoch. */
import { describe, expect, test } from 'vitest'
import { kinds, settledPair, world } from '../decide-world.ts'

const asked = { by: 'ops', reason: 'maintenance' }

describe('hold', () => {
  test('nothing moves it: not the LAN, not a dead owner, not an operator, not a drain', () => {
    const it = settledPair()
    expect(kinds(it.hear({ kind: 'hold', ...asked }))).toEqual(['held'])
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toEqual([])
    it.hear({ kind: 'disconnected', node: 'n1' })
    it.pass(60_000)
    it.report('n2', 'active')
    expect(kinds(it.hear({ kind: 'switchover', id: 'op-1', to: 'n2', by: 'ops', reason: null }))).toEqual([
      'refused held',
    ])
    expect(kinds(it.hear({ kind: 'drain', id: 'op-2', node: 'n1', ...asked }))).toEqual(['drain-waits'])
    expect(it.owner()).toBe('n1')
    expect(it.epoch()).toBe(1)
  })

  test('its release lets the LAN have its way at once', () => {
    const it = settledPair()
    it.hear({ kind: 'hold', ...asked })
    it.report('n1', 'backup')
    it.report('n2', 'active')
    expect(kinds(it.hear({ kind: 'release', ...asked }))).toEqual([
      'released',
      'own n2 2 owner-not-active',
      'owner-changed',
    ])
  })

  test('releasing what is not held is refused', () => {
    expect(kinds(settledPair().hear({ kind: 'release', ...asked }))).toEqual(['refused not-held'])
  })

  test('it survives a restart of control', () => {
    const before = settledPair()
    before.hear({ kind: 'hold', ...asked })
    const it = settledPair({ memory: before.state().memory })
    it.report('n1', 'backup')
    it.report('n2', 'active')
    expect(it.owner()).toBe('n1')
  })

  test('a switchover under way is called off, and its target told to forget the raise', () => {
    const it = settledPair()
    it.hear({ kind: 'switchover', id: 'op-1', to: 'n2', by: 'ops', reason: null })
    expect(kinds(it.hear({ kind: 'hold', ...asked }))).toEqual([
      'operation',
      'operation',
      'switchover-failed',
      'lower n2',
      'held',
    ])
    it.report('n2', 'active')
    expect(it.owner()).toBe('n1')
  })

  test('a service without an owner gets none while it is held', () => {
    const it = world(null)
    it.hear({ kind: 'hold', ...asked })
    it.report('n1', 'active')
    expect(it.owner()).toBeNull()
    it.hear({ kind: 'release', ...asked })
    expect(it.owner()).toBe('n1')
  })
})

describe('drain', () => {
  const drained = () => {
    const it = settledPair()
    it.hear({ kind: 'drain', id: 'op-1', node: 'n1', ...asked })
    return it
  }

  test('the target is raised and takes over before the drained node is told to keep out', () => {
    const it = settledPair()
    const seen = kinds(it.hear({ kind: 'drain', id: 'op-1', node: 'n1', ...asked }))
    expect(seen).toContain('take-over n2')
    expect(seen).not.toContain('yield n1')
    const taken = kinds(it.report('n2', 'active', { priority: 201 }))
    expect(taken).toContain('own n2 2 drain')
    expect(kinds(it.report('n1', 'backup'))).toContain('yield n1')
  })

  test('it stays off: restarted, with the higher priority, and active, it is told again and never owns', () => {
    const it = drained()
    it.report('n2', 'active', { priority: 201 })
    it.report('n1', 'backup')
    it.hear({ kind: 'settled', epoch: 2 })
    it.pass(10_000)
    it.report('n2', 'active', { priority: 201 })
    const restarted = { incarnation: 'n1-second-start', sequence: 1 }
    expect(kinds(it.report('n1', 'backup', restarted))).toContain('yield n1')
    it.report('n2', 'backup')
    const seen = kinds(it.report('n1', 'active', { ...restarted, sequence: 2 }))
    expect(it.owner()).toBe('n2')
    expect(seen).not.toContain('own n1 3 owner-not-active')
    it.pass(3_000)
    it.report('n2', 'backup')
    expect(kinds(it.report('n1', 'active', { ...restarted, sequence: 3 }))).toContain('yield n1')
  })

  test('nobody can take over: it stays and says so, and moves as soon as somebody can', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active')
    expect(kinds(it.hear({ kind: 'drain', id: 'op-1', node: 'n1', ...asked }))).toEqual(['drain-waits'])
    expect(it.owner()).toBe('n1')
    it.pass(6_000)
    it.report('n1', 'active')
    expect(kinds(it.report('n2', 'backup'))).toContain('take-over n2')
  })

  test('undrained it takes part again', () => {
    const it = drained()
    it.report('n2', 'active', { priority: 201 })
    it.report('n1', 'backup', { yielding: true })
    it.hear({ kind: 'settled', epoch: 2 })
    it.pass(3_000)
    it.report('n2', 'active', { priority: 201 })
    expect(kinds(it.hear({ kind: 'undrain', id: '', node: 'n1', ...asked }))).toContain('yield n1')
    it.report('n2', 'backup')
    expect(kinds(it.report('n1', 'active'))).toContain('own n1 3 owner-not-active')
  })

  test('undrained just after it was told to keep out, it hears so at once; and the raised owner goes back', () => {
    const it = drained()
    it.report('n2', 'active', { priority: 201 })
    const told = it.report('n1', 'backup')
    expect(kinds(told)).toContain('yield n1')
    expect(kinds(it.report('n1', 'backup', { yielding: true }))).toContain('lower n2')
    it.hear({ kind: 'settled', epoch: 2 })
    expect(kinds(it.hear({ kind: 'undrain', id: '', node: 'n1', ...asked }))).toContain('yield n1')
  })

  test('a drained node is no target of a switchover', () => {
    const it = settledPair({ drained: ['n2'] })
    expect(kinds(it.hear({ kind: 'switchover', id: 'op-1', to: 'n2', by: 'ops', reason: null }))).toEqual([
      'refused drained',
    ])
    expect(kinds(it.hear({ kind: 'switchover', id: 'op-1', to: null, by: 'ops', reason: null }))).toEqual([
      'refused nobody',
    ])
  })

  test('a node that is active on its own LAN, and not the owner, moves aside when somebody can answer for it', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active')
    it.report('n4', 'active', { site: 'dc2', priority: 100, base: 100 })
    expect(kinds(it.hear({ kind: 'drain', id: 'op-1', node: 'n4', ...asked }))).toEqual([])
    it.pass(3_000)
    it.report('n5', 'backup', { site: 'dc2', priority: 50, base: 50 })
    expect(kinds(it.report('n4', 'active', { site: 'dc2', priority: 100, base: 100 }))).toContain('yield n4')
  })

  test('a drain that fails is tried again', () => {
    const it = drained()
    it.report('n2', 'backup')
    const seen = [...kinds(it.pass(11_000))]
    expect(seen).toContain('drain-failed')
    it.report('n1', 'active')
    const again = [...kinds(it.report('n2', 'backup'))]
    for (let second = 0; second < 6; second++) {
      again.push(...kinds(it.pass(1_000)), ...kinds(it.report('n1', 'active')), ...kinds(it.report('n2', 'backup')))
    }
    expect(again).toContain('take-over n2')
    expect(it.owner()).toBe('n1')
  })
})

describe('rule 7: a higher epoch', () => {
  const found = (policy: object = {}) => {
    const it = settledPair({ policy })
    const seen = kinds(it.hear({ kind: 'superseded', binding: 'eip', epochSeen: 41 }))
    return { it, seen }
  }

  test('stop: it is said once, and nothing moves any more', () => {
    const { it, seen } = found()
    expect(seen).toEqual(['higher-epoch'])
    expect(kinds(it.hear({ kind: 'superseded', binding: 'eip', epochSeen: 41 }))).toEqual([])
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toEqual([])
    expect(it.epoch()).toBe(1)
  })

  test('an operator acknowledges: the owner goes on above it, and what waited happens', () => {
    const { it } = found()
    expect(kinds(it.hear({ kind: 'acknowledge', ...asked }))).toEqual([
      'acknowledged',
      'own n1 42 adopted',
      'owner-changed',
    ])
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 43 owner-not-active')
  })

  test('there is nothing to acknowledge', () => {
    expect(kinds(settledPair().hear({ kind: 'acknowledge', ...asked }))).toEqual(['refused nothing-to-acknowledge'])
  })

  test('scenario 22, adopt: control goes on above it by itself, but only once in a run', () => {
    const { it, seen } = found({ higherEpoch: 'adopt' })
    expect(seen).toEqual(['higher-epoch', 'own n1 42 adopted', 'owner-changed'])
    expect(kinds(it.hear({ kind: 'superseded', binding: 'eip', epochSeen: 50 }))).toEqual(['higher-epoch'])
    expect(it.epoch()).toBe(42)
  })

  test('a node that was told a higher epoch by another control tells of it as a target does', () => {
    const it = settledPair()
    expect(kinds(it.report('n2', 'backup', { epochSeen: 7 }))).toEqual(['higher-epoch'])
    expect(it.state().memory.epochSeen).toBe(7)
  })

  test('without an owner, the next one is minted above it', () => {
    const it = world(null)
    it.hear({ kind: 'superseded', binding: 'eip', epochSeen: 41 })
    it.report('n1', 'active')
    expect(it.owner()).toBeNull()
    it.hear({ kind: 'acknowledge', ...asked })
    expect(it.owner()).toBe('n1')
    expect(it.epoch()).toBe(42)
  })
})
