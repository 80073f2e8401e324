/** What is tried before it is needed: when, what is said of it, and that sleep is not a start. */
import { expect, test } from 'vitest'
import type { Adapter, Finding } from '../../../adapters/adapter.ts'
import { bindingDefaults } from '../../../control/config/service-config.ts'
import { createBudgets } from '../../../control/core/budgets.ts'
import type { Kept } from '../../../control/core/ports.ts'
import { createPreflights } from '../../../control/core/preflights.ts'
import { createClock, createResource } from '../world.ts'

const binding = { ...bindingDefaults, name: 'eip', adapter: 'memory', config: {}, targets: { n1: {} } }
const denied: Finding = { check: 'ec2:AssociateAddress', result: 'failed', message: 'not permitted' }
const passed: Finding = { check: 'ec2:DescribeAddresses', result: 'passed', message: null }

function trials(options: { kept?: Kept; preflight?: Adapter['preflight'] } = {}) {
  const time = createClock()
  const { adapter } = createResource(time.clock)
  const state = { findings: [passed] as Finding[], made: 0, said: [] as string[] }
  const preflights = createPreflights({
    service: 'web',
    ports: { ...time, random: () => 0.5, ...(options.kept === undefined ? {} : { kept: options.kept }) },
    budgets: createBudgets(time.clock),
    said: ({ kind, text }) => state.said.push(`${kind}: ${text}`),
    rearm: () => undefined,
  })
  const tried: Adapter['preflight'] = async () => {
    state.made += 1
    return state.findings
  }
  const begin = (config: object = {}): void => {
    const made = { ...adapter, preflight: options.preflight ?? tried }
    preflights.become([{ ...binding, config }], new Map([['eip', made]]))
  }
  /** Lets time pass in steps of a second. */
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i += 1_000) {
      await time.pass(1_000)
      preflights.tick(time.clock.now())
      await time.idle()
    }
  }
  begin()
  return { ...time, preflights, state, begin, pass }
}

test('soon after start and each hour; what fails is said once, and that it passes as well', async () => {
  const it = trials()
  expect(it.preflights.of('eip')).toBeNull()
  await it.pass(20_000)
  expect([it.state.made, it.state.said]).toEqual([1, []])
  it.state.findings = [passed, denied]
  await it.pass(2 * 3_600_000)
  expect(it.state.made).toBe(3)
  expect(it.preflights.of('eip')?.failed).toEqual([denied])
  it.state.findings = [passed]
  await it.pass(3_600_000)
  expect(it.state.said).toEqual([
    'preflight-failed: eip: a move would fail: ec2:AssociateAddress: not permitted',
    expect.stringMatching('preflight-passed: eip'),
  ])
})

test('a binding whose configuration has changed is tried again; one that is the same is not', async () => {
  const it = trials()
  await it.pass(20_000)
  it.begin()
  await it.pass(20_000)
  expect(it.state.made).toBe(1)
  it.begin({ cas: 'atomic' })
  expect(it.preflights.of('eip')).toBeNull()
  await it.pass(20_000)
  expect(it.state.made).toBe(2)
})

test('one that never ends is given up, and says nothing', async () => {
  const it = trials({
    preflight: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve([denied]))),
  })
  await it.pass(120_000)
  expect([it.state.said, it.preflights.of('eip')]).toEqual([[], null])
})

test('one that throws is a failure', async () => {
  const it = trials({ preflight: () => Promise.reject(new Error('broken')) })
  await it.pass(20_000)
  expect(it.preflights.of('eip')?.failed).toMatchObject([{ message: 'the adapter threw: broken' }])
})

test('a program that slept knows what it knew, and does not try again for having woken', async () => {
  const memory = new Map<string, unknown>()
  const kept: Kept = {
    get: <T>(key: string) => memory.get(key) as T | undefined,
    put: (key, value) => void memory.set(key, value),
    delete: (key) => void memory.delete(key),
  }
  const first = trials({ kept })
  first.state.findings = [denied]
  await first.pass(20_000)
  const woken = trials({ kept })
  await woken.pass(60_000)
  expect([woken.state.made, woken.preflights.of('eip')?.failed]).toEqual([0, [denied]])
  woken.preflights.forget()
  expect(memory.size).toBe(0)
})
