/** hetzner-floating-ip: the suite of all adapters, the fault matrix, and what is particular to it. */
import { beforeEach, expect, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { atOnce } from '../thin/world.ts'
import { adapterAt, hetznerWorld, readOnlyToken, useToken } from './worlds.ts'

beforeEach(() => useToken())

adapterCases({ name: 'hetzner-floating-ip', setup: () => hetznerWorld() })
faultMatrix({ name: 'hetzner-floating-ip', setup: () => hetznerWorld() })

const signal = new AbortController().signal
const move = { node: 'n1', epoch: 1, token: null }

test('a move waits for its action', async () => {
  const { world, cloud, timers } = await hetznerWorld({ jobMs: 1_200 })
  const waited: number[] = []
  const pause = async (ms: number) => {
    waited.push(ms)
    timers.pass(ms)
  }
  expect(await adapterAt(cloud.url, {}, { pause }).apply(move, signal)).toEqual({ kind: 'done' })
  expect(waited).toEqual([250, 500, 1_000])
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test('an action that outlasts the call was accepted, and looks show what became of it', async () => {
  const { world, cloud } = await hetznerWorld({ jobMs: 20_000 })
  const adapter = adapterAt(cloud.url, {}, { ...atOnce, callTimeoutMs: 1_500 })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  await world.pass(20_000)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test('while an action runs the address is locked, which is worth a retry', async () => {
  const { world, cloud } = await hetznerWorld({ jobMs: 20_000 })
  const adapter = adapterAt(cloud.url, {}, { ...atOnce, callTimeoutMs: 1_500 })
  await adapter.apply(move, signal)
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toMatchObject({ kind: 'retry', code: 'locked' })
  await world.end()
})

test.each([
  ['action_failed', 'retry'],
  ['something_new', 'retry'],
  ['timeout', 'unknown'],
])('an action that ends with %s is a failure of that kind', async (code, kind) => {
  const { adapter, world } = await hetznerWorld({ jobError: { code, message: 'it went wrong' } })
  expect(await adapter.apply(move, signal)).toEqual({ kind, code, message: 'it went wrong' })
  expect(await world.owner()).toBe(null)
  await world.end()
})

test('an action that cannot be asked about was accepted all the same', async () => {
  const { adapter, world, cloud } = await hetznerWorld()
  cloud.faults.add({ kind: 'error', code: 'unavailable', action: 'GET actions' })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test.each([
  ['conflict', 'conflict'],
  ['locked', 'retry'],
  ['server_error', 'retry'],
  ['timeout', 'unknown'],
  ['invalid_input', 'permanent'],
  ['token_readonly', 'permanent'],
  ['unheard_of', 'permanent'],
])('%s is told as %s', async (code, kind) => {
  const { adapter, world, cloud } = await hetznerWorld()
  cloud.faults.add({ kind: 'error', code })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind, code })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure: { kind, code } })
  await world.end()
})

test('an address that does not exist, and a token that is missing, are for a person to correct', async () => {
  const { world, cloud } = await hetznerWorld()
  const failure = { kind: 'permanent', code: 'not_found' }
  expect(await adapterAt(cloud.url, { floatingIpId: 1 }).observe(signal)).toMatchObject({ kind: 'unknown', failure })
  useToken('another')
  expect(await adapterAt(cloud.url).observe(signal)).toMatchObject({ failure: { code: 'unauthorized' } })
  const asked = cloud.requests.length
  const nowhere = adapterAt(cloud.url, { token: { env: 'HETZNER_TOKEN_NOT_SET' } })
  expect(await nowhere.observe(signal)).toMatchObject({ failure: { kind: 'permanent', code: 'NoCredentials' } })
  expect(cloud.requests.length).toBe(asked)
  await world.end()
})

test('preflight asks for all that a move names, and changes nothing', async () => {
  const { adapter, world, cloud } = await hetznerWorld()
  const results = async () => (await adapter.preflight(signal)).map(({ check, result }) => [check, result])
  expect(await results()).toEqual([
    ['GET floating_ips/4711', 'passed'],
    ['GET servers/42 (n1)', 'passed'],
    ['GET servers/43 (n2)', 'passed'],
    ['POST floating_ips/4711/actions/assign', 'untried'],
  ])
  cloud.setOutOfBand((state) => ({
    ...state,
    floatingIps: state.floatingIps.map((address) => ({ ...address, blocked: true })),
    servers: state.servers.filter(({ id }) => id !== 43),
  }))
  expect((await results()).map(([, result]) => result)).toEqual(['failed', 'passed', 'failed', 'untried'])
  cloud.setOutOfBand((state) => ({ ...state, servers: [{ id: 43, name: 'n2', zone: 'us-east' }] }))
  expect((await adapter.preflight(signal))[2]).toMatchObject({
    result: 'failed',
    message: expect.stringMatching(/us-east/),
  })
  cloud.faults.add({ kind: 'error', code: 'unavailable' })
  expect((await results()).map(([, result]) => result)).toEqual(['untried', 'untried', 'untried', 'untried'])
  expect(cloud.requests.filter(({ action }) => !action.startsWith('GET '))).toEqual([])
  await world.end()
})

test('a token that may only read shows it at the first move', async () => {
  const { adapter, world } = await hetznerWorld()
  useToken(readOnlyToken)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'permanent', code: 'token_readonly' })
  await world.end()
})
