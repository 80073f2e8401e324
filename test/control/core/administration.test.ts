/** A cluster while it runs: services come, change and go; nodes are emptied; a program that slept is no restart. */
import { expect, test } from 'vitest'
import { bindingDefaults, type ServiceConfig, serviceDefaults } from '../../../control/config/service-config.ts'
import { leaseMs } from '../../../control/contract.ts'
import type { Declared } from '../../../control/core/ports.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { openTestDatabase } from '../runtime.ts'
import { adaptersOf, createResource, createWorld, serviceReport, webService } from '../world.ts'

async function running(options: Parameters<typeof createWorld>[0] = {}) {
  const it = await createWorld(options)
  it.cluster.start()
  const [one, two] = [it.connect('n1'), it.connect('n2')]
  const say = async (node: string, state: Parameters<typeof it.said>[1], more: object = {}): Promise<void> => {
    await it.cluster.report(it.said(node, state, more), 'link')
    await it.idle()
  }
  await say('n1', 'active')
  await say('n2', 'backup')
  return { ...it, one, two, say }
}

const record = (service: string, version = 1) => ({
  service,
  version,
  text: '{}',
  by: 'root',
  at: '2026-11-22T00:00:00.000Z',
})

function declared(
  config: Partial<ServiceConfig>,
  clock: { now(): number },
): Declared & ReturnType<typeof createResource> {
  const made = createResource(clock)
  const whole = { ...serviceDefaults, ...config }
  return { config: whole, adapters: adaptersOf(whole, made.adapter), origin: 'api', ...made }
}

const binding = (name: string, nodes: readonly string[] = ['n1', 'n2']) => ({
  name,
  ...bindingDefaults,
  adapter: 'memory',
  config: {},
  targets: Object.fromEntries(nodes.map((node) => [node, {}])),
})

test('a service that is declared while nodes report it already is owned at once', async () => {
  const it = await running({ services: {} })
  const api = declared({ bindings: [binding('dns')] }, it.clock)
  await it.cluster.declare('web', api, record('web'))
  await it.idle()
  expect(it.cluster.service('web')).toMatchObject({ owner: { node: 'n1', epoch: 1 }, phase: 'settled' })
  expect(api.resource.node).toBe('n1')
  expect(it.store.load().declarations).toEqual([record('web')])
})

test('a binding that is added begins at the owner; one that is the same goes on without a call', async () => {
  const it = await running()
  await it.pass(20_000)
  await it.say('n1', 'active')
  await it.say('n2', 'backup')
  it.resource.calls.length = 0
  const more = declared({ ...webService, bindings: [...webService.bindings, binding('dns')] }, it.clock)
  await it.cluster.declare('web', more, record('web'))
  await it.idle()
  expect(it.resource.calls).toEqual([])
  expect(more.resource.calls).toEqual(['observe', 'apply n1 1', 'observe'])
  expect(it.cluster.service('web')).toMatchObject({ phase: 'settled', bindings: [{ name: 'eip' }, { name: 'dns' }] })
})

test('a binding that is removed is let go of, and its later answers are nobody’s', async () => {
  const it = await running()
  await it.cluster.declare('web', declared({ confirmMs: 200 }, it.clock), record('web'))
  it.resource.calls.length = 0
  await it.pass(120_000)
  expect(it.cluster.service('web')?.bindings).toEqual([])
  expect(it.resource.calls).toEqual([])
})

test('a declaration that cannot be stored changes nothing', async () => {
  const inner = createSqlStore(openTestDatabase())
  let full = false
  const store = {
    ...inner,
    write: (change: Parameters<typeof inner.write>[0]) =>
      full ? Promise.reject(new Error('database or disk is full')) : inner.write(change),
  }
  const it = await running({ store })
  full = true
  await expect(it.cluster.declare('web', declared({}, it.clock), record('web'))).rejects.toThrow('disk is full')
  expect(it.cluster.service('web')?.bindings).toHaveLength(1)
  full = false
  it.one.close()
  await it.say('n2', 'active')
  await it.pass(2_000)
  expect(it.resource.node).toBe('n2')
})

test('a service that is forgotten is gone with its bindings; declared again, its epoch goes on', async () => {
  const it = await running()
  expect(await it.cluster.forget({ service: 'web', by: 'root', reason: null })).toBe(true)
  expect(it.cluster.service('web')).toBeUndefined()
  expect(await it.cluster.forget({ service: 'web', by: 'root', reason: null })).toBe(false)
  it.resource.calls.length = 0
  await it.say('n2', 'active')
  await it.pass(120_000)
  expect(it.resource.calls).toEqual([])
  await it.cluster.declare('web', declared({ bindings: [binding('dns')] }, it.clock), record('web'))
  await it.say('n1', 'active')
  expect(it.cluster.service('web')).toMatchObject({ owner: { epoch: 2 } })
})

test('a node that a new configuration does not name is no member any more', async () => {
  const it = await running()
  await it.cluster.declare('web', declared({ nodes: ['n2'] }, it.clock), record('web'))
  expect(it.cluster.service('web')?.members.map(({ node }) => node)).toEqual(['n2'])
  const answer = await it.cluster.report(it.said('n1', 'active'), 'link')
  expect(answer).toMatchObject({
    refused: [{ service: 'web', why: expect.stringContaining('does not name n1 for web') }],
  })
  await it.say('n2', 'active')
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n2' })
})

test('a node that is emptied leaves every service, stays off, and may come back', async () => {
  const services = { web: webService, api: webService }
  const it = await running({ services })
  const both = (node: string, state: 'active' | 'backup', more: object = {}) => {
    const said = { ...serviceReport(node, state), ...more }
    return it.say(node, state, { services: { web: said, api: said } })
  }
  await both('n1', 'active')
  await both('n2', 'backup')
  const answer = await it.cluster.drain({ node: 'n1', by: 'ops', reason: 'new memory' })
  expect(answer?.operations.map(({ kind, service, to, status }) => [kind, service, to, status])).toEqual([
    ['drain', 'web', 'n2', 'running'],
    ['drain', 'api', 'n2', 'running'],
  ])
  await both('n2', 'active', { priority: 201 })
  await both('n1', 'backup')
  await it.pass(500)
  expect(it.cluster.services().map(({ owner, phase }) => [owner?.node, phase])).toEqual([
    ['n2', 'settled'],
    ['n2', 'settled'],
  ])
  expect(it.one.received.filter(({ kind }) => kind === 'yield')).toHaveLength(2)
  expect(it.cluster.nodes().find(({ node }) => node === 'n1')?.drain).toMatchObject({ by: 'ops', reason: 'new memory' })
  expect(await it.cluster.undrain({ node: 'n1', by: 'ops', reason: null })).toBe(true)
  expect(await it.cluster.undrain({ node: 'n1', by: 'ops', reason: null })).toBe(false)
  expect(await it.cluster.drain({ node: 'nobody', by: 'ops', reason: null })).toBeUndefined()
})

test('a drain survives a restart of control', async () => {
  const store = createSqlStore(openTestDatabase())
  const before = await running({ store })
  await before.cluster.drain({ node: 'n1', by: 'ops', reason: null })
  await before.say('n2', 'active')
  await before.cluster.stop()
  const after = await running({
    store,
    time: before.time,
    resource: { resource: before.resource, adapter: createResource(before.clock).adapter },
  })
  await after.say('n1', 'active')
  await after.pass(leaseMs)
  await after.say('n1', 'active')
  expect(after.cluster.service('web')?.owner?.node).toBe('n2')
  expect(after.cluster.service('web')?.members).toMatchObject([
    { node: 'n1', drained: true },
    { node: 'n2', drained: false },
  ])
})

test('pings alone keep a lease', async () => {
  const it = await running()
  for (let second = 0; second < 20; second++) {
    it.links.heard('n1')
    it.links.heard('n2')
    await it.pass(1_000)
  }
  expect(it.cluster.owns('web', 'n1')).toBe(true)
  expect(it.cluster.nodes().map(({ fresh }) => fresh)).toEqual([true, true])
  await it.pass(leaseMs + 1)
  expect(it.cluster.owns('web', 'n1')).toBe(false)
  await it.say('n2', 'active')
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n2' })
})

test('events that are old enough, and too many, are removed; what is kept has no gap', async () => {
  const store = createSqlStore(openTestDatabase())
  const old = (at: string) => ({ at, kind: 'old', service: null, node: null, epoch: null, text: '', detail: {} })
  await store.write({ events: Array.from({ length: 5_000 }, () => old('2020-01-01T00:00:00.000Z')) })
  await store.write({ events: Array.from({ length: 1_000 }, () => old('2026-11-21T00:00:00.000Z')) })
  const it = await running({ store })
  await it.pass(10_000)
  expect(store.firstEventId()).toBe(5_001)
  await store.write({ events: Array.from({ length: 100_500 }, () => old('2026-11-21T00:00:00.000Z')) })
  await it.pass(3_700_000)
  const ids = store.events({ since: 0, limit: 1_000_000 }).map(({ id }) => id)
  expect(ids).toEqual(Array.from({ length: 100_000 }, (_, i) => ids[0]! + i))
  expect(ids.at(-1)).toBe(store.lastEventId())
})
