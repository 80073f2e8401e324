/** digitalocean-reserved-ip: the suite of all adapters, the fault matrix, and what is particular to it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { atOnce } from '../thin/world.ts'
import { adapterAt, addresses, digitalOceanWorld, readOnlyToken, useToken } from './worlds.ts'

beforeEach(() => useToken())

adapterCases({ name: 'digitalocean-reserved-ip', setup: () => digitalOceanWorld() })
adapterCases({ name: 'digitalocean-reserved-ip, IPv6', setup: () => digitalOceanWorld({ family: 'ipv6' }) })
faultMatrix({ name: 'digitalocean-reserved-ip', setup: () => digitalOceanWorld() })

const signal = new AbortController().signal
const move = { node: 'n1', epoch: 1, token: null }

test('a move waits for its action, and one that outlasts the call was accepted', async () => {
  const { world, cloud, timers } = await digitalOceanWorld({ jobMs: 1_200 })
  const pause = async (ms: number) => timers.pass(ms)
  expect(await adapterAt(cloud.url, {}, { pause }).apply(move, signal)).toEqual({ kind: 'done' })
  expect(await world.owner()).toBe('n1')
  const impatient = adapterAt(cloud.url, {}, { ...atOnce, callTimeoutMs: 1_500 })
  expect(await impatient.apply({ ...move, node: 'n2' }, signal)).toEqual({ kind: 'done' })
  expect(await impatient.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.pass(1_200)
  expect(await impatient.observe(signal)).toMatchObject({ kind: 'node', node: 'n2' })
  await world.end()
})

test('a pending event is worth a retry, and another mistake in a request is not', async () => {
  const { world, cloud } = await digitalOceanWorld({ jobMs: 20_000 })
  const adapter = adapterAt(cloud.url, {}, { ...atOnce, callTimeoutMs: 1_500 })
  await adapter.apply(move, signal)
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toMatchObject({ kind: 'retry', code: 'pending_event' })
  await world.pass(20_000)
  cloud.setOutOfBand((state) => ({ ...state, droplets: [] }))
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toMatchObject({
    ...{ kind: 'permanent', code: 'unprocessable_entity', message: 'Droplet not found' },
  })
  await world.end()
})

test('an action that failed has changed nothing, and is worth a retry', async () => {
  const { adapter, world } = await digitalOceanWorld({ jobError: { code: 'errored', message: '' } })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'retry', code: 'errored' })
  expect(await world.owner()).toBe(null)
  await world.end()
})

test.each([
  ['conflict', 'conflict'],
  ['server_error', 'retry'],
  ['not_found', 'permanent'],
  ['unauthorized', 'permanent'],
])('%s is told as %s', async (code, kind) => {
  const { adapter, world, cloud } = await digitalOceanWorld()
  cloud.faults.add({ kind: 'error', code })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind, code })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure: { kind, code } })
  await world.end()
})

test('an IPv6 address is understood in an envelope and without', async () => {
  const server = createServer((_, response) => {
    response.end(JSON.stringify({ ip: addresses.ipv6, region_slug: 'fra1', droplet: { id: 43 } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { ip: '2001:DB8:0::10' })
  expect(await adapter.observe(signal)).toMatchObject({
    ...{ kind: 'node', node: 'n2', raw: { ip: '2001:db8::10', droplet: '43', region: 'fra1' } },
  })
})

test('preflight asks for all that a move names, compares the regions, and changes nothing', async () => {
  const { adapter, world, cloud } = await digitalOceanWorld()
  const results = async () => (await adapter.preflight(signal)).map(({ check, result }) => [check, result])
  expect(await results()).toEqual([
    ['GET /v2/reserved_ips/203.0.113.10', 'passed'],
    ['GET /v2/droplets/42 (n1)', 'passed'],
    ['GET /v2/droplets/43 (n2)', 'passed'],
    ['POST /v2/reserved_ips/203.0.113.10/actions', 'untried'],
  ])
  cloud.setOutOfBand((state) => ({
    ...state,
    droplets: state.droplets.flatMap((each) => (each.id === 43 ? [{ ...each, region: 'nyc3' }] : [])),
  }))
  const [, n1, n2] = await adapter.preflight(signal)
  expect(n1).toMatchObject({ result: 'failed', message: expect.stringContaining('not_found') })
  expect(n2).toMatchObject({ result: 'failed', message: expect.stringContaining('nyc3') })
  expect(cloud.requests.filter(({ action }) => !action.startsWith('GET '))).toEqual([])
  useToken(readOnlyToken)
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'permanent', code: 'forbidden' })
  await world.end()
})
