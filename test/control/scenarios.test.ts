/**
 * The 23 scenarios of the requirements (cloud targets, section 3), each by its number: what must come to pass outside
 * when this goes wrong. Production core, store and app under a turned clock; nodes say what real ones would say. What
 * only real agents can show (5, 6, 7 and 16, the node's own side) is in the lab's tests under the same numbers.
 */
import { expect, test } from 'vitest'
import { holderLeaseMs, leaseMs } from '../../control/contract.ts'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import { begin, failover, settled, talk } from './scenario-world.ts'
import { createClock, serviceReport } from './world.ts'

test('1: both are active; the cloud does not alternate, an event says so, the loser is told', async () => {
  const it = await settled()
  for (let second = 0; second < 10; second++) {
    await it.say('n2', 'active', { services: { web: { ...serviceReport('n2', 'active'), epochSeen: 1 } } })
    const asks = it.one.received.filter(({ kind }) => kind === 'ask').map(({ id }) => id)
    await it.say('n1', 'active', { answers: asks.slice(-3) })
    await it.pass(1_000)
  }
  expect(it.writes).toEqual([])
  expect(it.events().filter((kind) => kind === 'dual-active')).toHaveLength(1)
  expect(it.two.received).toContainEqual(expect.objectContaining({ kind: 'owner', node: 'n1', contested: true }))
})

test('2: a backup that promotes itself for a moment moves nothing; one that did move something does not keep it', async () => {
  const it = await settled()
  await it.say('n2', 'active')
  await it.pass(100)
  await it.say('n2', 'backup')
  await it.pass(10_000)
  expect(it.writes).toEqual([])
  // n1 does not answer in time, so that n2 is believed; then the LAN turns out to be n1's all the same.
  await it.say('n1', 'active')
  await it.say('n2', 'active')
  await it.pass(200)
  expect(it.eip.state().node).toBe('n2')
  await it.say('n2', 'backup')
  await it.say('n1', 'active')
  await it.pass(1_000)
  expect(it.eip.state().node).toBe('n1')
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n1', epoch: 3 } })
})

test('3: a service that flaps is moved as often as allowed, then suppressed, and follows again later', async () => {
  const it = await settled({ service: { flap: { moves: 3, perMs: 300_000, holdDownMs: 60_000 } } })
  for (let i = 0; i < 12; i++) {
    const [up, down] = i % 2 === 0 ? ['n2', 'n1'] : ['n1', 'n2']
    await it.say(down, 'backup')
    await it.say(up, 'active')
    await it.pass(1_000)
  }
  expect(it.writes).toHaveLength(3)
  expect(it.view().phase).toBe('suppressed')
  expect(it.events()).toContain('suppressed')
  await talk(it, 62_000, { n1: 'active', n2: 'backup' })
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n1' } })
  expect(it.eip.state().node).toBe('n1')
})

test('4: a write that lands late, for an older epoch, is refused by a fenced target', async () => {
  const it = await settled({ cas: 'atomic' })
  it.eip.inject('apply', { kind: 'late-write', ms: 4_000 }, 1)
  await failover(it)
  it.two.close()
  it.connect('n1')
  await it.say('n1', 'active')
  await talk(it, 10_000, { n1: 'active' })
  expect(it.eip.state()).toMatchObject({ node: 'n1', epoch: 3 })
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n1', epoch: 3 } })
})

test('4: and is found and repaired on a target that cannot refuse it', async () => {
  const it = await settled()
  it.eip.inject('apply', { kind: 'late-write', ms: 9_000 }, 1)
  await failover(it)
  it.two.close()
  it.connect('n1')
  await it.say('n1', 'active')
  await talk(it, 30_000, { n1: 'active' })
  expect(it.eip.state()).toMatchObject({ node: 'n1', epoch: 3 })
  expect(it.view().phase).toBe('settled')
})

test('5: control hears nobody any more: without evidence nothing moves, and it is shown', async () => {
  const it = await settled()
  it.one.close()
  it.two.close()
  await it.pass(120_000)
  expect(it.writes).toEqual([])
  expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  expect(it.view().members.map(({ connected }) => connected)).toEqual([false, false])
  expect(it.cluster.owns('web', 'n1')).toBe(false)
})

test('6: the nodes cannot hear each other, control hears both: it decides, and goes on deciding the same', async () => {
  const it = await settled()
  await it.say('n2', 'active')
  for (let second = 0; second < 30; second++) {
    const asks = it.one.received.filter(({ kind }) => kind === 'ask').map(({ id }) => id)
    await it.say('n1', 'active', { answers: asks.slice(-3) })
    await it.say('n2', 'active')
    await it.pass(1_000)
  }
  expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  expect(it.writes).toEqual([])
})

test('7: the owner has lost control and its peers: it has given up before control gives the service to another', async () => {
  expect(holderLeaseMs).toBeLessThan(leaseMs)
  const it = await settled()
  // Its link stays open and silent, as when a cable is cut; it answers no question.
  await it.pass(holderLeaseMs)
  await it.say('n2', 'active')
  await it.pass(200)
  expect(it.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
})

test('8: control ends in the middle of a move: the next one looks first, and finishes it', async () => {
  const store = createSqlStore(openDatabase(':memory:'))
  const before = await settled({ store })
  before.eip.inject('apply', { kind: 'late-write', ms: 300 }, 1)
  await failover(before)
  expect(before.writes).toEqual(['eip n2 2'])
  await before.cluster.stop()
  await before.pass(1_000)
  const after = await begin({ store, resources: before.resources, time: before.time })
  after.connect('n2')
  await after.say('n2', 'active')
  await talk(after, 3_000, { n2: 'active' })
  expect(after.view()).toMatchObject({ phase: 'settled', owner: { node: 'n2', epoch: 2 } })
  // Whatever was under way had taken effect, so that nothing had to be written again.
  expect(after.writes).toEqual([])
  expect(after.eip.state().node).toBe('n2')
})

test('9: two controls on one store: the second finds out by its first write, and does as the first decided', async () => {
  const store = createSqlStore(openDatabase(':memory:'))
  const first = await settled({ store })
  const second = await begin({ store, resources: first.resources, time: first.time })
  second.connect('n1')
  second.connect('n2')
  await second.say('n1', 'active')
  await failover(first)
  expect(first.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
  await second.say('n1', 'backup')
  await second.cluster.report(second.said('n2', 'active'), 'link').catch(() => undefined)
  await second.pass(2_000)
  expect(second.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
  expect(second.writes).toEqual([])
})

test('10: a throttled provider gets its pause, and the other bindings go on', async () => {
  const it = await settled({ bindings: ['eip', 'dns'] })
  const failure = { kind: 'throttled', code: 'Throttling', message: 'Rate exceeded', afterMs: 20_000 } as const
  it.eip.inject('apply', { kind: 'refused', failure }, 1)
  await failover(it)
  await talk(it, 5_000, { n2: 'active' })
  expect(it.view()).toMatchObject({
    phase: 'degraded',
    bindings: [
      { name: 'eip', state: 'retrying', lastError: 'Throttling: Rate exceeded' },
      { name: 'dns', state: 'settled' },
    ],
  })
  expect(it.writes.filter((write) => write.startsWith('eip'))).toHaveLength(1)
  await talk(it, 40_000, { n2: 'active' })
  expect(it.view().phase).toBe('settled')
})

test('11: one of several bindings fails: the others are done, it is tried again, nothing is rolled back', async () => {
  const it = await settled({ bindings: ['eip', 'route', 'dns'] })
  const failure = { kind: 'retry', code: 'ServiceUnavailable', message: 'try again' } as const
  it.resources.route!.inject('apply', { kind: 'refused', failure }, 3)
  await failover(it)
  expect(it.view()).toMatchObject({
    phase: 'degraded',
    bindings: [{ state: 'settled' }, { state: 'retrying' }, { state: 'settled' }],
  })
  await talk(it, 60_000, { n2: 'active' })
  expect(it.view().phase).toBe('settled')
  expect(it.writes.filter((write) => !write.startsWith('route'))).toEqual(['eip n2 2', 'dns n2 2'])
  expect(Object.values(it.resources).map((resource) => resource.state().node)).toEqual(['n2', 'n2', 'n2'])
})

test('12: the answer of a successful write is lost: it is looked up, not repeated', async () => {
  const it = await settled()
  it.eip.inject('apply', { kind: 'lost-response' }, 1)
  await failover(it)
  await it.pass(1_000)
  expect(it.view().phase).toBe('settled')
  expect(it.writes).toEqual(['eip n2 2'])
})

test('13: reads show the old owner for a while after a successful write: no second write in that time', async () => {
  const it = await settled()
  it.eip.inject('observe', { kind: 'stale-reads', ms: 4_000 })
  await failover(it)
  expect(it.view()).toMatchObject({ phase: 'moving', bindings: [{ state: 'verifying' }] })
  await talk(it, 6_000, { n2: 'active' })
  expect(it.view().phase).toBe('settled')
  expect(it.writes).toEqual(['eip n2 2'])
})

test('14: somebody else moves it: the event says what was found, and it is put back', async () => {
  const it = await settled()
  await talk(it, 15_000, { n1: 'active', n2: 'backup' })
  it.eip.setOutOfBand('a stranger')
  await talk(it, 62_000, { n1: 'active', n2: 'backup' })
  expect(it.eip.state().node).toBe('n1')
  const drift = it.store.events({ since: 0, limit: 1_000 }).find(({ kind }) => kind === 'drift')
  expect(drift?.detail).toMatchObject({ binding: 'eip', observed: 'a stranger' })
})

test('15: wall clocks jump, on nodes and on control: no decision notices', async () => {
  const time = createClock()
  let skewMs = 0
  const clock = { now: time.clock.now, wall: () => new Date(time.clock.wall().getTime() + skewMs) }
  const it = await settled({ time: { ...time, clock } })
  skewMs = -7 * 24 * 3_600_000
  const since = '2036-01-01T00:00:00.000Z'
  await it.say('n1', 'active', { services: { web: { ...serviceReport('n1', 'active'), since } } })
  await talk(it, 20_000, { n1: 'active', n2: 'backup' })
  expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  skewMs = 30 * 24 * 3_600_000
  await failover(it)
  await it.pass(500)
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n2', epoch: 2 } })
})

test('16: a frozen owner loses the service; what its former self still says is refused, its new self is heard', async () => {
  const it = await settled()
  const former = it.said('n1', 'active')
  await it.say('n2', 'active')
  await it.pass(200)
  expect(it.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
  await it.say('n1', 'backup', { incarnation: 'n1-second-start', sequence: 1 })
  const answer = await it.cluster.report({ ...former, sequence: 99 }, 'link')
  expect(answer).toMatchObject({ refusal: { code: 'former-incarnation' } })
  await it.pass(5_000)
  expect(it.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
})

test('17: the owner and what its target points at are gone: the move needs neither', async () => {
  const it = await settled()
  it.eip.setOutOfBand(null)
  await failover(it)
  await it.pass(500)
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n2' }, bindings: [{ observed: 'n2' }] })
})

test('18: the target’s machine is not running yet: said as what it is, tried again, and done when it runs', async () => {
  const it = await settled()
  const failure = { kind: 'retry', code: 'IncorrectInstanceState', message: 'the instance is stopped' } as const
  it.eip.inject('apply', { kind: 'refused', failure })
  await failover(it)
  await talk(it, 20_000, { n2: 'active' })
  expect(it.view()).toMatchObject({
    phase: 'degraded',
    owner: { node: 'n2', epoch: 2 },
    bindings: [{ state: 'retrying', lastError: 'IncorrectInstanceState: the instance is stopped' }],
  })
  it.eip.clearFaults()
  await talk(it, 40_000, { n2: 'active' })
  expect(it.view().phase).toBe('settled')
})

test('19: credentials have expired: one event, a slow probe and no storm; then it goes on by itself', async () => {
  const it = await settled()
  const failure = { kind: 'permanent', code: 'AuthFailure', message: 'credentials are not valid' } as const
  it.eip.inject('apply', { kind: 'refused', failure })
  await failover(it)
  await talk(it, 180_000, { n2: 'active' })
  expect(it.view()).toMatchObject({ phase: 'degraded', bindings: [{ state: 'failed' }] })
  expect(it.writes.length).toBeLessThanOrEqual(5)
  expect(it.events().filter((kind) => kind === 'binding-failed')).toHaveLength(1)
  it.eip.clearFaults()
  await talk(it, 65_000, { n2: 'active' })
  expect(it.view().phase).toBe('settled')
})

test('20: every socket drops because control was deployed: that is nobody’s death', async () => {
  const store = createSqlStore(openDatabase(':memory:'))
  const before = await settled({ store })
  await before.cluster.stop()
  const after = await begin({ store, resources: before.resources, time: before.time })
  after.connect('n2')
  await after.say('n2', 'active')
  await after.pass(2_000)
  expect(after.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  after.connect('n1')
  await after.say('n1', 'active')
  await after.say('n2', 'backup')
  await talk(after, 10_000, { n1: 'active', n2: 'backup' })
  expect(after.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  expect(after.writes).toEqual([])
})

test('21: no node is healthy: the last owner keeps it, since nothing would be better', async () => {
  const it = await settled()
  await talk(it, 30_000, { n1: 'fault', n2: 'fault' })
  expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  expect(it.writes).toEqual([])
  expect(it.eip.state().node).toBe('n1')
})

test('22: control’s database is an old copy: nothing is written, until an operator has looked', async () => {
  const it = await settled({ cas: 'atomic' })
  it.eip.setOutOfBand('n2', 40)
  await failover(it)
  await talk(it, 5_000, { n2: 'active' })
  expect(it.view()).toMatchObject({ phase: 'degraded', higherEpoch: 40 })
  expect(it.eip.state()).toMatchObject({ node: 'n2', epoch: 40 })
  expect(it.events()).toContain('higher-epoch')
  const answer = await it.call('POST', '/v1/services/web/switchover', 'operator-token', { to: 'n1' })
  expect(answer.status).toBe(409)
  expect(await it.cluster.acknowledge({ service: 'web', by: 'ops', reason: 'restored from a backup' })).toBeNull()
  await talk(it, 2_000, { n2: 'active' })
  expect(it.view()).toMatchObject({ phase: 'settled', owner: { node: 'n2', epoch: 41 }, higherEpoch: null })
  expect(it.eip.state()).toMatchObject({ node: 'n2', epoch: 41 })
})

test('23: what the API says and what clients reach are two things, and both are reported', async () => {
  const probe = {
    target: { kind: 'http', url: 'http://127.0.0.1:9/' },
    intervalMs: 1_000,
    timeoutMs: 500,
    rise: 1,
    fall: 2,
  } as const
  const it = await settled({ service: { probe } })
  expect(it.view().reachable).not.toBe(false)
  await failover(it)
  await talk(it, 5_000, { n2: 'active' })
  const done = it.store.operations({ limit: 10 }).find(({ kind, to }) => kind === 'failover' && to === 'n2')
  expect(done).toMatchObject({ status: 'done', report: { visibleMs: expect.any(Number), seenMs: expect.any(Number) } })
})
