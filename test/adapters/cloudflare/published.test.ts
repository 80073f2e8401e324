/**
 * What Cloudflare publishes of its replies (OpenAPI; `published.json` is the part that matters here, in a form of its own)
 * against what the lab's Cloudflare answers, and against what the adapters read: neither knows a field that is not there.
 * Of zones and of the verification of tokens nothing was to be had but the official SDK's types.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { recordSchema } from '../../../adapters/cloudflare-dns/zone.ts'
import { loadBalancerSchema, poolSchema } from '../../../adapters/cloudflare-load-balancer/traffic.ts'
import { type Cloudflare, createCloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import { accountId, adapterAt, useLabToken, vip, zoneId } from '../cloudflare-dns/worlds.ts'
import published from './published.json' with { type: 'json' }

type Name = Exclude<keyof typeof published, 'source'>

const lbId = '699d98642c564d2e855e9661899b7252'
const poolId = '17b5962d775c646f3f9725cbc7a53df4'

let cloudflare: Cloudflare
beforeEach(async () => {
  useLabToken()
  cloudflare = await createCloudflare({
    accountId,
    zones: [
      {
        ...{ id: zoneId, name: 'example.com' },
        records: [{ name: vip, type: 'A', content: '192.0.2.1', ttl: 60, comment: 'of ours' }],
        loadBalancers: [{ id: lbId, default_pools: [poolId], fallback_pool: poolId, ttl: 30 }],
      },
    ],
    pools: [{ id: poolId, name: 'pool', enabled: false }],
  })
})
afterEach(() => cloudflare.close())

async function ask(path: string, init: { method?: string; body?: object } = {}): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${labToken.value}`, 'content-type': 'application/json' }
  const { method = 'GET', body } = init
  const sent = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) }
  return (await (await fetch(`${cloudflare.endpoint}${path}`, sent)).json()) as Record<string, unknown>
}

/** What of `value` is not published, and what is missing of it. */
function wrongIn(name: Name, value: unknown): readonly string[] {
  const { required, properties }: { required: readonly string[]; properties: readonly string[] } = published[name]
  const keys = Object.keys(value as object)
  const strange = keys.filter((key) => !properties.includes(key)).map((key) => `${name} has no ${key}`)
  const missing = required.filter((key) => !keys.includes(key)).map((key) => `${name} needs ${key}`)
  return [...strange, ...missing]
}

const records = `/zones/${zoneId}/dns_records`
const balancer = `/zones/${zoneId}/load_balancers/${lbId}`
const pools = `/accounts/${accountId}/load_balancers/pools`

test("what the lab's Cloudflare answers is published", async () => {
  const listed = await ask(`${records}?name.exact=${vip}`)
  const [record] = listed.result as { id: string }[]
  expect(wrongIn('dns-records_dns-record-response', record)).toEqual([])
  expect(wrongIn('dns-records_dns_response_collection.result_info', listed.result_info)).toEqual([])
  const { result_info: _, ...envelope } = listed
  expect(wrongIn('load-balancing_api-response-common', envelope)).toEqual([])

  const content = '"x"'
  const posts = [{ name: `_holdfast.${vip}`, type: 'TXT', content, ttl: 60 }]
  const body = { posts, patches: [{ id: record!.id, ttl: 300 }] }
  const batch = (await ask(`${records}/batch`, { method: 'POST', body })).result as Record<string, object[]>
  expect(wrongIn('dns-records_dns-response-batch-object', batch)).toEqual([])
  for (const each of Object.values(batch).flat()) expect(wrongIn('dns-records_dns-record-response', each)).toEqual([])

  const refused = await ask(`${records}/batch`, { method: 'POST', body: { deletes: [{ id: 'f'.repeat(32) }] } })
  expect(wrongIn('dns-records_api-response-common-failure', refused)).toEqual([])
  expect(refused).toMatchObject({ success: false, result: null })

  const [pool] = (await ask(pools)).result as object[]
  expect(wrongIn('load-balancing_pool', pool)).toEqual([])
  const { result: one } = await ask(`${pools}/${poolId}`, { method: 'PATCH', body: { enabled: true } })
  expect(wrongIn('load-balancing_pool', one)).toEqual([])
  expect(wrongIn('load-balancing_load-balancer', (await ask(balancer)).result)).toEqual([])
  const ordered = await ask(balancer, { method: 'PATCH', body: { default_pools: [poolId] } })
  expect(wrongIn('load-balancing_load-balancer', ordered.result)).toEqual([])
})

test('what the adapters read of a reply is published', () => {
  for (const [name, { shape }] of [
    ['dns-records_dns-record-response', recordSchema],
    ['load-balancing_load-balancer', loadBalancerSchema],
    ['load-balancing_pool', poolSchema],
  ] as const) {
    const { properties }: { properties: readonly string[] } = published[name]
    expect(Object.keys(shape).filter((key) => !properties.includes(key))).toEqual([])
  }
})

test('a list that does not say how many pages it has is read until a page is not full', async () => {
  const pages: string[] = []
  const record = (i: number) => ({ id: String(i), name: vip, type: 'MX', content: `mx${i}.example.com`, ttl: 60 })
  const server = createServer((request, response) => {
    const query = new URL(request.url!, 'http://lab').searchParams
    const isVip = query.get('name.exact') === vip
    const page = query.get('page')
    if (isVip) pages.push(page!)
    const address = { id: 'a', name: vip, type: 'A', content: '192.0.2.11', ttl: 60 }
    const full = Array.from({ length: 100 }, (_, i) => record(i))
    const result = !isVip ? [] : page === '1' ? full : [address]
    const said = { success: true, errors: [], messages: [], result, result_info: { count: result.length } }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(said))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`
  const targets = { n1: { a: ['192.0.2.11'] }, n2: { a: ['192.0.2.12'] } } as never
  const seen = await adapterAt(endpoint, { targets }).observe(AbortSignal.timeout(10_000))
  expect(seen).toMatchObject({ kind: 'node', node: 'n1' })
  expect(pages).toEqual(['1', '2'])
})
