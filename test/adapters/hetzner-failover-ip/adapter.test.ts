/** hetzner-failover-ip: the suite of all adapters, the fault matrix, and what is particular to it. */
import { beforeEach, expect, test, vi } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, password, robotWorld, usePassword } from './worlds.ts'

beforeEach(() => usePassword())

adapterCases({ name: 'hetzner-failover-ip', setup: () => robotWorld() })
adapterCases({ name: 'hetzner-failover-ip, IPv6', setup: () => robotWorld({ family: 'ipv6' }) })
faultMatrix({ name: 'hetzner-failover-ip', setup: () => robotWorld() })

const signal = new AbortController().signal
const move = { node: 'n1', epoch: 1, token: null }

test('a switch that outlasts the call is not known, is locked meanwhile, and happens', async () => {
  const { world, cloud } = await robotWorld({ jobMs: 60_000 })
  cloud.faults.add({ kind: 'hang-after', action: 'POST failover', next: 1 })
  const adapter = adapterAt(cloud.url, { callTimeoutMs: 200 })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'unknown', code: 'TimedOut' })
  const patient = adapterAt(cloud.url)
  // Control repeats what it does not know of before a switch can have ended: it is refused, and changes nothing.
  expect(await patient.apply(move, signal)).toMatchObject({ kind: 'retry', code: 'FAILOVER_LOCKED' })
  expect(await patient.observe(signal)).toMatchObject({ kind: 'none' })
  await world.pass(60_000)
  expect(await patient.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test('to be where it should be already is what was wanted', async () => {
  const { adapter, world, cloud } = await robotWorld()
  await world.setOutOfBand('n1')
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(cloud.requests.at(-1)?.outcome).toBe('FAILOVER_ALREADY_ROUTED')
  await world.end()
})

test('too many requests are told by 403, with how many there may be', async () => {
  const { adapter, world } = await robotWorld()
  world.inject('observe', 'throttled')
  const failure = { kind: 'throttled', code: 'RATE_LIMIT_EXCEEDED', afterMs: 36_000 }
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure })
  await world.end()
})

test.each([
  ['FAILOVER_FAILED', 'retry'],
  ['FAILOVER_NOT_COMPLETE', 'unknown'],
  ['FAILOVER_NEW_SERVER_NOT_FOUND', 'permanent'],
  ['INVALID_INPUT', 'permanent'],
])('%s is told as %s', async (code, kind) => {
  const { adapter, world, cloud } = await robotWorld()
  cloud.faults.add({ kind: 'error', code })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind, code })
  await world.end()
})

test('a wrong password is tried once in ten minutes, and a new one at once', async () => {
  const { world, cloud } = await robotWorld()
  let now = 0
  const adapter = adapterAt(cloud.url, { now: () => now })
  const refused = { kind: 'unknown', failure: { kind: 'permanent', code: 'UNAUTHORIZED' } }
  usePassword('wrong')
  for (let minute = 0; minute < 10; minute++) {
    expect(await adapter.observe(signal)).toMatchObject(refused)
    now += 59_000
  }
  expect(cloud.requests.length).toBe(1)
  usePassword('also wrong')
  expect(await adapter.observe(signal)).toMatchObject(refused)
  expect(cloud.requests.length).toBe(2)
  usePassword(password)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  await world.end()
})

test('preflight asks for all that a move names, and changes nothing', async () => {
  const { adapter, world, cloud } = await robotWorld()
  const results = async () => (await adapter.preflight(signal)).map(({ check, result }) => [check, result])
  expect(await results()).toEqual([
    ['GET /failover/203.0.113.10', 'passed'],
    ['GET /server has 198.51.100.1 (n1)', 'passed'],
    ['GET /server has 198.51.100.2 (n2)', 'passed'],
    ['POST /failover/203.0.113.10', 'untried'],
  ])
  cloud.setOutOfBand((state) => ({ ...state, servers: state.servers.slice(1), failovers: [] }))
  expect((await results()).map(([, result]) => result)).toEqual(['failed', 'failed', 'passed', 'untried'])
  expect(cloud.requests.filter(({ action }) => !action.startsWith('GET '))).toEqual([])
  await world.end()
})

test('three bindings of one user try a password once, also at once', async () => {
  const { world, cloud } = await robotWorld()
  const bindings = [adapterAt(cloud.url), adapterAt(cloud.url, { family: 'ipv6' }), adapterAt(cloud.url)]
  const all = () => Promise.all(bindings.map((adapter) => adapter.observe(signal)))
  const refused = { kind: 'unknown', failure: { kind: 'permanent', code: 'UNAUTHORIZED' } }
  usePassword('wrong')
  for (const _ of [1, 2, 3]) expect(await all()).toMatchObject([refused, refused, refused])
  expect(cloud.requests.map(({ outcome }) => outcome)).toEqual(['UNAUTHORIZED'])
  // So nobody is locked out.
  usePassword(password)
  const none = { kind: 'none' }
  expect(await all()).toMatchObject([none, none, none])
  expect(cloud.requests.length).toBe(4)
  await world.end()
})

test('a binding that waits for another to try the password tries it when that does not end', async () => {
  const { world, cloud } = await robotWorld()
  cloud.faults.add({ kind: 'hang-after', next: 1 })
  const controller = new AbortController()
  const first = adapterAt(cloud.url).observe(controller.signal)
  await world.hanging()
  const others = [adapterAt(cloud.url), adapterAt(cloud.url)].map((adapter) => adapter.observe(signal))
  const impatient = adapterAt(cloud.url, { callTimeoutMs: 50 }).observe(signal)
  expect(await impatient).toMatchObject({ kind: 'unknown', failure: { kind: 'retry', code: 'TimedOut' } })
  expect(cloud.requests.length).toBe(1)
  controller.abort()
  expect(await first).toMatchObject({ kind: 'unknown', failure: { kind: 'unknown', code: 'Aborted' } })
  expect(await Promise.all(others)).toMatchObject([{ kind: 'none' }, { kind: 'none' }])
  await world.end()
})

test.each([
  ['user', { user: '#ws+other' }],
  ['password', { password: { env: 'ROBOT_PASSWORD_OF_OTHERS' } }],
])('another %s that is refused stays so beside one that is accepted', async (_, config) => {
  vi.stubEnv('ROBOT_PASSWORD_OF_OTHERS', 'another')
  const { world, cloud } = await robotWorld()
  const [stranger, own] = [adapterAt(cloud.url, { config }), adapterAt(cloud.url)]
  for (const _round of [1, 2, 3, 4]) {
    expect(await stranger.observe(signal)).toMatchObject({ failure: { code: 'UNAUTHORIZED' } })
    expect(await own.observe(signal)).toMatchObject({ kind: 'none' })
  }
  expect(cloud.requests.filter(({ outcome }) => outcome === 'UNAUTHORIZED').length).toBe(1)
  await world.end()
})
