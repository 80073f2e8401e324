/** What looks at rest may use of a provider's budget, and who waits for whom. */
import { expect, test } from 'vitest'
import { createBudgets } from '../../../control/core/budgets.ts'

function account(calls = 10, perMs = 1_000) {
  let now = 0
  const budgets = createBudgets({ now: () => now })
  return {
    ...budgets,
    budget: { account: 'zone', calls, perMs },
    advance: (ms: number) => {
      now += ms
    },
  }
}

test('looks have half of the budget at once, and then a turn each', () => {
  const it = account()
  expect(Array.from({ length: 5 }, () => it.look(it.budget))).toEqual([0, 0, 0, 0, 0])
  expect([it.look(it.budget), it.look(it.budget)]).toEqual([200, 400])
})

test('in any stretch of time looks make no more than half of the calls', () => {
  const it = account(100, 10_000)
  let made = 0
  for (let ms = 0; ms < 60_000; ms += 50) {
    if (it.look(it.budget) <= 0) made += 1
    it.advance(50)
  }
  expect(made).toBeLessThanOrEqual(50 + 60 * 5)
})

test('a move never waits, and looks make room for it', () => {
  const it = account()
  for (let i = 0; i < 10; i++) it.spend(it.budget)
  expect(it.look(it.budget)).toBe(1_200)
})

test('what nobody uses is there again, up to half; accounts do not share', () => {
  const it = account()
  for (let i = 0; i < 8; i++) it.look(it.budget)
  it.advance(60_000)
  expect(Array.from({ length: 6 }, () => it.look(it.budget))).toEqual([0, 0, 0, 0, 0, 200])
  expect(it.look({ ...it.budget, account: 'another' })).toBe(0)
})

test('a look that takes several calls counts as so many', () => {
  const it = account()
  expect(it.look({ ...it.budget, perLook: 5 })).toBe(0)
  expect(it.look(it.budget)).toBe(200)
})
