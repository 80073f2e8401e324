/** What an object tells of itself: counters of what it does, and a trace of each move; and what it does not cost. */
import { evictDurableObject, reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, inject, onTestFinished, test, vi } from 'vitest'
import type { ClusterConfig } from '../../../control/config/config.ts'
import type { LogEntry } from '../../../control/core/ports.ts'
import type { ServiceView } from '../../../control/core/view.ts'
import type { ClusterObject } from '../../../control/worker/cluster-object.ts'
import { startControl } from '../../../control/worker/control.ts'
import { briefTimer } from '../../../control/worker/seeing.ts'
import { readClusterConfig } from '../../../control/worker/settings.ts'
import { eventually } from '../../support/eventually.ts'
import { call, connect } from './agents.ts'
import type { Collected } from './outside.ts'

const { CLUSTERS, BLANK } = env as unknown as {
  CLUSTERS: DurableObjectNamespace<ClusterObject>
  BLANK: DurableObjectNamespace
}

afterEach(() => reset())

const metric = async (line: string): Promise<number | undefined> => {
  const text = await (await call('/metrics')).text()
  const found = text.split('\n').find((each) => each.startsWith(`${line} `))
  return found === undefined ? undefined : Number(found.split(' ').at(-1))
}

test('metrics count what the object does, from when it last woke', async () => {
  const link = await connect('n1')
  link.report('active')
  await eventually(
    () => metric('holdfast_transition_reasons_total{reason="first"}'),
    (count) => expect(count).toBe(1),
  )
  expect(await metric('holdfast_decide_duration_seconds_count{event="report"}')).toBeGreaterThan(0)
  expect(await metric('holdfast_adapter_calls_total{adapter="memory",verb="apply",outcome="ok"}')).toBe(1)
  expect(
    await metric('holdfast_http_requests_total{method="GET",route="/metrics",status="200"}'),
  ).toBeGreaterThanOrEqual(2)
  expect(await metric('holdfast_build_info{version="0.1.0"}')).toBe(1)
  expect(await metric('holdfast_links_open')).toBe(1)

  await evictDurableObject(CLUSTERS.getByName('default'))
  expect(await metric('holdfast_transition_reasons_total{reason="first"}')).toBeUndefined()
  expect(await metric('holdfast_links_open')).toBe(1)
})

/** A control of the test's own in an object, with a collector of traces. */
async function withTraces(url: string, work: (it: Awaited<ReturnType<typeof startTraced>>) => Promise<void>) {
  await runInDurableObject(BLANK.get(BLANK.newUniqueId()), async (_, context) => work(await startTraced(context, url)))
}

async function startTraced(context: DurableObjectState, url: string) {
  const logged: LogEntry[] = []
  const waited: Promise<unknown>[] = []
  const trace = { url, headers: { authorization: 'Bearer of-the-collector' } }
  const config: ClusterConfig = { ...readClusterConfig(env as unknown as Record<string, unknown>, 'default'), trace }
  const waitUntil = (promise: Promise<unknown>): void => {
    waited.push(promise)
    context.waitUntil(promise)
  }
  const watched = new Proxy(context, {
    get: (target, name) => {
      if (name === 'waitUntil') return waitUntil
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const log = (_: string, entry: LogEntry) => void logged.push(entry)
  const control = await startControl({ context: watched, config, text: '{}', log })
  const ask = async (path: string, token: string, body?: unknown): Promise<Response> =>
    control.fetch(
      new Request(`https://control.example.com${path}`, {
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      }),
    )
  let sequence = 0
  const report = async (node: string, state: string): Promise<void> => {
    sequence += 1
    const since = '2026-11-22T08:00:00.000Z'
    const web = { state, priority: 100, basePriority: 100, healthy: true, since }
    const said = { node, site: 'dc1', incarnation: `${node}-run`, sequence, services: { web } }
    const answer = await ask(`/v1/nodes/${node}/report`, `node-token-${node.slice(1)}`, said)
    if (answer.status !== 200) throw new Error(await answer.text())
    await answer.text()
  }
  const phase = async (): Promise<string> =>
    ((await (await ask('/v1/services/web', 'admin-token')).json()) as ServiceView).phase
  /** The LAN moves the service from n1 to n2, and what is outside follows. */
  const failOver = async (): Promise<void> => {
    await report('n1', 'active')
    await eventually(phase, (word) => expect(word).toBe('settled'))
    await report('n1', 'backup')
    await report('n2', 'active')
    await eventually(phase, (word) => expect(word).toBe('settled'))
  }
  return { context, logged, waited, failOver }
}

test('a move that has ended leaves as a trace, with the object waiting for it', async () => {
  const { url, collected } = inject('collector')
  await withTraces(url, async ({ failOver, waited, logged }) => {
    await failOver()
    const { spans, headers } = await eventually(
      async () => (await (await fetch(collected)).json()) as Collected,
      (seen) => expect(seen.spans.map(({ name }) => name)).toContain('failover web'),
    )
    expect(spans.map(({ name }) => name)).toEqual(expect.arrayContaining(['decided', 'applied eip', 'verified eip']))
    expect(headers.at(-1)).toMatchObject({ authorization: 'Bearer of-the-collector' })
    expect(waited.length).toBeGreaterThan(0)
    expect(logged.map(({ event }) => event)).not.toContain('traces-not-taken')
  })
})

test('a collector that is not there is told of, and holds up nothing', async () => {
  await withTraces(`http://127.0.0.1:${inject('outside').closed}/v1/traces`, async ({ failOver, logged }) => {
    await failOver()
    await eventually(
      async () => logged.map(({ event }) => event),
      (events) => expect(events).toContain('traces-not-taken'),
    )
    expect(JSON.stringify(logged)).not.toContain('of-the-collector')
  })
})

test('its timers wait for seconds, and keep nobody awake for longer', () => {
  const timeouts = vi.spyOn(globalThis, 'setTimeout')
  onTestFinished(() => timeouts.mockRestore())
  const timer = briefTimer({ now: () => 1_000 })
  const cancels = [900, 1_000.2, 11_000, 11_001, 60_000].map((at) => timer.at(at, () => undefined))
  expect(timeouts.mock.calls.map(([, ms]) => ms)).toEqual([0, 1, 10_000])
  for (const cancel of cancels) cancel()
})
