/** What is particular to a name at Cloudflare: the one batch, its fence, and what is left alone. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, test, vi } from 'vitest'
import type { Adapter, Observation } from '../../../adapters/adapter.ts'
import { recordTypes } from '../../../adapters/dns/records.ts'
import type { Cloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import type { CloudflareRecord } from '../../../infra/lab/clouds/cloudflare-dns-rules.ts'
import {
  adapterAt,
  addresses,
  cloudflareDnsWorld,
  fenceAt,
  mixed,
  recordsAt,
  useLabToken,
  vip,
  zoneId,
} from './worlds.ts'

beforeEach(() => useLabToken())

const signal = new AbortController().signal
const anchor = '"v=1 anchor"'

type Known = Exclude<Observation, { kind: 'unknown' }>

async function see(adapter: Adapter): Promise<Known> {
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error(`could not observe: ${JSON.stringify(seen.failure)}`)
  return seen
}

async function move(adapter: Adapter, node: string, epoch: number) {
  const { token } = await see(adapter)
  return adapter.apply({ node, epoch, token }, signal)
}

const idsOf = (cloudflare: Cloudflare) => recordsAt(cloudflare).map(({ id, content }) => `${content} ${id}`)

const anchorsAt = (cloudflare: Cloudflare) => {
  return recordsAt(cloudflare, `_holdfast.${vip}`, ['TXT']).filter(({ content }) => content === anchor) as [
    CloudflareRecord,
  ]
}

function batches({ requests }: Cloudflare): number {
  return requests.filter(({ action }) => action === 'POST dns_records/batch').length
}

test('a record that changes its content keeps its id, one that says the same is not touched', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({
    targets: { ...addresses, n1: { a: ['192.0.2.12', '192.0.2.11'] } },
  })
  await world.setOutOfBand('n1')
  const before = Object.fromEntries(recordsAt(cloudflare).map(({ content, id }) => [content, id]))
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  const after = Object.fromEntries(recordsAt(cloudflare).map(({ content, id }) => [content, id]))
  expect(after).toEqual({ '192.0.2.12': before['192.0.2.12'], '192.0.2.22': before['192.0.2.11'] })
  expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=1 owner=n2"'])
  expect(recordsAt(cloudflare).map(({ comment }) => comment)).toContain('holdfast: web/dns to n2, epoch 1')
  expect(batches(cloudflare)).toBe(1)
  await world.end()
})

test('of two that write on the same knowledge one wins, and the other changes nothing', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  await move(adapter, 'n1', 1)
  const { token } = await see(adapter)
  const other = adapterAt(cloudflare.endpoint)
  expect(await other.apply({ node: 'n2', epoch: 3, token }, signal)).toEqual({ kind: 'done' })
  const won = idsOf(cloudflare)
  expect(await adapter.apply({ node: 'n1', epoch: 2, token }, signal)).toMatchObject({
    kind: 'conflict',
    code: '81044',
  })
  expect(idsOf(cloudflare)).toEqual(won)
  expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=3 owner=n2"'])
  await world.end()
})

test('the first write ever loses against another first write, whatever was there before', async () => {
  for (const place of [null, 'foreign'] as const) {
    const { adapter, world, cloudflare } = await cloudflareDnsWorld()
    await world.setOutOfBand(place)
    const { token } = await see(adapter)
    expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
    const late = await adapter.apply({ node: 'n2', epoch: 2, token }, signal)
    // The anchor is what stops it: there was nothing to delete.
    expect(late).toMatchObject({ kind: 'conflict', code: '81058' })
    expect(await world.owner()).toBe('n1')
    expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=1 owner=n1"'])
    await world.end()
  }
})

test('the anchor is identical in every field whatever moves and is configured, or it would not be refused', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  const other = adapterAt(cloudflare.endpoint, { ttl: 300, targets: mixed })
  const anchors = new Set<string>()
  for (const [epoch, by, node] of [
    [1, adapter, 'n1'],
    [2, adapter, 'n2'],
    [3, other, 'n2'],
  ] as const) {
    expect(await move(by, node, epoch)).toEqual({ kind: 'done' })
    const [{ id: _id, created_on: _made, modified_on: _changed, ...same }] = anchorsAt(cloudflare)
    anchors.add(JSON.stringify(same))
  }
  expect(anchors.size).toBe(1)
  await world.end()
})

test('the epoch record alone, or the anchor alone, still fences, and the next move makes both', async () => {
  for (const left of [anchor, '"v=1 epoch=4 owner=n1"']) {
    const { adapter, world, cloudflare } = await cloudflareDnsWorld()
    await move(adapter, 'n1', 4)
    cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT'], [{ type: 'TXT', content: left, ttl: 60 }])
    const { token } = await see(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 5, token }, signal)).toEqual({ kind: 'done' })
    expect(await adapter.apply({ node: 'n1', epoch: 6, token }, signal)).toMatchObject({ kind: 'conflict' })
    expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=5 owner=n2"'])
    await world.end()
  }
})

test('of two epoch records the higher counts, it is said that there are two, and the next move leaves one', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  await world.setOutOfBand('n1')
  const texts = ['"v=1 epoch=3 owner=n2"', '"v=1 epoch=12 owner=n1"', anchor]
  const records = texts.map((content) => ({ type: 'TXT' as const, content, ttl: 60 }))
  cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT'], records)
  const seen = await see(adapter)
  expect(seen).toMatchObject({ kind: 'foreign', epochSeen: 12, what: expect.stringContaining('2 epoch records') })
  expect(await adapter.apply({ node: 'n1', epoch: 11, token: seen.token }, signal)).toMatchObject({
    code: 'StaleEpoch',
  })
  expect(await move(adapter, 'n1', 12)).toEqual({ kind: 'done' })
  expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=12 owner=n1"'])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 12 })
  await world.end()
})

test('an alias in the place of the epoch record is for a person to mend, and no conflict without an end', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  await world.setOutOfBand('n1')
  const alias = { type: 'CNAME' as const, content: 'elsewhere.example.net', ttl: 60 }
  cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT', 'CNAME'], [alias])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('is an alias (CNAME)') })
  expect(await move(adapter, 'n2', 9)).toMatchObject({ kind: 'permanent', code: 'NotOurs' })
  await world.end()
})

test('a text that is none of ours stops every write', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  await world.setOutOfBand('n1')
  const content = '"v=2 epoch=9 owner=n1"'
  cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT'], [{ type: 'TXT', content, ttl: 60 }])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('no epoch of ours') })
  expect(await move(adapter, 'n1', 1)).toMatchObject({ kind: 'permanent', code: 'NotOurs' })
  expect(batches(cloudflare)).toBe(0)
  await world.end()
})

test('a text without quotes, as older tools wrote it, is understood', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  await world.setOutOfBand('n1')
  const content = 'v=1 epoch=9 owner=n1'
  cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT'], [{ type: 'TXT', content, ttl: 60 }])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 9 })
  expect(await move(adapter, 'n2', 10)).toEqual({ kind: 'done' })
  expect(fenceAt(cloudflare)).toEqual([anchor, '"v=1 epoch=10 owner=n2"'])
  await world.end()
})

test('a record that another product keeps is foreign, and never written', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  const worker = { type: 'AAAA' as const, content: '100::', proxied: true, meta: { read_only: true } }
  cloudflare.setOutOfBand(zoneId, vip, recordTypes, [worker])
  expect(await see(adapter)).toMatchObject({ kind: 'foreign', what: expect.stringContaining('another product') })
  expect(await move(adapter, 'n1', 1)).toMatchObject({ kind: 'permanent', code: 'NotOurs' })
  expect(batches(cloudflare)).toBe(0)
  await world.end()
})

test('from addresses to a CNAME and back is one batch each', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ targets: mixed })
  for (const [epoch, node] of [
    [1, 'n1'],
    [2, 'n2'],
    [3, 'n1'],
  ] as const) {
    expect(await move(adapter, node, epoch)).toEqual({ kind: 'done' })
    expect(await see(adapter)).toMatchObject({ kind: 'node', node, epochSeen: epoch })
  }
  expect(batches(cloudflare)).toBe(3)
  await world.end()
})

test.each([
  { name: 'another TTL', record: { ttl: 300, proxied: false } },
  { name: 'a record that is proxied', record: { ttl: 1, proxied: true } },
])('$name is not as the target says, and is put right under the same id', async ({ record }) => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ targets: mixed })
  cloudflare.setOutOfBand(zoneId, vip, recordTypes, [{ type: 'A', content: '192.0.2.11', ...record }])
  const before = idsOf(cloudflare)
  expect(await see(adapter)).toMatchObject({ kind: 'foreign' })
  expect(await move(adapter, 'n1', 1)).toEqual({ kind: 'done' })
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  expect(idsOf(cloudflare)).toEqual(before)
  expect(recordsAt(cloudflare)).toMatchObject([{ ttl: 60, proxied: false }])
  await world.end()
})

test('a proxied name has no TTL of its own; its epoch record is answered by Cloudflare itself', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ proxied: true })
  await move(adapter, 'n1', 1)
  expect(recordsAt(cloudflare)).toMatchObject([
    { ttl: 1, proxied: true },
    { ttl: 1, proxied: true },
  ])
  expect(recordsAt(cloudflare, `_holdfast.${vip}`, ['TXT'])).toMatchObject([{ proxied: false }, { proxied: false }])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test('the same address, written in another way, is the same', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  cloudflare.setOutOfBand(zoneId, vip, recordTypes, [
    { type: 'AAAA', content: '2001:0DB8:0:0:0:0:0:11', ttl: 60 },
    { type: 'A', content: '192.0.2.11', ttl: 60 },
  ])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  await world.end()
})

test('of two nodes with the same target it is the one that the epoch record names', async () => {
  const same = { n1: { a: ['192.0.2.1'] }, n2: { a: ['192.0.2.1'] }, foreign: { a: ['192.0.2.9'] } }
  const { adapter, world } = await cloudflareDnsWorld({ targets: same })
  for (const [epoch, node] of [
    [1, 'n2'],
    [2, 'n1'],
  ] as const) {
    await move(adapter, node, epoch)
    expect(await see(adapter)).toMatchObject({ kind: 'node', node, epochSeen: epoch })
  }
  await world.end()
})

test('other records of the name and its neighbours stay', async () => {
  const records = [
    { name: vip, type: 'MX', content: 'mail.example.com', ttl: 300 },
    { name: vip, type: 'TXT', content: '"verification"', ttl: 300 },
    { name: `a.${vip}`, type: 'A', content: '192.0.2.77', ttl: 300 },
  ] as const
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ records })
  await move(adapter, 'n1', 1)
  await move(adapter, 'n2', 2)
  expect(recordsAt(cloudflare, vip, ['MX', 'TXT'])).toHaveLength(2)
  expect(recordsAt(cloudflare, `a.${vip}`)).toHaveLength(1)
  await world.end()
})

test('one look is two calls, and more only where a name has more records than a page', async () => {
  const records = Array.from({ length: 130 }, (_, i) => {
    return { name: vip, type: 'TXT' as const, content: `"text ${i}"`, ttl: 300 }
  })
  for (const [more, calls] of [
    [[], 2],
    [records, 3],
  ] as const) {
    const { adapter, world, cloudflare } = await cloudflareDnsWorld({ records: more })
    await move(adapter, 'n1', 1)
    const before = cloudflare.requests.length
    expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
    expect(cloudflare.requests.length - before).toBe(calls)
    await world.end()
  }
})

test('connections are kept from one call to the next', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  for (let epoch = 1; epoch <= 10; epoch += 1) await move(adapter, 'n1', epoch)
  expect(cloudflare.requests.length).toBe(30)
  expect(cloudflare.connections()).toBeLessThan(5)
  await world.end()
})

test('a call that is not answered is given up by itself', async () => {
  const { adapter, world } = await cloudflareDnsWorld({ callTimeoutMs: 150 })
  world.inject('observe', 'hang')
  expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'unknown', code: 'TimedOut' } })
  await world.end()
})

test('nothing is taken from the environment: no address, key, header or log of the SDK', async () => {
  vi.stubEnv('CLOUDFLARE_BASE_URL', 'http://127.0.0.1:1')
  vi.stubEnv('CLOUDFLARE_API_TOKEN', 'token-of-the-environment-0123456789')
  vi.stubEnv('CLOUDFLARE_API_KEY', 'key-of-the-environment')
  vi.stubEnv('CLOUDFLARE_EMAIL', 'somebody@example.com')
  vi.stubEnv('CLOUDFLARE_CUSTOM_HEADERS', 'X-Custom: yes')
  vi.stubEnv('CLOUDFLARE_LOG', 'debug')
  const logged = vi.spyOn(console, 'debug').mockImplementation(() => {})
  const got: NodeJS.Dict<string | string[]>[] = []
  const server = createServer((request, response) => {
    got.push(request.headers)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"success":true,"errors":[],"messages":[],"result":[]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  expect(got.map(({ authorization }) => authorization)).toEqual([
    `Bearer ${labToken.value}`,
    `Bearer ${labToken.value}`,
  ])
  expect(Object.keys(got[0]!).filter((name) => /^x-|api-version/.test(name))).toEqual([])
  expect(logged).not.toHaveBeenCalled()
  server.close()
})
