/** What is particular to a name in Route 53: the one batch, its fence, and what is left alone. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, test, vi } from 'vitest'
import type { Adapter, Move, Observation } from '../../../adapters/adapter.ts'
import { route53Schema } from '../../../adapters/route53/schema.ts'
import type { Route53 } from '../../../infra/lab/clouds/route53.ts'
import {
  adapterAt,
  addresses,
  epochAt,
  mixed,
  route53World,
  setsAt,
  ttl,
  useLabCredentials,
  vip,
  zoneId,
} from './worlds.ts'

beforeEach(useLabCredentials)

const signal = new AbortController().signal

type Known = Exclude<Observation, { kind: 'unknown' }>

async function see(adapter: Adapter): Promise<Known> {
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error(`could not observe: ${JSON.stringify(seen.failure)}`)
  return seen
}

async function move(adapter: Adapter, node: string, epoch: number) {
  const { token } = await see(adapter)
  return adapter.apply({ node, epoch, token } satisfies Move, signal)
}

function batches(route53: Route53): string[][] {
  return route53.requests.flatMap(({ params }) => (params.changes === undefined ? [] : [params.changes.split('\n')]))
}

test('a move is one batch: all as it was is deleted, all as it shall be is created', async () => {
  const { adapter, world, route53 } = await route53World()
  await world.setOutOfBand('n1')
  expect(await move(adapter, 'n1', 1)).toEqual({ kind: 'done' })
  expect(await move(adapter, 'n2', 2)).toEqual({ kind: 'done' })
  expect(batches(route53)).toEqual([
    [
      'DELETE vip.example.com. A 192.0.2.11',
      'DELETE vip.example.com. AAAA 2001:db8::11',
      'CREATE _holdfast.vip.example.com TXT "v=1 epoch=1 owner=n1"',
      'CREATE vip.example.com A 192.0.2.11',
      'CREATE vip.example.com AAAA 2001:db8::11',
    ],
    [
      'DELETE _holdfast.vip.example.com. TXT "v=1 epoch=1 owner=n1"',
      'DELETE vip.example.com. A 192.0.2.11',
      'DELETE vip.example.com. AAAA 2001:db8::11',
      'CREATE _holdfast.vip.example.com TXT "v=1 epoch=2 owner=n2"',
      'CREATE vip.example.com A 192.0.2.12 192.0.2.22',
    ],
  ])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n2', epochSeen: 2 })
  await world.end()
})

test('of two that write on the same knowledge one wins, and the other changes nothing', async () => {
  const { adapter, world, route53 } = await route53World()
  await move(adapter, 'n1', 1)
  const { token } = await see(adapter)
  const other = adapterAt(route53.url)
  expect(await other.apply({ node: 'n2', epoch: 3, token }, signal)).toEqual({ kind: 'done' })
  expect(await adapter.apply({ node: 'n1', epoch: 2, token }, signal)).toMatchObject({ kind: 'conflict' })
  expect([await world.owner(), epochAt(route53)]).toEqual(['n2', '"v=1 epoch=3 owner=n2"'])
  other.dispose()
  await world.end()
})

test('the first write ever loses against another first write', async () => {
  const { adapter, world, route53 } = await route53World()
  const { token } = await see(adapter)
  expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
  const late = await adapter.apply({ node: 'n2', epoch: 2, token }, signal)
  expect(late).toMatchObject({ kind: 'conflict', code: 'InvalidChangeBatch' })
  expect(epochAt(route53)).toBe('"v=1 epoch=1 owner=n1"')
  await world.end()
})

test('an AAAA of somebody else is seen, and taken away by the next write', async () => {
  const { adapter, world, route53 } = await route53World({ targets: mixed })
  await move(adapter, 'n1', 1)
  route53.setOutOfBand(zoneId, vip, ['AAAA'], [{ name: vip, type: 'AAAA', ttl, values: ['2001:db8::bad'] }])
  const seen = await see(adapter)
  expect(seen).toMatchObject({ kind: 'foreign', epochSeen: 1 })
  expect(seen.kind === 'foreign' && seen.what).toContain('AAAA 2001:db8::bad')
  expect(await move(adapter, 'n1', 1)).toEqual({ kind: 'done' })
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test('a TTL other than the configured one is not as the target says', async () => {
  const { adapter, world, route53 } = await route53World()
  route53.setOutOfBand(zoneId, vip, ['A'], [{ name: vip, type: 'A', ttl: 86_400, values: addresses.n2.a! }])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('TTL 86400') })
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n2' })
  await world.end()
})

test('the same address, written in another way and order, is the same', async () => {
  const { adapter, world, route53 } = await route53World()
  const values = ['2001:0DB8:0:0:0:0:0:11']
  route53.setOutOfBand(
    zoneId,
    vip,
    ['A', 'AAAA'],
    [
      { name: vip, type: 'A', ttl, values: ['192.0.2.11'] },
      { name: vip, type: 'AAAA', ttl, values },
    ],
  )
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  // Deleted as it is written there, or Route 53 would not find it.
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  await world.end()
})

test('of two nodes with the same target it is the one that the epoch record names', async () => {
  const same = { n1: { a: ['192.0.2.1'] }, n2: { a: ['192.0.2.1'] }, foreign: { a: ['192.0.2.9'] } }
  const { adapter, world } = await route53World({ targets: same })
  for (const [epoch, node] of [
    [1, 'n2'],
    [2, 'n1'],
  ] as const) {
    await move(adapter, node, epoch)
    expect(await see(adapter)).toMatchObject({ kind: 'node', node, epochSeen: epoch })
  }
  await world.end()
})

test('an alias is foreign, and is replaced by its exact description', async () => {
  const { adapter, world, route53 } = await route53World()
  const alias = { hostedZoneId: 'Z2ALIAS', dnsName: 'lb.example.net.', evaluateTargetHealth: false }
  route53.setOutOfBand(zoneId, vip, ['A'], [{ name: vip, type: 'A', values: [], alias }])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: 'vip.example.com A alias of lb.example.net' })
  expect(await move(adapter, 'n1', 1)).toEqual({ kind: 'done' })
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test('a record with a routing policy is foreign, and never written', async () => {
  const { adapter, world, route53 } = await route53World()
  const weighted = { name: vip, type: 'A', ttl, values: addresses.n1.a!, setIdentifier: 'blue', weight: '10' }
  route53.setOutOfBand(zoneId, vip, ['A'], [weighted])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('SetIdentifier "blue"') })
  expect(await move(adapter, 'n1', 1)).toMatchObject({ kind: 'permanent', code: 'NotSimple' })
  expect(batches(route53)).toEqual([])
  await world.end()
})

test('an epoch record that is none of ours stops every write', async () => {
  const { adapter, world, route53 } = await route53World()
  const name = `_holdfast.${vip}`
  for (const values of [['"v=2 epoch=9 owner=n1"'], ['"v=1 epoch=1 owner=n1"', '"v=1 epoch=2 owner=n2"']]) {
    route53.setOutOfBand(zoneId, name, ['TXT'], [{ name, type: 'TXT', ttl, values }])
    expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('no epoch of ours') })
    expect(await move(adapter, 'n1', 1)).toMatchObject({ kind: 'permanent', code: 'NotSimple' })
  }
  expect(batches(route53)).toEqual([])
  await world.end()
})

test('other records of the name and its neighbours stay', async () => {
  const mail = { name: vip, type: 'MX', ttl: 300, values: ['10 mail.example.com.'] }
  const neighbour = { name: 'a.vip.example.com', type: 'A', ttl: 300, values: ['192.0.2.77'] }
  const { adapter, world, route53 } = await route53World({ sets: [mail, neighbour] })
  await move(adapter, 'n1', 1)
  await move(adapter, 'n2', 2)
  expect(setsAt(route53, vip, ['MX'])).toHaveLength(1)
  expect(setsAt(route53, 'a.vip.example.com')).toHaveLength(1)
  await world.end()
})

test('one call reads both records of a name, and a second one those that stand apart', async () => {
  // They sort between the name and its epoch record.
  const between = Array.from({ length: 30 }, (_, i) => {
    return { name: `${i + 10}.${vip}`, type: 'A', ttl: 300, values: ['192.0.2.77'] }
  })
  for (const [sets, calls] of [
    [[], 1],
    [between, 2],
  ] as const) {
    const { adapter, world, route53 } = await route53World({ sets: [...sets] })
    await adapter.apply({ node: 'n1', epoch: 5, token: null }, signal)
    route53.pace({ insyncMs: 0 })
    await see(adapter)
    const before = route53.requests.length
    expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 5 })
    expect(route53.requests.length - before).toBe(calls)
    await world.end()
  }
})

test('a change that is on its way says so, until it is everywhere', async () => {
  const { adapter, world, route53 } = await route53World()
  route53.pace({ insyncMs: 40_000 })
  expect((await see(adapter)).raw.change).toBe(null)
  await move(adapter, 'n1', 1)
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1', raw: { change: 'C0000000000001 PENDING' } })
  await world.pass(40_000)
  expect((await see(adapter)).raw.change).toBe('C0000000000001 INSYNC')
  const asked = () => route53.requests.filter(({ action }) => action === 'GetChange').length
  expect(asked()).toBe(2)
  await see(adapter)
  expect(asked()).toBe(2)
  await world.end()
})

test('not being told how far a change is does not hide the records', async () => {
  const { adapter, world, route53 } = await route53World()
  route53.pace({ insyncMs: 40_000 })
  await move(adapter, 'n1', 1)
  route53.faults.add({ kind: 'error', action: 'GetChange', code: 'AccessDenied' })
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test('a change during another one of the zone is worth a retry', async () => {
  const { adapter, world, route53 } = await route53World()
  await move(adapter, 'n1', 1)
  route53.pace({ exclusiveMs: 500 })
  expect(await move(adapter, 'n2', 2)).toMatchObject({ kind: 'retry', code: 'PriorRequestNotComplete' })
  await world.pass(500)
  expect(await move(adapter, 'n2', 2)).toEqual({ kind: 'done' })
  await world.end()
})

test('a protected record is permanent, and said', async () => {
  const { adapter, world } = await route53World({ protected: ['vip.example.com. A'] })
  const outcome = await move(adapter, 'n1', 1)
  expect(outcome).toMatchObject({ kind: 'permanent', message: expect.stringContaining('protection') })
  await world.end()
})

test('a token of another adapter is a conflict, and nothing is sent', async () => {
  const { adapter, world, route53 } = await route53World()
  for (const token of ['eipassoc-1', '{"epoch":null}', '[]']) {
    expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal)).toMatchObject({ kind: 'conflict' })
  }
  expect(batches(route53)).toEqual([])
  await world.end()
})

test('a failed call is made once, and calls share a connection', async () => {
  const { adapter, world, route53 } = await route53World()
  for (let i = 0; i < 3; i += 1) await adapter.observe(signal)
  expect(route53.connections()).toBe(1)
  for (const kind of ['reset-before', 'reset-after'] as const) route53.faults.add({ kind, next: 1 })
  route53.faults.add({ kind: 'error', code: 'InternalError' })
  for (let i = 0; i < 2; i += 1) await adapter.observe(signal)
  expect(route53.requests.length).toBe(5)
  await world.end()
})

test('a call that is not answered ends at its own deadline', async () => {
  const { world, route53 } = await route53World()
  const adapter = adapterAt(route53.url, { callTimeoutMs: 200 })
  route53.faults.add({ kind: 'hang-after' })
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toEqual({ kind: 'unknown', code: 'TimedOut', message: 'no answer within 200 ms' })
  expect(await world.owner()).toBe('n1')
  adapter.dispose()
  await world.end()
})

test('wrong credentials are permanent, and are not quoted', async () => {
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'not-the-secret')
  const { adapter, world } = await route53World()
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ failure: { kind: 'permanent', code: 'SignatureDoesNotMatch' } })
  expect(JSON.stringify(seen)).not.toMatch(/not-the-secret|AKIA/)
  await world.end()
})

test.each([
  { status: 200, body: '<html><title>log in</title></html>', kind: 'unknown' },
  { status: 200, body: 'no XML', kind: 'unknown' },
  { status: 200, body: '<?xml version="1.0"?><ListResourceRecordSetsResponse><ResourceRec', kind: 'unknown' },
  { status: 302, body: '', kind: 'unknown' },
  { status: 404, body: '{"error":"not found"}', kind: 'permanent' },
  { status: 429, body: '', kind: 'throttled' },
  { status: 502, body: '<html>bad gateway</html>', kind: 'unknown' },
  { status: 503, body: '', kind: 'retry' },
])("an answer that is none of Route 53's: $status $body", async ({ status, body, kind }) => {
  const server = createServer((_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure: { kind, code: `HTTP ${status}` } })
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject({ kind })
  adapter.dispose()
  server.close()
})

test('all that is ever changed is within the permissions that it asks for', async () => {
  const { adapter, world, route53 } = await route53World({ targets: mixed, name: '*.example.com' })
  for (const [epoch, place, node] of [
    [1, null, 'n1'],
    [2, 'foreign', 'n2'],
    [3, null, 'n1'],
  ] as const) {
    await world.setOutOfBand(place)
    expect(await move(adapter, node, epoch)).toEqual({ kind: 'done' })
  }
  const config = route53Schema.config.parse({ hostedZoneId: zoneId, name: '*.example.com' })
  const [change] = route53Schema
    .permissions({ config, targets: {} })
    .filter((each) => each.kind === 'aws' && each.actions.includes('route53:ChangeResourceRecordSets'))
  const conditions = change?.kind === 'aws' ? change.condition?.['ForAllValues:StringEquals'] : undefined
  const allowed = (key: string) => conditions?.[`route53:ChangeResourceRecordSets${key}`] ?? []
  const changes = batches(route53)
    .flat()
    .map((line) => line.split(' '))
  expect(changes.length).toBeGreaterThan(8)
  for (const [action, name, type] of changes) {
    expect(allowed('Actions')).toContain(action)
    expect(allowed('RecordTypes')).toContain(type)
    expect(allowed('NormalizedRecordNames')).toContain(name!.replace(/\.$/, '').replace(/^\*/, '\\052'))
  }
  await world.end()
})
