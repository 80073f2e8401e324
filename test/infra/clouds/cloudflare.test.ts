/** The strict Cloudflare: what it refuses, what a batch does, and that it answers as Cloudflare's API is published. */
import type { TokenVerifyResponse } from 'cloudflare/resources/accounts/tokens/tokens'
import type { RecordBatchResponse, RecordResponse } from 'cloudflare/resources/dns/records'
import type { LoadBalancer as SdkLoadBalancer } from 'cloudflare/resources/load-balancers/load-balancers'
import type { Pool as SdkPool } from 'cloudflare/resources/load-balancers/pools'
import type { Zone as SdkZone } from 'cloudflare/resources/zones/zones'
import { afterEach, describe, expect, test } from 'vitest'
import { type Cloudflare, createCloudflare, type zoneOnWire } from '../../../infra/lab/clouds/cloudflare.ts'
import { type CloudflareToken, labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import type { BatchResult, CloudflareRecord } from '../../../infra/lab/clouds/cloudflare-dns-rules.ts'
import type { LoadBalancer, Pool } from '../../../infra/lab/clouds/cloudflare-lb-rules.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'
import * as shapes from './cloudflare-shapes.ts'

const accountId = '9a7806061c88ada191ed06f989cc3dac'
const zoneId = '023e105f4ecef8ad9ca31a8372d0c353'
const lbId = '699d98642c564d2e855e9661899b7252'
const poolIds = ['17b5962d775c646f3f9725cbc7a53df4', '9290f38c5d07c2e2f4df57b1f61d4196'] as const
const origins = [{ name: 'a', address: '192.0.2.1', enabled: true, weight: 0.5 }]

let cloudflare: Cloudflare
afterEach(() => cloudflare.close())

async function start(more: Partial<Parameters<typeof createCloudflare>[0]> = {}): Promise<Cloudflare> {
  cloudflare = await createCloudflare({
    accountId,
    zones: [
      {
        id: zoneId,
        name: 'example.com',
        records: [{ name: 'vip.example.com', type: 'A', content: '192.0.2.1', ttl: 60 }],
        loadBalancers: [{ id: lbId, default_pools: [...poolIds], fallback_pool: poolIds[1] }],
      },
    ],
    pools: poolIds.map((id, i) => ({ id, name: `pool-${i}`, origins })),
    ...more,
  })
  return cloudflare
}

type Asking = { method?: string; body?: unknown; headers?: Record<string, string> }

async function ask(path: string, { method = 'GET', body, headers = {} }: Asking = {}) {
  const given = { authorization: `Bearer ${labToken.value}`, 'content-type': 'application/json', ...headers }
  const init = { method, headers: given, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  const response = await fetch(`${cloudflare.endpoint}${path}`, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: JSON.parse(text) }
}

const records = `/zones/${zoneId}/dns_records`
const balancer = `/zones/${zoneId}/load_balancers/${lbId}`
const poolsOf = `/accounts/${accountId}/load_balancers/pools`

async function batch(body: unknown) {
  return ask(`${records}/batch`, { method: 'POST', body })
}

/** The code of a refusal, which must have the published shape. */
function codeOf({ json }: { json: unknown }): number {
  return shapes.refused.parse(json).errors[0]!.code
}

const contents = () => cloudflare.state().zones[0]!.records.map(({ type, content }) => `${type} ${content}`)
const firstId = () => cloudflare.state().zones[0]!.records[0]!.id
const a = (content: string, more: object = {}) => ({ name: 'vip.example.com', type: 'A', content, ttl: 60, ...more })
const txt = (content: string, more: object = {}) => ({ name: '_holdfast.vip', type: 'TXT', content, ttl: 60, ...more })
const cname = (content: string) => ({ name: 'vip.example.com', type: 'CNAME', content, ttl: 60 })

describe('answers as Cloudflare does', () => {
  test('every reply has the published shape', async () => {
    await start()
    const posted = await batch({ posts: [txt('"x"', { comment: 'of ours' })], patches: [{ id: firstId(), ttl: 300 }] })
    expect(shapes.recordBatch.safeParse(posted.json).error).toBeUndefined()
    const patched = await ask(`${poolsOf}/${poolIds[0]}`, { method: 'PATCH', body: { enabled: false } })
    expect(shapes.pool.safeParse(patched.json).error).toBeUndefined()
    const ordered = await ask(balancer, { method: 'PATCH', body: { default_pools: [...poolIds].reverse() } })
    expect(shapes.loadBalancer.safeParse(ordered.json).error).toBeUndefined()
    for (const [path, shape] of [
      [`${records}?name.exact=vip.example.com`, shapes.recordList],
      [`/zones/${zoneId}`, shapes.zone],
      [balancer, shapes.loadBalancer],
      [poolsOf, shapes.poolList],
      [`${poolsOf}/${poolIds[0]}`, shapes.pool],
      ['/user/tokens/verify', shapes.tokenVerified],
    ] as const) {
      const { status, json } = await ask(path)
      expect(status).toBe(200)
      expect(shape.safeParse(json).error, path).toBeUndefined()
    }
  })

  test("what it says is what the official SDK's types promise", () => {
    // Compiled, never run: a field of another type than the SDK has does not pass the compiler.
    const check = (wire: {
      record: Wire<CloudflareRecord>
      batch: Wire<BatchResult>
      pool: Wire<Pool>
      loadBalancer: Wire<LoadBalancer>
      zone: Wire<ReturnType<typeof zoneOnWire>>
      token: { id: string; status: 'active' | 'disabled' | 'expired'; expires_on?: string }
    }) => [
      { ...wire.record, type: 'A' as const } satisfies RecordResponse.ARecord,
      { ...wire.record, type: 'AAAA' as const } satisfies RecordResponse.AAAARecord,
      { ...wire.record, type: 'CNAME' as const } satisfies RecordResponse.CNAMERecord,
      { ...wire.record, type: 'TXT' as const } satisfies RecordResponse.TXTRecord,
      wire.batch satisfies Record<keyof RecordBatchResponse, Wire<CloudflareRecord>[]>,
      wire.pool satisfies SdkPool,
      wire.loadBalancer satisfies Omit<SdkLoadBalancer, 'rules'>,
      wire.zone satisfies SdkZone,
      wire.token satisfies TokenVerifyResponse,
    ]
    expect(check).toBeTypeOf('function')
  })
})

/** A value as JSON has it. */
type Wire<Value> = Value extends readonly (infer Item)[]
  ? Wire<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Wire<Value[Key]> }
    : Value

describe('lets in who may', () => {
  const token = (more: Partial<CloudflareToken>): CloudflareToken => ({ ...labToken, ...more })

  test.each([
    [{ authorization: '' }, 6003],
    [{ authorization: 'Bearer short' }, 6003],
    [{ authorization: `Basic ${labToken.value}` }, 6003],
    [{ authorization: `Bearer ${labToken.value}x` }, 1000],
  ])('not with %j', async (headers, code) => {
    await start()
    expect(codeOf(await ask(records, { headers }))).toBe(code)
  })

  test('not with a token that has expired, nor beyond what it was made for', async () => {
    const may = [
      { permission: 'DNS Read' as const, of: zoneId },
      { permission: 'Pools Write' as const, of: accountId },
    ]
    await start({ tokens: [token({ may }), token({ value: `${labToken.value}old`, status: 'expired' })] })
    expect((await ask(records)).status).toBe(200)
    const refused = await batch({ posts: [a('192.0.2.2')] })
    expect([refused.status, codeOf(refused)]).toEqual([403, 10000])
    expect(codeOf(await ask(`/zones/${zoneId}`))).toBe(10000)
    expect(codeOf(await ask(balancer))).toBe(10000)
    // Whoever may write may read.
    expect((await ask(poolsOf)).status).toBe(200)
    expect(codeOf(await ask(`/accounts/${zoneId}/load_balancers/pools`))).toBe(10000)
    const expired = { authorization: `Bearer ${labToken.value}old` }
    expect(codeOf(await ask(records, { headers: expired }))).toBe(1000)
    expect(contents()).toEqual(['A 192.0.2.1'])
  })

  test('a token is verified where its owner is', async () => {
    await start({ tokens: [token({ owner: 'account' })] })
    expect(codeOf(await ask('/user/tokens/verify'))).toBe(1000)
    const { json } = await ask(`/accounts/${accountId}/tokens/verify`)
    expect(json.result.status).toBe('active')
  })

  test('whoever exceeds the limit is shut out of everything for five minutes', async () => {
    const timers = createManualTimers()
    await start({ timers, limit: 3 })
    for (let i = 0; i < 3; i += 1) expect((await ask(records)).status).toBe(200)
    for (const path of [records, poolsOf, '/user/tokens/verify']) {
      const shut = await ask(path)
      expect([shut.status, codeOf(shut), shut.headers.get('retry-after')]).toEqual([429, 10429, '300'])
    }
    timers.pass(299_000)
    expect((await ask(records)).headers.get('retry-after')).toBe('1')
    timers.pass(1_000)
    expect((await ask(records)).status).toBe(200)
  })
})

describe('a batch', () => {
  test('runs deletes, patches, puts and posts in that order, however they are written', async () => {
    await start()
    const id = firstId()
    const { json } = await batch({
      posts: [cname('n1.example.net'), txt('"x"')],
      puts: [],
      patches: [],
      deletes: [{ id }],
    })
    expect(json.result.posts.map((each: CloudflareRecord) => each.name)).toEqual([
      'vip.example.com',
      '_holdfast.vip.example.com',
    ])
    expect(contents()).toEqual(['CNAME n1.example.net', 'TXT "x"'])
    // An id is never given twice.
    expect(json.result.posts.map((each: CloudflareRecord) => each.id)).not.toContain(id)
  })

  test.each([
    ['a record that has gone', { deletes: [{ id: '0'.repeat(32) }] }, 81044],
    ['a patch of one that has gone', { patches: [{ id: '0'.repeat(32), content: '192.0.2.9' }] }, 81044],
    ['an identical record', { posts: [a('192.0.2.1', { ttl: 300 })] }, 81058],
    ['a CNAME beside an address', { posts: [cname('n1.example.net')] }, 81053],
    ['an address that is none', { posts: [a('192.0.2.256')] }, 9005],
    ['an IPv6 address that is none', { posts: [{ ...a('192.0.2.7'), type: 'AAAA' }] }, 9006],
    ['a TTL of 59', { posts: [a('192.0.2.7', { ttl: 59 })] }, 9021],
    ['a TTL of a day and a second', { posts: [a('192.0.2.7', { ttl: 86_401 })] }, 9021],
    ['a text that is proxied', { posts: [txt('"x"', { proxied: true })] }, 9004],
    ['a text without quotes', { posts: [txt('x')] }, 1004],
    ['a comment that is too long', { posts: [a('192.0.2.7', { comment: 'x'.repeat(101) })] }, 1004],
    ['a field that there is not', { posts: [a('192.0.2.7', { priority: 1 })] }, 1004],
    ['a list that there is not', { inserts: [] }, 1004],
    ['too many items', { posts: Array.from({ length: 201 }, (_, i) => txt(`"${i}"`)) }, 1004],
  ])('refuses %s, and all of it', async (_name, body, code) => {
    await start()
    const before = contents()
    const posts = [txt('"something that is right"'), ...((body as { posts?: object[] }).posts ?? [])]
    const refused = await batch({ ...body, posts })
    expect(codeOf(refused)).toBe(code)
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect(contents()).toEqual(before)
  })

  test('refuses an address beside a CNAME', async () => {
    await start()
    await batch({ deletes: [{ id: firstId() }], posts: [cname('n1.example.net')] })
    expect(codeOf(await batch({ posts: [a('192.0.2.2')] }))).toBe(81054)
    expect(codeOf(await batch({ posts: [cname('n2.example.net')] }))).toBe(81053)
    // A text may stand beside it.
    expect((await batch({ posts: [{ ...cname('"x"'), type: 'TXT' }] })).status).toBe(200)
  })

  test('a patch changes what it names, a put everything, and neither the type', async () => {
    await start()
    const id = firstId()
    await batch({ patches: [{ id, proxied: true }] })
    expect(cloudflare.state().zones[0]!.records).toMatchObject([{ id, content: '192.0.2.1', proxied: true, ttl: 1 }])
    await batch({ puts: [{ id, ...a('192.0.2.3') }] })
    expect(cloudflare.state().zones[0]!.records).toMatchObject([{ id, content: '192.0.2.3', proxied: false, ttl: 60 }])
    expect(codeOf(await batch({ patches: [{ id, type: 'AAAA', content: '2001:db8::1' }] }))).toBe(1004)
  })

  test('that is no JSON is refused', async () => {
    await start()
    const sent = await ask(`${records}/batch`, { method: 'POST', body: {}, headers: { 'content-type': 'text/plain' } })
    expect(codeOf(sent)).toBe(6003)
  })
})

describe('a list', () => {
  test('has the exact name, and pages', async () => {
    await start()
    const many = Array.from({ length: 5 }, (_, i) => a(`192.0.2.${i + 10}`))
    await batch({ posts: [...many, { ...a('192.0.2.99'), name: 'a.vip.example.com' }] })
    const { json } = await ask(`${records}?name.exact=VIP.example.com&per_page=4&page=2`)
    expect(json.result.map(({ content }: CloudflareRecord) => content)).toEqual(['192.0.2.13', '192.0.2.14'])
    expect(json.result_info).toEqual({ page: 2, per_page: 4, count: 2, total_count: 6, total_pages: 2 })
    expect((await ask(`${records}?name.exact=vip`)).json.result).toEqual([])
  })

  test('refuses a filter that it does not know, instead of ignoring it', async () => {
    await start()
    expect(codeOf(await ask(`${records}?name.starts=vip`))).toBe(1004)
    expect(codeOf(await ask(`${records}?page=0`))).toBe(1004)
  })
})

describe('a load balancer', () => {
  test('a PATCH of a pool changes its field; origins that are sent replace all', async () => {
    await start()
    const path = `${poolsOf}/${poolIds[0]}`
    const disabled = await ask(path, { method: 'PATCH', body: { enabled: false } })
    expect(disabled.json.result).toMatchObject({ enabled: false, origins, disabled_at: expect.any(String) })
    const sent = [{ name: 'b', address: '192.0.2.2' }]
    const { json } = await ask(path, { method: 'PATCH', body: { enabled: true, origins: sent } })
    expect(json.result.origins).toEqual([{ name: 'b', address: '192.0.2.2', enabled: true, weight: 1 }])
    expect(json.result.disabled_at).toBeUndefined()
    // So that a test can see who sent them.
    expect(cloudflare.requests.map(({ params }) => params.fields)).toEqual(['enabled', 'enabled origins'])
  })

  test.each([
    ['no pool', { default_pools: [] }],
    ['a pool that there is not', { default_pools: ['0'.repeat(32)] }],
    ['a pool twice', { default_pools: [poolIds[0], poolIds[0]] }],
    ['a policy that there is not', { steering_policy: 'mine' }],
    ['a field that there is not', { pools: [] }],
  ])('refuses %s', async (_name, body) => {
    await start()
    expect(codeOf(await ask(balancer, { method: 'PATCH', body }))).toBe(1002)
    expect(cloudflare.state().zones[0]!.loadBalancers[0]!.default_pools).toEqual(poolIds)
  })

  test('what is not there is not found', async () => {
    await start()
    expect(codeOf(await ask(`/zones/${accountId}/dns_records`))).toBe(7003)
    expect(codeOf(await ask(`/zones/${zoneId}/load_balancers/${poolIds[0]}`))).toBe(1001)
    expect(codeOf(await ask(`${poolsOf}/${lbId}`))).toBe(1001)
    expect(codeOf(await ask('/nothing'))).toBe(7000)
  })
})
