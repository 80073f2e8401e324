import { expect, test } from 'vitest'
import type { ServiceCheck } from '../../../node-agent/checks/check.ts'
import type { Health } from '../../../node-agent/checks/health.ts'
import { type Question, standingOf } from '../../../node-agent/checks/priority.ts'

const healths: Record<string, Health> = {
  good: { verdict: 'passing', streak: 0, why: null },
  bad: { verdict: 'failing', streak: 0, why: 'HTTP 503' },
  new: { verdict: 'unknown', streak: 0, why: null },
}
const check = (name: string, weight: number | null = null): ServiceCheck => ({ check: name, weight })
const ask = (checks: ServiceCheck[], changes: Partial<Question> = {}) =>
  standingOf({ priority: 100, checks, healthOf: (name) => healths[name]!, unknownCounts: 'passed', ...changes })

test.each<{ name: string; checks: ServiceCheck[]; priority: number; fault: string | null }>([
  { name: 'none', checks: [], priority: 100, fault: null },
  { name: 'one that passes', checks: [check('good')], priority: 100, fault: null },
  { name: 'one that fails', checks: [check('bad')], priority: 100, fault: 'check bad failed: HTTP 503' },
  { name: 'negative weight, passes', checks: [check('good', -20)], priority: 100, fault: null },
  { name: 'negative weight, fails', checks: [check('bad', -20)], priority: 80, fault: null },
  { name: 'positive weight, passes', checks: [check('good', 20)], priority: 120, fault: null },
  { name: 'positive weight, fails', checks: [check('bad', 20)], priority: 100, fault: null },
  { name: 'weights add up', checks: [check('bad', -20), check('good', 5)], priority: 85, fault: null },
  { name: 'never below 1', checks: [check('bad', -253)], priority: 1, fault: null },
  { name: 'never above 254', checks: [check('good', 253)], priority: 254, fault: null },
  { name: 'new ones pass', checks: [check('new'), check('new', -20)], priority: 100, fault: null },
])('checks of a virtual router: $name', ({ checks, priority, fault }) => {
  expect(ask(checks)).toEqual({ priority, fault })
})

test('a solo service waits for the first verdict of its checks', () => {
  expect(ask([check('new')], { unknownCounts: 'failed' }).fault).toBe('check new has not passed yet')
  expect(ask([check('good')], { unknownCounts: 'failed' }).fault).toBeNull()
})

test('the priority of an address owner stays what it is', () => {
  expect(ask([], { priority: 255 }).priority).toBe(255)
})
