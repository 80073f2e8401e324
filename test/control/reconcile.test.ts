/** One binding and its provider: what is written, looked at, waited for, and said. */
import { describe, expect, test } from 'vitest'
import type { Observation } from '../../adapters/adapter.ts'
import { beginBinding } from '../../control/binding.ts'
import {
  at,
  binding,
  done,
  failure,
  foreign,
  policy,
  settled,
  settledLongAgo,
  throttled,
} from '../support/one-binding.ts'

test('it looks, writes what differs, and believes only what it reads back', () => {
  const it = binding()
  expect(it.want('n2', 2)).toBe('observe')
  expect(it.observed(at('n1', 'a1'))).toBe('apply n2 2 a1')
  expect(it.state().state).toBe('applying')
  expect(it.applied(done)).toBe('observe')
  expect(it.state().state).toBe('verifying')
  expect(it.observed(at('n2', 'a2'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'settled', attempts: 1, lastError: null })
  expect(it.events).toEqual(['binding-settled'])
})

describe('seen to agree a moment ago', () => {
  test('a move is one call, and read back', () => {
    const it = settled()
    it.advance(2 * policy.restMs)
    expect(it.want('n2', 2)).toBe('apply n2 2 n1')
    expect(it.applied(done)).toBe('observe')
    expect(it.observed(at('n2'))).toBe('nothing')
    expect(it.state()).toMatchObject({ state: 'settled', attempts: 1 })
  })

  test('what somebody has changed since is refused by the fence, and looked at', () => {
    const it = settled()
    it.want('n2', 2)
    expect(it.applied(failure('conflict'))).toBe('observe')
    it.observed(foreign('eni-9'))
    it.wait()
    expect(it.observed(foreign('eni-9'))).toBe('apply n2 2 eni-9')
  })

  test('a node without a target is looked at first, as is what already points there', () => {
    expect(settled().want('n9', 2)).toBe('observe')
    expect(settled().want('n1', 2)).toBe('observe')
  })

  test.each([
    { fenced: true, drift: 'freeze', epochSeen: 1, leaves: 'apply n2 2 n1' },
    { fenced: false, drift: 'alert', epochSeen: undefined, leaves: 'apply n2 2 n1' },
    { fenced: false, drift: 'freeze', epochSeen: undefined, leaves: 'observe' },
    { fenced: false, drift: 'reassert', epochSeen: 1, leaves: 'observe' },
  ] as const)(
    'fenced: $fenced, $drift, remembers the epoch $epochSeen: $leaves',
    ({ fenced, drift, epochSeen, leaves }) => {
      const it = binding(beginBinding(null), drift, fenced)
      it.want('n1', 1)
      it.observed({ kind: 'node', node: 'n1', token: 'n1', raw: {}, ...(epochSeen === undefined ? {} : { epochSeen }) })
      expect(it.want('n2', 2)).toBe(leaves)
    },
  )

  test('while it could not be looked at, a move begins with a look', () => {
    const it = settled()
    it.wait()
    it.observed({ kind: 'unknown', failure: failure('retry') })
    expect(it.want('n2', 2)).toBe('observe')
  })
})

test('what is already right is not written', () => {
  expect(settled().state().attempts).toBe(0)
})

test('an old epoch is not wanted again', () => {
  const it = settled()
  expect(it.want('n2', 1)).toBe('nothing')
  expect(it.state().wanted).toEqual({ node: 'n1', epoch: 1 })
})

test('a lost response is followed by a look, not by a second write', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  expect(it.applied(failure('unknown'))).toBe('observe')
  expect(it.observed(at('n2'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'settled', attempts: 1 })
})

test('a lost response whose write never happened is written again, after the settle window', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  it.applied(failure('unknown'))
  for (;;) {
    const next = it.observed(at('n1'))
    if (next !== 'nothing') {
      expect(next).toBe('apply n2 2 n1')
      break
    }
    it.wait()
  }
  expect(it.state().attempts).toBe(2)
})

test('a stale read after a write is polled, ever slower, and not written over', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1', 'a1'))
  it.applied(done)
  const pauses: number[] = []
  for (let i = 0; i < 6; i++) {
    expect(it.observed(at('n1', 'a1'))).toBe('nothing')
    const [pause, call] = it.wait()
    pauses.push(pause)
    expect(call).toBe('observe')
  }
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000])
  it.observed(at('n2', 'a2'))
  expect(it.state()).toMatchObject({ state: 'settled', attempts: 1 })
})

test('a new token inside the settle window is somebody else’s write, and is put right with a pause', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1', 'a1'))
  it.applied(done)
  expect(it.observed(at('n1', 'a3'))).toBe('nothing')
  expect(it.state().state).toBe('retrying')
  expect(it.wait()[1]).toBe('observe')
  expect(it.observed(at('n1', 'a3'))).toBe('apply n2 2 a3')
})

test('a write that lands late is found by the check after its longest flight, and put right', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  it.applied(done)
  it.observed(at('n2'))
  expect(it.wait()).toEqual([policy.restMs, 'observe'])
  it.observed(at('n2'))
  expect(it.wait()).toEqual([35_000 - policy.restMs, 'observe'])
  expect(it.observed(at('n1', 'late'))).toBe('apply n2 2 late')
  expect(it.events).toContain('drift')
  expect(it.state().state).toBe('drifted')
})

test('an older write in flight: the newer one waits for its end, looks, and then writes', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  expect(it.call()).toBe('apply n2 2 n1')
  expect(it.want('n1', 3)).toBe('apply n2 2 n1')
  expect(it.want('n2', 4)).toBe('apply n2 2 n1')
  expect(it.want('n1', 5)).toBe('apply n2 2 n1')
  expect(it.applied(done)).toBe('observe')
  expect(it.state().state).toBe('pending')
  expect(it.observed(at('n2'))).toBe('apply n1 5 n2')
})

test('an older write that may be invisible yet: agreement proves nothing, so the newer one is written', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1', 'a1'))
  it.want('n1', 3)
  it.applied(failure('unknown'))
  expect(it.observed(at('n1', 'a1'))).toBe('apply n1 3 a1')
})

test('an observation made for an older epoch is made again', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.want('n1', 3)
  expect(it.observed(at('n1'))).toBe('observe')
  expect(it.state().state).toBe('pending')
})

test('after a crash it looks before it does anything, and does not take what was in flight for undone', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  const again = binding(beginBinding({ node: 'n2', epoch: 2 }))
  again.feed({ kind: 'resumed' })
  expect(again.call()).toBe('observe')
  expect(again.observed(at('n2'))).toBe('nothing')
  expect(again.state()).toMatchObject({ state: 'settled', attempts: 0 })
})

test('what was changed while control was down is drift', () => {
  const it = binding(beginBinding({ node: 'n1', epoch: 1 }, 'settled'))
  it.feed({ kind: 'resumed' })
  expect(it.observed(at('n2', 'x'))).toBe('apply n1 1 x')
  expect(it.events).toEqual(['drift'])
})

test('a throttled call waits as long as it was told to', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  expect(it.applied(throttled)).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'retrying', lastError: 'throttled: m' })
  expect(it.wait()).toEqual([7_000, 'observe'])
})

test('failures in a row wait ever longer, at most 30 s, and the event comes once', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  const pauses: number[] = []
  for (let i = 0; i < 9; i++) {
    it.observed({ kind: 'unknown', failure: failure('retry') })
    pauses.push(it.wait()[0])
  }
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000])
  expect(it.events.filter((name) => name === 'binding-retrying')).toHaveLength(1)
})

test('a permanent failure stops the storm: probed each minute, and a newer epoch tries at once', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1'))
  it.applied(failure('permanent', 'UnauthorizedOperation'))
  expect(it.state()).toMatchObject({ state: 'failed', lastError: 'UnauthorizedOperation: m' })
  expect(it.wait()).toEqual([60_000, 'observe'])
  expect(it.observed(at('n1'))).toMatch(/^apply n2 2/)
  it.applied(failure('permanent', 'UnauthorizedOperation'))
  expect(it.want('n1', 3)).toBe('observe')
})

test('a conflict is looked at, at once the first time', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  it.observed(at('n1', 'a1'))
  expect(it.applied(failure('conflict'))).toBe('observe')
  it.observed(at('n1', 'a2'))
  expect(it.call()).toBe('nothing')
  expect(it.wait()[1]).toBe('observe')
  expect(it.observed(at('n1', 'a2'))).toBe('apply n2 2 a2')
})

test('a higher epoch in the target stops everything and says so once', () => {
  const it = settledLongAgo()
  it.want('n2', 2)
  const seen: Observation = { kind: 'node', node: 'n1', token: null, epochSeen: 9, raw: {} }
  expect(it.observed(seen)).toBe('nothing')
  expect(it.state().state).toBe('failed')
  expect(it.wait()).toEqual([60_000, 'observe'])
  it.observed(seen)
  expect(it.events.filter((name) => name === 'superseded')).toHaveLength(1)
  expect(it.state().attempts).toBe(0)
})

test('a node without a target is an alarm, not a write', () => {
  const it = settled()
  it.want('n9', 2)
  expect(it.observed(at('n1'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'failed', lastError: 'has no target for n9: add one under targets' })
})

test('at rest it looks once a minute, and puts back what somebody else changed', () => {
  const it = settled()
  expect(it.wait()).toEqual([policy.restMs, 'observe'])
  expect(it.observed({ kind: 'none', token: null, raw: {} })).toBe('apply n1 1 null')
  expect(it.events.at(-1)).toBe('drift')
  it.applied(done)
  it.observed(at('n1'))
  expect(it.state()).toMatchObject({ state: 'settled', attempts: 1 })
})

test('nobody owns yet: it only looks', () => {
  const it = binding()
  it.feed({ kind: 'resumed' })
  expect(it.observed(at('n1'))).toBe('nothing')
  expect(it.state().state).toBe('pending')
})

test('results that nobody waits for are dropped', () => {
  const it = settled()
  const before = it.state()
  it.feed({ kind: 'applied', outcome: done })
  it.feed({ kind: 'observed', observation: at('n2') })
  expect(it.state()).toBe(before)
})

test('a binding that comes after others looks once, and writes when it may', () => {
  const it = settled()
  it.want('n2', 2, true)
  expect(it.observed(at('n1'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'pending', dueAt: null })
  it.feed({ kind: 'released' })
  expect(it.call()).toBe('apply n2 2 n1')
})

test('a binding that has waited for others too long looks again before it writes', () => {
  const it = settledLongAgo()
  it.want('n2', 2, true)
  it.observed(at('n1'))
  it.advance(2 * policy.restMs + 1)
  it.feed({ kind: 'released' })
  expect(it.observed(at('n1', 'a2'))).toBe('apply n2 2 a2')
})
