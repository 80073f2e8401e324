/** The cloudflare-edge adapter against the edge Worker as it is deployed: the shared suite, faults, and what is particular. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { cloudflareEdgeSchema } from '../../../adapters/cloudflare-edge/schema.ts'
import { bundleEdge, type Edge, serve, startEdge } from '../../support/edge.ts'
import { eventually } from '../../support/eventually.ts'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, edgeToken, edgeWorld, hosts, targets, useEdgeToken } from './worlds.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-edge-adapter-'))
let code: string
let shared: Edge
let services = 0

beforeAll(async () => {
  code = bundleEdge(join(folder, 'bundle'))
  shared = await startEdge({ code, folder: join(folder, 'shared'), vars: { HOLDFAST_EDGE_TOKEN: edgeToken } })
}, 60_000)
beforeEach(useEdgeToken)
afterAll(async () => {
  await shared?.close()
  rmSync(folder, { recursive: true, force: true })
})

const setup = () => edgeWorld(shared, `web-${++services}`)

adapterCases({ name: 'cloudflare-edge', setup })
faultMatrix({ name: 'cloudflare-edge', setup })

const signal = new AbortController().signal

let edges = 0
async function edgeWith(vars: Record<string, string>, kv = false) {
  const options = { code, folder: join(folder, `edge-${++edges}`), vars, kv }
  let edge = await startEdge(options)
  onTestFinished(() => edge.close())
  return {
    now: () => edge,
    restart: async () => {
      await edge.close()
      edge = await startEdge(options)
    },
  }
}

describe('clients', () => {
  test('follow what the adapter writes, and an older write that comes late changes nothing', async () => {
    const { adapter, world, proxy } = await edgeWorld(shared, `web-${++services}`)
    onTestFinished(() => world.end())
    const origins = await Promise.all(['dc1', 'dc2'].map((site) => serve((_, response) => void response.end(site))))
    for (const origin of origins) onTestFinished(origin.stop)
    const [host, service] = ['followed.test', `web-${++services}`]
    const places = { n1: { site: 'dc1', url: origins[0]!.url }, n2: { site: 'dc2', url: origins[1]!.url } }
    const following = adapterAt(proxy.url, { service, hosts: [host], targets: places })
    const token = async () => {
      const seen = await following.observe(signal)
      return seen.kind === 'unknown' ? null : seen.token
    }
    const seenBy = async () => (await shared.ask(host)).body
    expect(await following.apply({ node: 'n1', epoch: 1, token: await token() }, signal)).toEqual({ kind: 'done' })
    await eventually(seenBy, (body) => expect(body).toBe('dc1'))
    // This one is late, and what comes after it is not.
    proxy.faults.add({ kind: 'late-write', action: 'PUT', ms: 5_000, next: 1 })
    const late = await following.apply({ node: 'n1', epoch: 2, token: await token() }, signal)
    expect(late).toMatchObject({ kind: 'unknown' })
    expect(await following.apply({ node: 'n2', epoch: 3, token: await token() }, signal)).toEqual({ kind: 'done' })
    await eventually(seenBy, (body) => expect(body).toBe('dc2'))
    await world.pass(6_000)
    expect(await (await shared.object()).held(service)).toMatchObject({ epoch: 3, revision: 2 })
    expect(await following.observe(signal)).toMatchObject({ kind: 'node', node: 'n2', epochSeen: 3 })
    expect((await shared.ask(host)).headers).toMatchObject({ 'x-holdfast-site': 'dc2', 'x-holdfast-epoch': '3' })
    adapter.dispose()
  })

  test('follow a repair within the same epoch, once it was written by somebody else', async () => {
    const { now: edge } = await edgeWith({ HOLDFAST_EDGE_TOKEN: edgeToken })
    const origins = await Promise.all(['dc1', 'else'].map((site) => serve((_, response) => void response.end(site))))
    for (const origin of origins) onTestFinished(origin.stop)
    const places = { n1: { site: 'dc1', url: origins[0]!.url }, n2: targets.n2 }
    const adapter = adapterAt(edge().url.href, { hosts: ['www.test'], targets: places })
    const seenBy = async () => (await edge().ask('www.test')).body
    expect(await adapter.apply({ node: 'n1', epoch: 4, token: '0' }, signal)).toEqual({ kind: 'done' })
    await eventually(seenBy, (body) => expect(body).toBe('dc1'))
    const object = await edge().object()
    const held = (await object.get('web'))!
    await object.put({ ...held, owner: null, sites: [{ site: 'else', url: origins[1]!.url, healthy: true }] })
    await eventually(seenBy, (body) => expect(body).toBe('else'))
    const seen = await adapter.observe(signal)
    expect(seen).toMatchObject({ kind: 'foreign', what: `else at ${origins[1]!.url}, for www.test`, epochSeen: 4 })
    expect(await adapter.apply({ node: 'n1', epoch: 4, token: '2' }, signal)).toEqual({ kind: 'done' })
    await eventually(seenBy, (body) => expect(body).toBe('dc1'))
  })
})

describe('a route that outlives its service', () => {
  test('serves on, and gives its hosts to another service once it is written without any', async () => {
    const { now: edge } = await edgeWith({ HOLDFAST_EDGE_TOKEN: edgeToken })
    const origins = await Promise.all(['old', 'new'].map((site) => serve((_, response) => void response.end(site))))
    for (const origin of origins) onTestFinished(origin.stop)
    const adapterOf = (service: string, i: number) => {
      const places = { n1: { site: 'dc1', url: origins[i]!.url }, n2: targets.n2 }
      return adapterAt(edge().url.href, { service, hosts: ['shop.test'], targets: places })
    }
    const move = { node: 'n1', epoch: 7, token: '0' }
    const seenBy = async () => (await edge().ask('shop.test')).body
    expect(await adapterOf('a-former', 0).apply(move, signal)).toEqual({ kind: 'done' })
    expect(await adapterOf('shop', 1).apply(move, signal)).toEqual({ kind: 'done' })
    await eventually(seenBy, (body) => expect(body).toBe('old'))
    // As the edge's README says, since there is no DELETE: an epoch must outlive what it guards.
    const freed = await fetch(new URL('/_holdfast/routes/a-former', edge().url), {
      method: 'PUT',
      headers: { authorization: `Bearer ${edgeToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ hosts: [], epoch: 7, owner: null, sites: [] }),
    })
    expect(freed.status).toBe(200)
    await eventually(seenBy, (body) => expect(body).toBe('new'))
    // Whoever still writes for the former service cannot take the hosts back by an older epoch.
    expect(await adapterOf('a-former', 0).apply({ ...move, epoch: 6 }, signal)).toMatchObject({ code: 'StaleEpoch' })
  })
})

describe('a route', () => {
  test('has the owner’s site first, then the others, and each place once', async () => {
    const service = `web-${++services}`
    const more = { ...targets, n3: targets.n1, n4: { site: 'dc2', url: 'http://127.0.0.1:9004' } }
    const adapter = adapterAt(shared.url.href, { service, targets: more })
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: '0' }, signal)).toEqual({ kind: 'done' })
    expect(await (await shared.object()).get(service)).toEqual({
      ...{ service, hosts, epoch: 1, owner: { node: 'n2', site: 'dc2' } },
      sites: [targets.n2, targets.n1, more.n4].map((site) => ({ ...site, healthy: true })),
    })
    // n1 and n3 are one place: who of them is the owner is said by name.
    expect(await adapter.apply({ node: 'n3', epoch: 2, token: '1' }, signal)).toEqual({ kind: 'done' })
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n3' })
  })

  test('with other hosts than those of the binding is foreign', async () => {
    const service = `web-${++services}`
    expect(await adapterAt(shared.url.href, { service }).apply({ node: 'n1', epoch: 1, token: '0' }, signal)).toEqual({
      kind: 'done',
    })
    const others = adapterAt(shared.url.href, { service, hosts: ['other.test'] })
    expect(await others.observe(signal)).toMatchObject({ kind: 'foreign' })
  })
})

describe('preflight', () => {
  test('tries every node’s write, and writes nothing', async () => {
    const service = `web-${++services}`
    expect(await adapterAt(shared.url.href, { service }).preflight(signal)).toEqual([
      { check: `read the route ${service} at ${shared.url.href}`, result: 'passed', message: null },
      { check: `write the route ${service} to dc1 (n1)`, result: 'passed', message: null },
      { check: `write the route ${service} to dc2 (n2)`, result: 'passed', message: null },
    ])
    expect(await (await shared.object()).held(service)).toEqual({ epoch: 0, revision: 0, route: null })
  })

  test.each([
    { why: 'another token', vars: { HOLDFAST_EDGE_TOKEN: 'another' }, says: 'give control the HOLDFAST_EDGE_TOKEN' },
    { why: 'no token', vars: {}, says: 'npx wrangler secret put HOLDFAST_EDGE_TOKEN' },
    {
      why: 'a control of its own',
      vars: { HOLDFAST_EDGE_TOKEN: edgeToken, HOLDFAST_URL: 'http://127.0.0.1:1', HOLDFAST_TOKEN: 'viewer' },
      says: 'remove HOLDFAST_URL from the Worker',
    },
  ])('says what to do about an edge with $why', async ({ vars, says }) => {
    const { now: edge } = await edgeWith(vars as Record<string, string>)
    const found = await adapterAt(edge().url.href).preflight(signal)
    expect(found.map(({ result }) => result)).toEqual(['failed', 'failed', 'failed'])
    for (const { message } of found) expect(message).toContain(says)
    expect(JSON.stringify(found)).not.toContain(edgeToken)
  })

  test('what is no edge is not believed', async () => {
    let [status, body] = [200, '<html>sign in</html>']
    const portal = await serve((_, response) => void response.writeHead(status).end(body))
    onTestFinished(portal.stop)
    const adapter = adapterAt(portal.url)
    const failures = async () => {
      const seen = await adapter.observe(signal)
      const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: '0' }, signal)
      return [seen.kind === 'unknown' ? seen.failure.kind : seen.kind, outcome.kind]
    }
    expect(await failures()).toEqual(['unknown', 'unknown'])
    for (status of [302, 502, 504]) expect(await failures()).toEqual(['unknown', 'unknown'])
    for (status of [404, 409]) expect(await failures()).toEqual(['permanent', 'permanent'])
    ;[status, body] = [500, JSON.stringify({ code: 'unclear', detail: 'the object did not answer' })]
    expect(await failures()).toEqual(['unknown', 'unknown'])
    ;[status, body] = [500, JSON.stringify({ code: 'misconfigured', detail: 'not configured' })]
    expect(await failures()).toEqual(['permanent', 'permanent'])
  })
})

describe('KV', () => {
  test('has a copy of what was taken; an edge that starts takes the higher epoch of the two', async () => {
    const edge = await edgeWith({ HOLDFAST_EDGE_TOKEN: edgeToken }, true)
    const origin = await serve((_, response) => void response.end('dc1'))
    onTestFinished(origin.stop)
    const places = { n1: { site: 'dc1', url: origin.url }, n2: targets.n2 }
    const adapter = () => adapterAt(edge.now().url.href, { targets: places })
    expect(await adapter().apply({ node: 'n1', epoch: 5, token: '0' }, signal)).toEqual({ kind: 'done' })
    const copy = async () => (await edge.now().copies()).get('default/web', 'json')
    await eventually(copy, (kept) => expect(kept).toMatchObject({ epoch: 5, revision: 1, route: { service: 'web' } }))
    const epochServed = async () => (await edge.now().ask('www.example.com')).headers['x-holdfast-epoch']
    const kept = (await copy()) as { route: { epoch: number } }
    const write = async (epoch: number) => {
      const value = { epoch, revision: 1, route: { ...kept.route, epoch } }
      await (await edge.now().copies()).put('default/web', JSON.stringify(value))
    }
    await write(4)
    await edge.restart()
    await eventually(epochServed, (epoch) => expect(epoch).toBe('5'))
    await write(9)
    await edge.restart()
    await eventually(epochServed, (epoch) => expect(epoch).toBe('9'))
    // A copy decides nothing: the object still holds what was written to it.
    expect(await adapter().observe(signal)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 5 })
  })
})

describe('a binding', () => {
  const { config, target, example } = cloudflareEdgeSchema
  test.each([
    ['a path in the endpoint', { endpoint: 'https://www.example.com/x' }],
    ['credentials in the endpoint', { endpoint: 'https://a:b@www.example.com' }],
    ['an endpoint without a scheme', { endpoint: 'www.example.com' }],
    ['a token that is written out', { token: 'secret' }],
    ['no host', { hosts: [] }],
    ['a host in capitals', { hosts: ['WWW.example.com'] }],
    ['a host with a port', { hosts: ['www.example.com:443'] }],
    ['one host twice', { hosts: ['a.test', 'a.test'] }],
    ['a key that there is not', { zone: 'example.com' }],
  ])('with %s is refused', (_, wrong) => {
    expect(config.safeParse(example.config).success).toBe(true)
    expect(config.safeParse({ ...example.config, ...wrong }).success).toBe(false)
  })

  test.each([
    ['a url with a query', { url: 'https://dc1.test/?x' }],
    ['a url that is none', { url: 'dc1.test' }],
    ['no site', { site: '' }],
  ])('with a target of %s is refused', (_, wrong) => {
    expect(target.safeParse({ site: 'dc1', url: 'https://dc1.test/app' }).success).toBe(true)
    expect(target.safeParse({ site: 'dc1', url: 'https://dc1.test', ...wrong }).success).toBe(false)
  })
})
