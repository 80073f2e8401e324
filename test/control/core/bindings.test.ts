/** Several bindings of one service: independent of each other, in an order when one is configured, changed by others. */
import { expect, test } from 'vitest'
import { bindingDefaults, serviceDefaults } from '../../../control/config/service-config.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { openTestDatabase } from '../runtime.ts'
import { createClock, createResource, createWorld, type WorldOptions } from '../world.ts'

const binding = (name: string, more: { after?: readonly string[]; drift?: 'reassert' | 'alert' | 'freeze' } = {}) => ({
  ...{ ...bindingDefaults, name, adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } },
  ...more,
})

async function running(bindings: readonly ReturnType<typeof binding>[], options: WorldOptions = {}) {
  const time = options.time ?? createClock()
  const resources = new Map(bindings.map(({ name }) => [name, createResource(time.clock)]))
  const it = await createWorld({
    services: { web: { ...serviceDefaults, bindings } },
    adapters: new Map([...resources].map(([name, { adapter }]) => [name, adapter])),
    ...options,
    time,
  })
  it.cluster.start()
  for (const node of ['n1', 'n2']) it.connect(node)
  const say = async (node: string, state: 'active' | 'backup' | 'initialize') => {
    await it.cluster.report(it.said(node, state), 'link')
    await it.idle()
  }
  const stateOf = (name: string) => it.cluster.service('web')?.bindings.find((one) => one.name === name)?.state
  const resource = (name: string) => resources.get(name)!.resource
  await say('n1', 'active')
  await say('n2', 'backup')
  await it.pass(1_000)
  return {
    ...it,
    say,
    stateOf,
    resource,
    /** n1 has gone, and n2 has taken over. */
    failOver: async () => {
      await say('n1', 'initialize')
      await say('n2', 'active')
      await it.pass(1_000)
    },
  }
}

test('one that fails delays no other, and both are shown', async () => {
  const it = await running([binding('eip'), binding('dns')])
  it.resource('eip').outcome = { kind: 'permanent', code: 'NoPermission', message: 'no' }
  await it.failOver()
  expect([it.stateOf('eip'), it.stateOf('dns')]).toEqual(['failed', 'settled'])
  expect(it.resource('dns').node).toBe('n2')
})

test('one that comes after another is written when that one has settled', async () => {
  const it = await running([binding('dns', { after: ['eip'] }), binding('eip')])
  expect(it.resource('dns').node).toBe('n1')
  await it.failOver()
  const moved = (name: string) => it.resource(name).callAt[it.resource(name).calls.indexOf('apply n2 2')]!
  expect(it.stateOf('dns')).toBe('settled')
  expect(moved('dns')).toBeGreaterThanOrEqual(moved('eip'))
})

test('it waits as long as that one is being retried, but not for ever', async () => {
  const it = await running([binding('eip'), binding('dns', { after: ['eip'] })])
  it.resource('eip').outcome = { kind: 'retry', code: 'Trouble', message: 'no' }
  await it.failOver()
  await it.pass(20_000)
  await it.say('n2', 'active')
  expect([it.stateOf('dns'), it.resource('dns').node]).toEqual(['pending', 'n1'])
  await it.pass(10_000)
  expect([it.stateOf('dns'), it.resource('dns').node]).toEqual(['settled', 'n2'])
  expect(it.logged).toContainEqual(expect.objectContaining({ event: 'order-given-up', binding: 'dns' }))
})

test('it does not wait for one that has failed for good', async () => {
  const it = await running([binding('eip'), binding('dns', { after: ['eip'] })])
  it.resource('eip').outcome = { kind: 'permanent', code: 'NoPermission', message: 'no' }
  await it.failOver()
  expect(it.resource('dns').node).toBe('n2')
})

test('freeze holds through a move and a restart, and ends by an acknowledgement', async () => {
  const time = createClock()
  const store = createSqlStore(openTestDatabase())
  const bindings = [binding('eip', { drift: 'freeze' })]
  const it = await running(bindings, { time, store })
  await it.pass(40_000)
  it.resource('eip').node = 'n2'
  it.resource('eip').version += 1
  await it.pass(31_000)
  expect(it.stateOf('eip')).toBe('drifted')
  expect(it.cluster.service('web')?.phase).toBe('degraded')
  const drift = store.events({ since: 0, limit: 1_000 }).find(({ kind }) => kind === 'drift')
  expect(drift).toMatchObject({ detail: { binding: 'eip', observed: 'n2', policy: 'freeze' } })
  await it.cluster.stop()

  const again = await running(bindings, { time, store })
  again.resource('eip').node = 'n9'
  await again.pass(35_000)
  expect(again.stateOf('eip')).toBe('drifted')
  expect(again.resource('eip').calls.filter((call) => call.startsWith('apply'))).toEqual([])
  expect(await again.cluster.acknowledge({ service: 'web', by: 'ops', reason: 'done by hand' })).toBeNull()
  await again.pass(2_000)
  expect([again.stateOf('eip'), again.resource('eip').node]).toEqual(['settled', 'n1'])
  expect(store.events({ since: 0, limit: 1_000 }).map(({ kind }) => kind)).toContain('acknowledged')
})

test('without anything to acknowledge it says so', async () => {
  const it = await running([binding('eip')])
  const answer = await it.cluster.acknowledge({ service: 'web', by: 'ops', reason: null })
  expect(answer).toMatchObject({ refusal: { code: 'nothing-to-acknowledge' } })
})

test('looks at rest share the provider’s budget; a move does not wait for it', async () => {
  const time = createClock()
  const bindings = Array.from({ length: 20 }, (_, i) => binding(`b${i}`))
  const resources = bindings.map(({ name }) => [name, createResource(time.clock)] as const)
  // Twelve looks a minute for twenty bindings.
  const budget = { account: 'zone', calls: 24, perMs: 60_000 }
  const adapters = new Map(resources.map(([name, { adapter }]) => [name, { ...adapter, budget }]))
  const it = await running(bindings, { time, adapters })
  await it.pass(60_000)
  const looks = () => resources.reduce((sum, [, { resource }]) => sum + resource.calls.length, 0)
  const before = looks()
  for (let minute = 0; minute < 20; minute++) {
    await it.say('n1', 'active')
    await it.pass(60_000)
  }
  expect(looks() - before).toBeLessThanOrEqual(20 * 12 + 12)
  const at = time.clock.now()
  await it.say('n1', 'initialize')
  await it.say('n2', 'active')
  await it.pass(1_000)
  for (const [, { resource }] of resources) expect(resource.node).toBe('n2')
  expect(time.clock.now() - at).toBeLessThanOrEqual(1_000)
})

test('after a restart nothing is written for an owner that nobody has vouched for: the database may be an old copy', async () => {
  const time = createClock()
  const store = createSqlStore(openTestDatabase())
  const first = await running([binding('eip')], { time, store })
  await first.cluster.stop()

  // What is outside has moved on since: to n2, for an epoch that this database knows nothing of.
  const resource = createResource(time.clock)
  resource.resource.node = 'n2'
  const options = { time, store, adapters: new Map([['eip', resource.adapter]]) }
  const again = await createWorld({ services: { web: { ...serviceDefaults, bindings: [binding('eip')] } }, ...options })
  again.cluster.start()
  for (const node of ['n1', 'n2']) again.connect(node)
  await again.pass(1_000)
  await again.cluster.report(again.said('n1', 'backup'), 'link')
  await again.pass(1_000)
  expect(resource.resource.calls).toEqual(['observe'])
  await again.cluster.report(again.said('n2', 'active'), 'link')
  await again.pass(1_000)
  expect(again.cluster.service('web')?.owner?.node).toBe('n2')
  expect(resource.resource.calls.filter((call) => call.startsWith('apply n1'))).toEqual([])
})

test('an owner that says so is vouched for at once, and one about which all are silent after a lease', async () => {
  for (const says of [true, false]) {
    const time = createClock()
    const store = createSqlStore(openTestDatabase())
    const first = await running([binding('eip')], { time, store })
    await first.cluster.stop()
    const resource = createResource(time.clock)
    resource.resource.node = 'n9'
    const options = { time, store, adapters: new Map([['eip', resource.adapter]]) }
    const again = await createWorld({
      services: { web: { ...serviceDefaults, bindings: [binding('eip')] } },
      ...options,
    })
    again.cluster.start()
    again.connect('n1')
    await again.pass(1_000)
    expect(resource.resource.node).toBe('n9')
    if (says) await again.cluster.report(again.said('n1', 'active'), 'link')
    await again.pass(says ? 500 : 5_000)
    expect(resource.resource.node).toBe('n1')
    expect(store.events({ since: 0, limit: 1_000 }).map(({ kind }) => kind)).toContain('drift')
  }
})
