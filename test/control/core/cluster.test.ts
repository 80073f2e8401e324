/** The shell: what is durable before what, what survives a restart, and what a broken store or a hanging provider does. */
import { expect, test } from 'vitest'
import { leaseMs } from '../../../control/contract.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import type { Change, Store } from '../../../control/store/store.ts'
import { openTestDatabase } from '../runtime.ts'
import { createClock, createResource, createWorld, serviceReport } from '../world.ts'

/** n1 owns, and the outside points at it. */
async function settledWorld(options = {}) {
  const it = await createWorld(options)
  it.cluster.start()
  const [one, two] = [it.connect('n1'), it.connect('n2')]
  await it.cluster.report(it.said('n1', 'active'), 'link')
  await it.cluster.report(it.said('n2', 'backup'), 'link')
  await it.pass(leaseMs)
  await it.cluster.report(it.said('n1', 'active'), 'link')
  await it.cluster.report(it.said('n2', 'backup'), 'link')
  await it.idle()
  expect(it.cluster.service('web')?.phase).toBe('settled')
  it.resource.calls.length = 0
  return { ...it, one, two }
}

test('each binding is looked at once at the start, before anybody owns', async () => {
  const it = await createWorld()
  it.cluster.start()
  await it.idle()
  expect(it.resource.calls).toEqual(['observe'])
  expect(it.cluster.service('web')).toMatchObject({ phase: 'unowned', owner: null })
})

test('a report that moves the owner moves the outside, and both are read back', async () => {
  const it = await settledWorld()
  it.one.close()
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.idle()
  expect(it.resource.calls).toEqual(['apply n2 2', 'observe'])
  expect(it.cluster.service('web')).toMatchObject({
    phase: 'settled',
    owner: { node: 'n2', epoch: 2 },
    bindings: [{ name: 'eip', state: 'settled', node: 'n2', epoch: 2, observed: 'n2', attempts: 1, lastError: null }],
  })
  expect(it.store.load().owners.web).toMatchObject({ node: 'n2', epoch: 2 })
  expect(it.store.bindings('web')).toMatchObject([{ state: 'settled', node: 'n2', epoch: 2 }])
})

test('nothing leaves before it is durable: neither a question, nor a command, nor an adapter call', async () => {
  const database = openTestDatabase()
  const inner = createSqlStore(database)
  let release: (() => void) | undefined
  let held: Change | undefined
  const store: Store = {
    ...inner,
    write: async (change) => {
      if (change.owner !== undefined && change.owner.owner.epoch > 1) {
        held = change
        await new Promise<void>((resolve) => {
          release = resolve
        })
      }
      return inner.write(change)
    },
  }
  const it = await settledWorld({ store })
  it.one.close()
  const reported = it.cluster.report(it.said('n2', 'active'), 'link')
  await it.idle()
  expect(held).toMatchObject({ bindings: [{ binding: 'eip', node: 'n2', epoch: 2, state: 'pending' }] })
  expect(it.resource.calls).toEqual([])
  expect(it.cluster.service('web')?.owner?.node).toBe('n1')
  release?.()
  await reported
  await it.idle()
  expect(it.resource.calls).toContain('apply n2 2')
})

test('a store that cannot write changes nothing, and the next report tries again', async () => {
  const inner = createSqlStore(openTestDatabase())
  const disk = { full: false }
  const store: Store = {
    ...inner,
    write: (change) => (disk.full ? Promise.reject(new Error('database or disk is full')) : inner.write(change)),
  }
  const it = await settledWorld({ store })
  it.one.close()
  await it.idle()
  disk.full = true
  const same = it.said('n2', 'active')
  await expect(it.cluster.report(same, 'post')).rejects.toThrow('disk is full')
  expect(it.cluster.service('web')?.owner?.node).toBe('n1')
  expect(it.resource.calls).toEqual([])
  expect(it.logged).toContainEqual(expect.objectContaining({ event: 'store-failed', service: 'web' }))
  disk.full = false
  await it.cluster.report(same, 'post')
  await it.idle()
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n2', epoch: 2 })
  expect(it.resource.node).toBe('n2')
})

test('a deadline whose write fails is tried again later, not in a busy loop', async () => {
  const inner = createSqlStore(openTestDatabase())
  let tries = 0
  const store: Store = {
    ...inner,
    write: (change) => {
      if (change.owner?.owner.node !== 'n2') return inner.write(change)
      tries += 1
      return Promise.reject(new Error('no'))
    },
  }
  const it = await settledWorld({ store })
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.pass(2_500)
  expect(tries).toBeGreaterThanOrEqual(2)
  expect(tries).toBeLessThanOrEqual(4)
})

test('a second control on the same store is noticed by its epoch, and obeyed', async () => {
  const store = createSqlStore(openTestDatabase())
  const it = await settledWorld({ store })
  await store.write({ owner: { service: 'web', owner: { node: 'n1', site: 'dc1', epoch: 7, since: 'x' } } })
  it.one.close()
  await expect(it.cluster.report(it.said('n2', 'active'), 'link')).rejects.toThrow(/epoch 2 of web is not newer/)
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n1', epoch: 7 })
  await it.cluster.report(it.said('n2', 'active'), 'link')
  expect(it.cluster.service('web')?.owner).toMatchObject({ node: 'n2', epoch: 8 })
})

test('a crash between the decision and the cloud: the next control resumes it', async () => {
  const store = createSqlStore(openTestDatabase())
  const time = createClock()
  const resource = createResource(time.clock)
  const before = await settledWorld({ store, time, resource })
  resource.resource.hang = true
  before.one.close()
  await before.cluster.report(before.said('n2', 'active'), 'link')
  await before.idle()
  expect(resource.resource.node).toBe('n1')

  resource.resource.hang = false
  const after = await createWorld({ store, time, resource })
  after.cluster.start()
  after.connect('n2')
  await after.cluster.report(after.said('n2', 'active', { sequence: 1_000_000 }), 'link')
  await after.idle()
  expect(resource.resource.node).toBe('n2')
  expect(after.cluster.service('web')).toMatchObject({ phase: 'settled', owner: { node: 'n2', epoch: 2 } })
})

test('after a restart silence proves nothing for a lease, and the outside stays', async () => {
  const store = createSqlStore(openTestDatabase())
  const time = createClock()
  const resource = createResource(time.clock)
  await settledWorld({ store, time, resource })
  const after = await createWorld({ store, time, resource })
  after.cluster.start()
  after.connect('n2')
  for (let second = 0; second < 4; second++) {
    await after.cluster.report(after.said('n2', 'active', { sequence: 100 + second }), 'link')
    await after.pass(1_000)
    expect(after.cluster.service('web')?.owner?.node).toBe('n1')
  }
  await after.cluster.report(after.said('n2', 'active', { sequence: 200 }), 'link')
  await after.pass(1_100)
  expect(after.cluster.service('web')?.owner).toMatchObject({ node: 'n2', epoch: 2 })
})

test('a control that was frozen takes nobody’s silence for an absence', async () => {
  const it = await settledWorld()
  it.freeze(20_000)
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.pass(150)
  expect(it.cluster.service('web')?.owner?.node).toBe('n1')
  expect(it.logged).toContainEqual(expect.objectContaining({ event: 'stalled' }))
})

test('a provider that never answers is given up after 8 s and a second, looked at, and asked again', async () => {
  const it = await settledWorld()
  it.resource.hang = true
  it.one.close()
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.pass(8_900)
  it.resource.hang = false
  expect(it.cluster.service('web')).toMatchObject({ phase: 'moving', bindings: [{ lastError: null }] })
  await it.pass(200)
  expect(it.resource.calls).toEqual(['apply n2 2', 'observe'])
  const lastError = expect.stringMatching(/^timeout: /)
  expect(it.cluster.service('web')).toMatchObject({ phase: 'moving', bindings: [{ state: 'verifying', lastError }] })
  await it.pass(8_000)
  expect(it.cluster.service('web')?.phase).toBe('settled')
  expect(it.resource.calls.filter((call) => call.startsWith('apply'))).toHaveLength(2)
})

test('a question goes to the link, and its answer keeps the owner', async () => {
  const it = await settledWorld()
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.idle()
  const [ask] = it.one.received
  expect(ask).toMatchObject({ kind: 'ask', service: 'web' })
  await it.cluster.report(it.said('n1', 'active', { answers: [ask!.id] }), 'link')
  await it.pass(900)
  expect(it.cluster.service('web')?.owner?.node).toBe('n1')
  expect(it.store.events({ since: 0, limit: 100 }).map(({ kind }) => kind)).toContain('dual-active')
  expect(it.resource.calls).toEqual([])
})

test('a node that only posts gets its commands with the answer, and a lower takes the take-over’s place', async () => {
  const it = await createWorld()
  it.cluster.start()
  await it.cluster.report(it.said('n1', 'active'), 'post')
  await it.cluster.report(it.said('n2', 'backup'), 'post')
  await it.cluster.switchover({ service: 'web', to: 'n2', reason: null, by: 'ops' })
  const answer = await it.cluster.report(it.said('n2', 'backup'), 'post')
  expect(answer).toMatchObject({ commands: [{ kind: 'take-over', service: 'web', priority: 201 }] })
  for (let second = 0; second < 11; second++) {
    await it.pass(1_000)
    await it.cluster.report(it.said('n1', 'active'), 'post')
  }
  const late = await it.cluster.report(it.said('n2', 'backup'), 'post')
  expect(late).toMatchObject({ commands: [{ kind: 'lower', service: 'web' }] })
})

test('a switchover is done when the bindings were read back, and the operation is told of', async () => {
  const it = await settledWorld()
  const ended: string[] = []
  it.cluster.subscribe(({ operations }) => void ended.push(...operations.map(({ status }) => status)))
  const answer = await it.cluster.switchover({ service: 'web', to: null, reason: 'patch', by: 'ops' })
  if (answer === undefined || 'refusal' in answer) throw new Error('refused')
  expect(it.two.received).toMatchObject([{ kind: 'take-over', priority: 201 }])
  await it.cluster.report(it.said('n2', 'active', { services: { web: serviceReport('n2', 'active', 201) } }), 'link')
  await it.cluster.report(it.said('n1', 'backup'), 'link')
  await it.idle()
  const operation = it.cluster.operation(answer.operation.id)!
  expect(operation).toMatchObject({ status: 'done', from: 'n1', to: 'n2' })
  expect(operation.steps.at(-1)?.name).toBe('settled')
  expect(ended.at(-1)).toBe('done')
})

test('a former incarnation is refused even after control has restarted', async () => {
  const store = createSqlStore(openTestDatabase())
  const time = createClock()
  const first = await settledWorld({ store, time })
  await first.cluster.report(first.said('n1', 'active', { incarnation: 'n1-restarted' }), 'link')
  await first.idle()
  const second = await createWorld({ store, time })
  second.cluster.start()
  const answer = await second.cluster.report(second.said('n1', 'backup', { sequence: 999 }), 'post')
  expect(answer).toMatchObject({ refusal: { code: 'former-incarnation' } })
})

test('a heartbeat that says nothing new costs no write', async () => {
  const inner = createSqlStore(openTestDatabase())
  let writes = 0
  const store: Store = {
    ...inner,
    write: (change) => {
      writes += 1
      return inner.write(change)
    },
  }
  const it = await settledWorld({ store })
  writes = 0
  for (let i = 0; i < 5; i++) {
    await it.cluster.report(it.said('n1', 'active'), 'link')
    await it.cluster.report(it.said('n2', 'backup'), 'link')
    await it.pass(1_000)
  }
  expect(writes).toBe(0)
})

test('a cluster that was stopped does nothing any more', async () => {
  const it = await settledWorld()
  await it.cluster.stop()
  it.one.close()
  await it.cluster.report(it.said('n2', 'active'), 'link')
  await it.pass(60_000)
  expect(it.resource.calls).toEqual([])
})
