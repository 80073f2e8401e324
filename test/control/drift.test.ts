/** What somebody else changes: put back, left until the next move, or frozen. */
import { expect, test } from 'vitest'
import { beginBinding, type DriftPolicy } from '../../control/binding.ts'
import { at, binding, done, foreign, policy, settled, settledLongAgo } from '../support/one-binding.ts'

/** Settled long enough for nothing of its own to be on its way. */
function atRest(drift: DriftPolicy) {
  const it = settled(drift)
  it.wait()
  return it
}

test('alert: what somebody else changed is said once and left there; the next move writes as ever', () => {
  const it = atRest('alert')
  expect(it.observed(foreign('eni-9'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'drifted', lastError: 'points at eni-9, and is left there' })
  for (let i = 0; i < 3; i++) {
    expect(it.wait()).toEqual([policy.restMs, 'observe'])
    it.observed(foreign('eni-9'))
  }
  expect(it.events.filter((name) => name === 'drift')).toHaveLength(1)
  it.wait()
  it.observed(foreign('eni-8'))
  expect(it.events.filter((name) => name === 'drift')).toHaveLength(2)
  expect(it.want('n2', 2)).toBe('observe')
  expect(it.observed(foreign('eni-8'))).toBe('apply n2 2 eni-8')
})

test('freeze: nothing is written, not for a move either, until an operator acknowledges it', () => {
  const it = atRest('freeze')
  it.observed(foreign('eni-9'))
  it.want('n2', 2)
  expect(it.observed(foreign('eni-9'))).toBe('nothing')
  expect(it.state()).toMatchObject({ state: 'drifted', wanted: { node: 'n2', epoch: 2 } })
  it.feed({ kind: 'acknowledged' })
  expect(it.observed(foreign('eni-9'))).toBe('apply n2 2 eni-9')
})

test.each(['alert', 'freeze'] as const)(
  '%s: an acknowledgement puts it back; agreement by itself ends it too',
  (drift) => {
    const it = atRest(drift)
    it.observed(foreign('eni-9'))
    it.wait()
    it.observed(at('n1'))
    expect(it.state()).toMatchObject({ state: 'settled', left: null, lastError: null })
    it.wait()
    it.observed(foreign('eni-9'))
    it.feed({ kind: 'acknowledged' })
    expect(it.observed(foreign('eni-9'))).toBe('apply n1 1 eni-9')
  },
)

test.each(['alert', 'freeze'] as const)('%s: an own write that lands late is put right all the same', (drift) => {
  const it = settledLongAgo(drift)
  it.want('n2', 2)
  it.observed(at('n1'))
  it.applied(done)
  it.observed(at('n2'))
  it.wait()
  expect(it.observed(at('n1', 'late'))).toBe('apply n2 2 late')
})

test('what was left alone when control stopped is left alone when it is back', () => {
  const it = binding(beginBinding({ node: 'n1', epoch: 1 }, 'left'), 'freeze')
  it.feed({ kind: 'resumed' })
  expect(it.observed(foreign('eni-9'))).toBe('nothing')
  expect(it.state().state).toBe('drifted')
})
