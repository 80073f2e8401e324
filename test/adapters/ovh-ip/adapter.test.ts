/** ovh-ip: the suite of all adapters, the fault matrix, and what is particular to it. */
import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { signatureOf } from '../../../adapters/ovh-ip/api.ts'
import { ovhIpSchema } from '../../../adapters/ovh-ip/schema.ts'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { clockOf } from '../thin/world.ts'
import { adapterAt, ovhWorld, readOnlyKey, useSecrets } from './worlds.ts'

beforeEach(() => useSecrets())

adapterCases({ name: 'ovh-ip', setup: () => ovhWorld() })
faultMatrix({ name: 'ovh-ip', setup: () => ovhWorld() })

const signal = new AbortController().signal
const move = { node: 'n1', epoch: 1, token: null }

test('a task that outlasts the call was accepted, allows no other, and happens', async () => {
  const { world, cloud, timers } = await ovhWorld({ jobMs: 60_000 })
  const adapter = adapterAt(cloud.url, { now: clockOf(timers), callTimeoutMs: 1_500 })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toMatchObject({
    ...{ kind: 'retry', code: 'Client::Conflict' },
  })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  await world.pass(60_000)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test.each([
  ['ovhError', 'retry'],
  ['cancelled', 'retry'],
  ['customerError', 'permanent'],
])('a task that ends with %s is told as %s', async (code, kind) => {
  const { adapter, world } = await ovhWorld({ jobError: { code, message: 'it went wrong' } })
  expect(await adapter.apply(move, signal)).toEqual({ kind, code, message: 'it went wrong' })
  expect(await world.owner()).toBe(null)
  await world.end()
})

test("a request is signed by OVHcloud's time, asked once, whatever this machine's is", async () => {
  const { world, cloud } = await ovhWorld()
  const adapter = adapterAt(cloud.url, { now: () => new Date(Date.now() - 86_400_000) })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(cloud.requests.map(({ action }) => action)).toEqual(['GET time', 'GET ip', 'POST move', 'GET task'])
  await world.end()
})

test('after a request that came too late by their clock, the time is asked again', async () => {
  const { world, cloud } = await ovhWorld()
  let off = 0
  const adapter = adapterAt(cloud.url, { now: () => new Date(Date.now() + off) })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  off = -3_600_000
  expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'retry', code: 'QUERY_TIME_OUT' } })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  await world.end()
})

test('the signature is the one that OVHcloud documents', async () => {
  const keys = { secret: 's', key: 'k', time: 1366560945 }
  const request = { method: 'POST' as const, path: '/ip/a%2F32/move', body: { type: '', text: '{"to":"x"}' } }
  const text = 's+k+POST+https://eu.api.ovh.com/1.0/ip/a%2F32/move+{"to":"x"}+1366560945'
  const own = `$1$${createHash('sha1').update(text).digest('hex')}`
  expect(await signatureOf('https://eu.api.ovh.com/1.0', request, keys)).toBe(own)
})

test('wrong keys, a missing right and an IP that is not there are for a person to correct', async () => {
  const { adapter, world, cloud } = await ovhWorld()
  const failed = (code: string) => ({ kind: 'unknown', failure: { kind: 'permanent', code } })
  useSecrets({ secret: 'another' })
  expect(await adapter.observe(signal)).toMatchObject(failed('INVALID_SIGNATURE'))
  useSecrets({ key: 'another' })
  expect(await adapter.observe(signal)).toMatchObject(failed('INVALID_CREDENTIAL'))
  useSecrets({ key: readOnlyKey })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'permanent', code: 'NOT_GRANTED_CALL' })
  const stranger = adapterAt(cloud.url, { config: { ip: '192.0.2.0/29' } })
  expect(await stranger.observe(signal)).toMatchObject(failed('Client::NotFound'))
  await world.end()
})

test('preflight compares the targets with where the IP may go, and changes nothing', async () => {
  const { adapter, world, cloud } = await ovhWorld()
  await world.setOutOfBand('n1')
  const results = async () => (await adapter.preflight(signal)).map(({ check, result }) => [check, result])
  const path = '/ip/203.0.113.10%2F32'
  expect(await results()).toEqual([
    [`GET ${path}`, 'passed'],
    [`GET ${path}/move has ns1.example.net (n1)`, 'passed'],
    [`GET ${path}/move has ns2.example.net (n2)`, 'passed'],
    [`POST ${path}/move`, 'untried'],
  ])
  cloud.setOutOfBand((state) => ({ ...state, services: ['ns1.example.net'] }))
  expect((await results()).map(([, result]) => result)).toEqual(['passed', 'passed', 'failed', 'untried'])
  expect(cloud.requests.filter(({ action }) => !action.startsWith('GET '))).toEqual([])
  await world.end()
})

test('an IP is written alone or as a block, and a secret only as its place', () => {
  const given = { ...ovhIpSchema.example.config }
  const parse = (more: object) => ovhIpSchema.config.safeParse({ ...given, ...more })
  expect(parse({}).data?.ip).toBe('203.0.113.10/32')
  expect(parse({ ip: '203.0.113.8/30' }).data?.ip).toBe('203.0.113.8/30')
  for (const ip of ['2001:db8::1', 'ip', '203.0.113.10/33']) expect(parse({ ip }).success).toBe(false)
  expect(parse({ consumerKey: 'abc' }).success).toBe(false)
})
