/** Metrics as Prometheus reads them, of a control that has something of everything. */
import { expect, test } from 'vitest'
import type { ServiceView } from '../../../control/core/view.ts'
import { createCounter, createHistogram } from '../../../control/seeing/exposition.ts'
import { createMetrics } from '../../../control/seeing/metrics.ts'
import { parseExposition, type Sample } from '../../support/exposition.ts'
import { everything, scrape } from '../everything.ts'
import { createWorld } from '../world.ts'

const one = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined =>
  samples.find((sample) => {
    return sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  })?.value

test('a label may hold anything', () => {
  const counter = createCounter({ name: 'odd_total', help: 'Odd.', labels: ['what'] })
  counter.add(['a "b" \\ c\nd'])
  expect(parseExposition(counter.text()).samples).toEqual([
    { name: 'odd_total', labels: { what: 'a "b" \\ c\nd' }, value: 1 },
  ])
})

test('a histogram’s buckets hold all that is smaller, its own bound included', () => {
  const histogram = createHistogram({ name: 'h_seconds', help: 'H.', labels: ['x'], bounds: [0.1, 1] })
  for (const seconds of [0.05, 0.1, 0.5, 7]) histogram.observe(['a'], seconds)
  const { samples } = parseExposition(histogram.text())
  expect(samples.map(({ name, labels, value }) => [name, labels.le, value])).toEqual([
    ['h_seconds_bucket', '0.1', 2],
    ['h_seconds_bucket', '1', 3],
    ['h_seconds_bucket', '+Inf', 4],
    ['h_seconds_sum', undefined, 7.65],
    ['h_seconds_count', undefined, 4],
  ])
})

test('they follow a service through a failover, a drift and a hold', async () => {
  const world = await everything()
  const { samples } = await scrape(world)
  const web = { service: 'web' }
  expect(one(samples, 'holdfast_service_phase', { ...web, phase: 'held' })).toBe(1)
  expect(one(samples, 'holdfast_service_phase', { ...web, phase: 'settled' })).toBe(0)
  expect(one(samples, 'holdfast_service_epoch', web)).toBe(2)
  expect(one(samples, 'holdfast_service_owner_info', { ...web, node: 'n2', site: 'dc1' })).toBe(1)
  expect(one(samples, 'holdfast_service_owner_info', { ...web, node: 'n1' })).toBeUndefined()
  expect(one(samples, 'holdfast_transitions_total', web)).toBe(2)
  expect(one(samples, 'holdfast_transition_reasons_total', { reason: 'first' })).toBeGreaterThanOrEqual(1)
  expect(one(samples, 'holdfast_transition_reasons_total', { reason: 'owner-not-active' })).toBe(1)
  expect(one(samples, 'holdfast_drifts_total', web)).toBe(1)
  expect(one(samples, 'holdfast_member_state', { ...web, node: 'n2', state: 'active' })).toBe(1)
  expect(one(samples, 'holdfast_member_state', { ...web, node: 'n2', state: 'backup' })).toBeUndefined()
  expect(one(samples, 'holdfast_binding_state', { ...web, binding: 'eip', adapter: 'memory', state: 'settled' })).toBe(
    1,
  )
  expect(one(samples, 'holdfast_moves_total', { kind: 'failover', status: 'done' })).toBe(1)
  expect(one(samples, 'holdfast_move_duration_seconds_count', { kind: 'failover', stage: 'visible' })).toBe(1)
  expect(one(samples, 'holdfast_service_last_move_seconds', { ...web, stage: 'decide' })).toBe(0)
  expect(one(samples, 'holdfast_adapter_calls_total', { adapter: 'memory', verb: 'apply', outcome: 'throttled' })).toBe(
    1,
  )
  expect(one(samples, 'holdfast_adapter_throttles_total', { adapter: 'memory' })).toBe(1)
  expect(one(samples, 'holdfast_adapter_retries_total', { adapter: 'memory' })).toBe(1)
  expect(one(samples, 'holdfast_decide_duration_seconds_count', { event: 'report' })).toBeGreaterThan(1)
  expect(one(samples, 'holdfast_build_info', { version: '1.2.3' })).toBe(1)
})

test('the age of a node’s last word counts its pings, which repeat it', async () => {
  const world = await createWorld()
  world.connect('n1')
  await world.cluster.report(world.said('n1', 'active'), 'link')
  await world.pass(3_000)
  const age = async () => one((await scrape(world)).samples, 'holdfast_node_report_age_seconds', { node: 'n1' })
  expect(await age()).toBe(3)
  world.links.heard('n1')
  await world.pass(1_000)
  expect(await age()).toBe(1)
})

test('they are for viewers', async () => {
  const { call } = await createWorld()
  expect((await call('GET', '/metrics', null)).status).toBe(401)
  expect((await call('GET', '/metrics', 'node-token-1')).status).toBe(403)
  const answer = await call('GET', '/metrics', 'viewer-token')
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
})

test('names follow the conventions: base units, _total for counters, and nothing unbounded in a histogram', async () => {
  const { types, samples } = await scrape(await everything())
  for (const [name, type] of types) {
    if (type === 'counter') expect(name).toMatch(/_total$/)
    else expect(name).not.toMatch(/_total$/)
    expect(name).not.toMatch(/_(ms|milliseconds|minutes)\b/)
    if (type === 'histogram') expect(name).toMatch(/_seconds$/)
  }
  const named = samples.filter(({ name }) => name.endsWith('_bucket')).flatMap(({ labels }) => Object.keys(labels))
  expect(named.filter((label) => ['service', 'node', 'binding'].includes(label))).toEqual([])
})

test('10,000 services are rendered in less than a second, and nothing waits for that', async () => {
  const world = await everything()
  const [view] = world.cluster.services()
  const services = Array.from({ length: 10_000 }, (_, i): ServiceView => ({ ...view!, service: `service-${i}` }))
  const clock = { now: () => performance.now(), wall: () => new Date() }
  const timer = {
    at: (ms: number, work: () => void) => {
      const waiting = setTimeout(work, Math.max(0, ms - performance.now()))
      return () => clearTimeout(waiting)
    },
  }
  const metrics = createMetrics({ ports: { clock, timer, aliveAt: () => null }, version: '1' })
  let turns = 0
  const others = setInterval(() => (turns += 1), 1)
  const rounds: number[] = []
  // The machine may be busy with something else for a while.
  while (rounds.length < 5 && Math.min(...rounds) >= 1_000) {
    const began = performance.now()
    const text = await metrics.render({ services: () => services, nodes: world.cluster.nodes })
    rounds.push(performance.now() - began)
    expect(text.match(/^holdfast_service_epoch\{/gm)).toHaveLength(10_000)
  }
  clearInterval(others)
  expect(Math.min(...rounds)).toBeLessThan(1_000)
  expect(turns).toBeGreaterThan(10)
})
