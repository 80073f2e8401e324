/** How much one caller may ask for: the bucket by itself, and the API around it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressKey, type Bucket, createLimiter, take } from '../../../control/access/rate-limit.ts'
import { problemOf } from '../../support/problems.ts'
import { createWorld } from '../world.ts'

describe('a bucket', () => {
  test('gives the burst at once, and then so many a second', () => {
    const limit = { perSecond: 10, burst: 3 }
    let bucket: Bucket | undefined
    const ask = (now: number): boolean => {
      const taken = take(bucket, limit, now)
      bucket = taken.bucket
      return taken.allowed
    }
    expect([ask(0), ask(0), ask(0), ask(0)]).toEqual([true, true, true, false])
    expect([ask(99), ask(100), ask(100)]).toEqual([false, true, false])
    expect([ask(60_000), ask(60_000), ask(60_000), ask(60_000)]).toEqual([true, true, true, false])
  })

  test('in any stretch of time nobody gets more than the burst and the rate, and whoever waits as told is served', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 })
    const limits = fc.record({ perSecond: fc.integer({ min: 1, max: 50 }), burst: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(limits, steps, (limit, waits) => {
        let bucket: Bucket | undefined
        let now = 0
        const served: number[] = []
        for (const wait of waits) {
          now += wait
          const taken = take(bucket, limit, now)
          bucket = taken.bucket
          if (taken.allowed) served.push(now)
          else expect(take(bucket, limit, now + taken.waitMs).allowed).toBe(true)
        }
        for (const [i, from] of served.entries()) {
          for (const [j, to] of served.entries()) {
            if (j < i) continue
            expect(j - i + 1).toBeLessThanOrEqual(limit.burst + ((to - from) / 1_000) * limit.perSecond + 1e-6)
          }
        }
      }),
    )
  })

  test('a limiter forgets whom it has not seen for longest, and nobody else', () => {
    const ask = createLimiter({ perSecond: 1, burst: 1 }, 2)
    expect([ask('a', 0), ask('b', 0), ask('a', 0)].map(({ allowed }) => allowed)).toEqual([true, true, false])
    ask('c', 0)
    expect(ask('a', 0).allowed).toBe(false)
    expect(ask('b', 0).allowed).toBe(true)
  })

  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })
})

describe('the API', () => {
  const world = (more = {}) =>
    createWorld({
      app: { rateLimit: { perSecond: 1, burst: 2 }, addressOf: (c) => c.req.header('x-test-address'), ...more },
    })

  test('says when to come back, and lets one in who does', async () => {
    const it = await world()
    const ask = () => it.call('GET', '/v1/nodes', 'viewer-token')
    const first = await ask()
    expect(first.headers.get('ratelimit-policy')).toBe('"token";q=2;w=2')
    expect(first.headers.get('ratelimit')).toBe('"token";r=1;t=1')
    await ask()
    const refused = await ask()
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('ratelimit')).toBe('"token";r=0;t=2')
    expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'too-many-requests' })
    await it.pass(1_000)
    expect((await ask()).status).toBe(200)
  })

  test('a script of an operator starves no node, and no node another', async () => {
    const it = await world()
    for (let i = 0; i < 5; i++) await it.call('GET', '/v1/nodes', 'operator-token')
    const report = (node: string) =>
      it.call('POST', `/v1/nodes/${node}/report`, `node-token-${node.slice(1)}`, it.said(node, 'backup'))
    expect((await report('n1')).status).toBe(200)
    expect((await report('n1')).status).toBe(200)
    expect((await report('n1')).status).toBe(429)
    expect((await report('n2')).status).toBe(200)
  })

  test('who has no token is counted by address, and probes generously', async () => {
    const it = await world({ ownerProbe: 'public' as const })
    const from = async (address: string, path: string) =>
      (await it.app.request(path, { headers: { 'x-test-address': address } })).status
    const guesses = [await from('192.0.2.1', '/v1/nodes'), await from('192.0.2.1', '/v1/nodes')]
    expect(guesses).toEqual([401, 401])
    expect(await from('192.0.2.1', '/v1/nodes')).toBe(429)
    expect(await from('192.0.2.2', '/v1/nodes')).toBe(401)
    // The same address may still probe: ten times as much.
    for (let i = 0; i < 10; i++) {
      expect(await from('192.0.2.1', '/v1/services/web/owner?node=n1')).toBe(503)
      expect(await from('192.0.2.1', '/healthz')).toBe(200)
    }
    expect(await from('192.0.2.1', '/healthz')).toBe(429)
  })

  test('where no address is known, nobody without a token is mistaken for another', async () => {
    const it = await world({ addressOf: () => undefined })
    for (let i = 0; i < 10; i++) expect((await it.call('GET', '/healthz', null)).status).toBe(200)
  })
})
