/** Rule 5: moves that nobody asked for are bounded, an operator's are not. */
import { expect, test } from 'vitest'
import { kinds, settledPair, type world } from '../decide-world.ts'

const bounded = { policy: { flap: { moves: 3, perMs: 300_000, holdDownMs: 60_000 } } }

/** The LAN moves back and forth, once in a while. */
function flap(it: ReturnType<typeof world>, times: number, everyMs = 1_000): string[] {
  const seen: string[] = []
  for (let i = 0; i < times; i++) {
    const [to, from] = it.owner() === 'n1' ? ['n2', 'n1'] : ['n1', 'n2']
    it.pass(everyMs)
    seen.push(...kinds(it.report(from!, 'backup')), ...kinds(it.report(to!, 'active')))
  }
  return seen
}

test('as many moves as allowed happen, the next does not, and one event says so', () => {
  const it = settledPair(bounded)
  const seen = flap(it, 3)
  expect(it.epoch()).toBe(4)
  expect(seen).not.toContain('suppressed')
  expect(flap(it, 1)).toContain('suppressed')
  expect(it.epoch()).toBe(4)
  const again = [...kinds(it.report('n1', 'active')), ...kinds(it.report('n2', 'backup')), ...kinds(it.pass(10_000))]
  expect(again).toEqual([])
})

test('when the hold-down is over it follows the LAN to where it is then', () => {
  const it = settledPair(bounded)
  flap(it, 4)
  const active = it.owner() === 'n1' ? 'n2' : 'n1'
  const seen: string[] = []
  for (let second = 0; second < 60; second++) {
    seen.push(...kinds(it.pass(1_000)), ...kinds(it.report(active, 'active')))
  }
  expect(seen).toContain('suppression-ended')
  expect(it.owner()).toBe(active)
})

test('each further suppression lasts twice as long', () => {
  const it = settledPair(bounded)
  const lengths: number[] = []
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20 && it.state().suppressedUntil === null; i++) flap(it, 1)
    lengths.push(it.state().memory.suppressions)
    const until = it.state().suppressedUntil!
    it.pass(until - it.nowMs() + 1)
    for (const node of ['n1', 'n2'] as const) it.report(node, node === it.owner() ? 'active' : 'backup')
  }
  expect(lengths).toEqual([1, 2, 3])
})

test('a quiet while makes the bound forget', () => {
  const it = settledPair(bounded)
  flap(it, 3)
  it.pass(301_000)
  it.report('n1', it.owner() === 'n1' ? 'active' : 'backup')
  it.report('n2', it.owner() === 'n2' ? 'active' : 'backup')
  expect(flap(it, 3)).not.toContain('suppressed')
})

test('an operator moves it all the same, and that ends the suppression', () => {
  const it = settledPair(bounded)
  flap(it, 4)
  const owner = it.owner()!
  const other = owner === 'n1' ? 'n2' : 'n1'
  it.report(owner, 'active')
  it.report(other, 'backup')
  expect(kinds(it.hear({ kind: 'switchover', id: 'op-1', to: other, by: 'ops', reason: null }))).toContain(
    `take-over ${other}`,
  )
  expect(it.state().suppressedUntil).toBeNull()
  it.report(other, 'active')
  expect(it.owner()).toBe(other)
})

test('the moves of an operator do not count', () => {
  const it = settledPair(bounded)
  for (let i = 0; i < 10; i++) {
    const to = it.owner() === 'n1' ? 'n2' : 'n1'
    const from = it.owner()!
    it.hear({ kind: 'switchover', id: `op-${i}`, to, by: 'ops', reason: null })
    it.report(to, 'active')
    it.report(from, 'backup')
    it.hear({ kind: 'settled', epoch: it.epoch() })
    it.pass(1_000)
  }
  expect(it.epoch()).toBe(11)
})

test('scenario 3: a restart of control is no way around the bound', () => {
  const it = settledPair(bounded)
  flap(it, 4)
  const { memory } = it.state()
  expect(memory).toMatchObject({ moves: 3, suppressed: true, suppressions: 1 })
  const after = settledPair({ ...bounded, memory })
  expect(kinds(after.report('n1', 'backup'))).toEqual([])
  expect(kinds(after.report('n2', 'active'))).toEqual([])
  expect(after.state().suppressedUntil).not.toBeNull()
})
