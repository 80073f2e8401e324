/** The edge Worker in workerd, between real clients, real origins and a control that comes and goes, all on loopback. */

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, type RequestListener, request } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { EdgeRoute, EdgeSite } from '../../../control/edge/contract.ts'
import { bundleEdge, type Edge, serve, serveMap, startEdge } from '../../support/edge.ts'
import { eventually } from '../../support/eventually.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-edge-'))
let code = ''
beforeAll(() => {
  code = bundleEdge(join(folder, 'bundle'))
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const host = 'www.example.com'

function routeOf(epoch: number, sites: readonly EdgeSite[], more: Partial<EdgeRoute> = {}): EdgeRoute {
  const [first] = sites
  const owner = first === undefined ? null : { node: 'n1', site: first.site }
  return { hosts: [host, '*.example.net'], service: 'web', epoch, owner, sites: [...sites], ...more }
}

/** Says which site it is, and what it was asked. */
async function originOf(site: string, listener?: RequestListener) {
  const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = []
  const server = await serve((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part
    })
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body })
      if (listener === undefined) response.end(site)
      else listener(request, response)
    })
  })
  onTestFinished(server.stop)
  return { ...server, seen, site, as: (healthy = true): EdgeSite => ({ site, url: server.url, healthy }) }
}

/** A site where nobody listens. */
async function deadSite(site: string): Promise<EdgeSite> {
  const server = await serve(() => undefined)
  await server.stop()
  return { site, url: server.url, healthy: true }
}

let edges = 0
async function edgeFor(routes: readonly EdgeRoute[], vars: Record<string, string> = {}) {
  const control = await serveMap(routes)
  onTestFinished(control.stop)
  const settings = { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: 'viewer', HOLDFAST_ORIGIN_TIMEOUT_MS: '2000', ...vars }
  const place = join(folder, `edge-${++edges}`)
  let edge = await startEdge({ code, folder: place, vars: settings })
  onTestFinished(() => edge.close())
  return {
    control,
    ask: (...asked: Parameters<Edge['ask']>) => edge.ask(...asked),
    object: () => edge.object(),
    url: () => edge.url,
    /** A new process, with nothing but what the former one has kept. */
    restart: async (lost: 'nothing' | 'cache' = 'nothing') => {
      await edge.close()
      if (lost === 'cache') rmSync(join(place, 'cache'), { recursive: true })
      edge = await startEdge({ code, folder: place, vars: settings })
    },
  }
}

describe('a request', () => {
  test('goes to the owner’s origin as it is, with what a proxy has to say', async () => {
    const dc1 = await originOf('dc1')
    const edge = await edgeFor([routeOf(7, [dc1.as()])])
    const headers = {
      connection: 'x-mine, close',
      'x-mine': 'for the edge only',
      'x-forwarded-for': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'x-kept': 'yes',
    }
    const answer = await edge.ask(host, { path: '/a/b%20c?d=e&f', headers })
    expect(answer).toMatchObject({
      status: 200,
      body: 'dc1',
      headers: { 'x-holdfast-site': 'dc1', 'x-holdfast-epoch': '7' },
    })
    const [seen] = dc1.seen
    expect(seen).toMatchObject({ method: 'GET', url: '/a/b%20c?d=e&f' })
    expect(seen?.headers).toMatchObject({
      host: new URL(dc1.url).host,
      'x-forwarded-host': host,
      'x-forwarded-proto': 'http',
      'x-kept': 'yes',
      via: '1.1 holdfast-edge',
    })
    for (const name of ['x-mine', 'forwarded']) expect(seen?.headers).not.toHaveProperty(name)
    expect(String(seen?.headers['x-forwarded-for'])).not.toContain('6.6.6.6')
  })

  test('what the origin answers is the answer, be it an error or a redirect', async () => {
    let status = 503
    const dc1 = await originOf('dc1', (_, response) =>
      response.writeHead(status, { location: 'https://elsewhere.test/', 'x-own': 'yes' }).end('from dc1'),
    )
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(1, [dc1.as(), dc2.as()])])
    for (status of [503, 500, 302, 404]) {
      expect(await edge.ask(host)).toMatchObject({ status, body: 'from dc1', headers: { 'x-own': 'yes' } })
    }
    expect(dc2.seen).toEqual([])
  })

  test('a body and its answer pass through while they are still being sent', async () => {
    const dc1 = await serve((request, response) => void request.pipe(response))
    onTestFinished(dc1.stop)
    const edge = await edgeFor([routeOf(1, [{ site: 'dc1', url: dc1.url, healthy: true }])])
    const asked = request(edge.url(), { method: 'POST', headers: { host }, agent: false })
    asked.write('first')
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    expect(String((await once(response, 'data'))[0])).toBe('first')
    asked.end('last')
    expect(String((await once(response, 'data'))[0])).toBe('last')
    const large = Buffer.alloc(3_000_000, 'x')
    expect((await edge.ask(host, { method: 'POST', body: large })).body).toHaveLength(large.length)
  })

  test('a host below a pattern', async () => {
    const dc1 = await originOf('dc1')
    const edge = await edgeFor([routeOf(1, [dc1.as()])])
    expect((await edge.ask('a.b.example.net')).body).toBe('dc1')
  })

  test('a host that no service has', async () => {
    const edge = await edgeFor([routeOf(1, [await deadSite('dc1')])])
    const answer = await edge.ask('nobody.test')
    expect(answer).toMatchObject({ status: 421, headers: { 'content-type': 'application/problem+json' } })
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'unknown-host',
      detail: 'no service has the host nobody.test',
    })
  })

  test('one that has been here before goes nowhere', async () => {
    const dc1 = await originOf('dc1')
    const edge = await edgeFor([routeOf(1, [dc1.as()])])
    const answer = await edge.ask(host, { headers: { via: '1.1 other, 1.1 holdfast-edge' } })
    expect(answer.status).toBe(508)
    expect(dc1.seen).toEqual([])
  })

  test('a WebSocket', async () => {
    const server = await serve(() => undefined)
    onTestFinished(server.stop)
    const sockets = new WebSocketServer({ server: server.server })
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`dc1 heard ${String(data)}`)))
    onTestFinished(() => {
      for (const client of sockets.clients) client.terminate()
      sockets.close()
    })
    const edge = await edgeFor([routeOf(3, [await deadSite('dead'), { site: 'dc1', url: server.url, healthy: true }])])
    const socket = new WebSocket(`${edge.url().href.replace('http', 'ws')}live`, { headers: { host } })
    onTestFinished(() => socket.terminate())
    const heard = new Promise((resolve, reject) => {
      socket.once('open', () => socket.send('hello')).once('message', (data) => resolve(String(data)))
      socket.once('error', reject)
    })
    const upgraded = new Promise((resolve) =>
      socket.once('upgrade', ({ headers }) => resolve(headers['x-holdfast-site'])),
    )
    expect(await heard).toBe('dc1 heard hello')
    expect(await upgraded).toBe('dc1')
  })
})

describe('an origin that cannot be connected to', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])('%s goes to the next healthy site', async (method) => {
    const [dc2, dc3] = [await originOf('dc2'), await originOf('dc3')]
    const edge = await edgeFor([routeOf(2, [await deadSite('dc1'), dc2.as(false), dc3.as()])])
    const answer = await edge.ask(host, { method })
    expect(answer).toMatchObject({ status: 200, headers: { 'x-holdfast-site': 'dc3', 'x-holdfast-epoch': '2' } })
    expect(dc2.seen).toEqual([])
  })

  test('PUT with a small body is sent again, with its body', async () => {
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(2, [await deadSite('dc1'), dc2.as()])])
    expect((await edge.ask(host, { method: 'PUT', body: 'small' })).body).toBe('dc2')
    expect(dc2.seen[0]?.body).toBe('small')
  })

  test.each([
    { name: 'POST', method: 'POST', body: 'order' },
    { name: 'POST without a body', method: 'POST', body: '' },
    { name: 'PATCH', method: 'PATCH', body: 'x' },
    { name: 'PUT with a body too large to keep', method: 'PUT', body: 'x'.repeat(100_000) },
  ])('$name is not sent twice', async ({ method, body }) => {
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(2, [await deadSite('dc1'), dc2.as()])])
    const answer = await edge.ask(host, { method, body })
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'no-origin', tried: [{ site: 'dc1' }] })
    expect(dc2.seen).toEqual([])
  })

  test.each(['GET', 'POST'])('%s at an origin that hangs up in the middle', async (method) => {
    let asked = 0
    const half = createTcp((socket) => {
      socket.once('data', () => {
        asked += 1
        socket.destroy()
      })
    })
    half.listen(0, '127.0.0.1')
    onTestFinished(() => void half.close())
    await new Promise((resolve) => half.once('listening', resolve))
    const dc1: EdgeSite = {
      site: 'dc1',
      url: `http://127.0.0.1:${(half.address() as { port: number }).port}`,
      healthy: true,
    }
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(2, [dc1, dc2.as()])])
    const answer = await edge.ask(host, { method, body: method === 'POST' ? 'order' : '' })
    expect(answer.status).toBe(method === 'GET' ? 200 : 502)
    expect(dc2.seen).toHaveLength(method === 'GET' ? 1 : 0)
    expect(asked).toBeGreaterThanOrEqual(1)
  })

  test('what Cloudflare answers in its place counts as such', async () => {
    const dc1 = await originOf('dc1', (_, response) => response.writeHead(523).end('origin is unreachable'))
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(2, [dc1.as(), dc2.as()])])
    expect((await edge.ask(host)).body).toBe('dc2')
    expect(await edge.ask(host, { method: 'POST', body: 'order' })).toMatchObject({ status: 523 })
  })

  test('one that does not answer in time: GET goes on, POST is told', async () => {
    const dc1 = await originOf('dc1', () => undefined)
    const dc2 = await originOf('dc2')
    const edge = await edgeFor([routeOf(2, [dc1.as(), dc2.as()])], { HOLDFAST_ORIGIN_TIMEOUT_MS: '300' })
    expect((await edge.ask(host)).body).toBe('dc2')
    expect((await edge.ask(host, { method: 'POST', body: 'order' })).status).toBe(504)
    expect(dc2.seen).toHaveLength(1)
  })

  test('all of them: what was tried, and no address', async () => {
    const sites = [await deadSite('dc1'), await deadSite('dc2')]
    const edge = await edgeFor([routeOf(2, sites)])
    const answer = await edge.ask(host)
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'no-origin',
      tried: [
        { site: 'dc1', why: 'could not be connected to' },
        { site: 'dc2', why: 'could not be connected to' },
      ],
    })
    expect(answer.body).not.toContain('127.0.0.1')
  })

  test('a service without any site', async () => {
    const edge = await edgeFor([routeOf(0, [])])
    expect((await edge.ask(host)).status).toBe(503)
  })
})

describe('the map', () => {
  const bodyOf = async (edge: { ask: Edge['ask'] }) => (await edge.ask(host)).body

  test('the owner moves, and requests follow at once', async () => {
    const [dc1, dc2] = [await originOf('dc1'), await originOf('dc2')]
    const edge = await edgeFor([routeOf(1, [dc1.as(), dc2.as()])])
    expect(await bodyOf(edge)).toBe('dc1')
    await eventually(
      () => bodyOf(edge).then(edge.control.waiting),
      (waiting) => expect(waiting).toBe(1),
    )
    edge.control.say([routeOf(2, [dc2.as(), dc1.as()])])
    await eventually(
      () => bodyOf(edge),
      (body) => expect(body).toBe('dc2'),
    )
    edge.control.say([routeOf(3, [dc1.as(), dc2.as()])])
    await eventually(
      () => bodyOf(edge),
      (body) => expect(body).toBe('dc1'),
    )
  })

  test('control is asked once and waits, however many requests there are', async () => {
    const dc1 = await originOf('dc1')
    const edge = await edgeFor([routeOf(1, [dc1.as()])])
    for (let i = 0; i < 5; i += 1) await Promise.all(Array.from({ length: 10 }, () => bodyOf(edge)))
    expect(edge.control.asked.length).toBeLessThanOrEqual(12)
    expect(edge.control.waiting()).toBe(1)
  })

  test('control is gone: the last owner is served, also by an edge that has restarted', async () => {
    const [dc1, dc2] = [await originOf('dc1'), await originOf('dc2')]
    const edge = await edgeFor([routeOf(4, [dc2.as(), dc1.as()])])
    expect(await bodyOf(edge)).toBe('dc2')
    await eventually(
      async () => (await edge.object()).get('web'),
      (kept) => expect(kept?.epoch).toBe(4),
    )
    await edge.control.stop()
    expect(await bodyOf(edge)).toBe('dc2')
    await edge.restart()
    expect(await edge.ask(host)).toMatchObject({ status: 200, body: 'dc2', headers: { 'x-holdfast-epoch': '4' } })
    expect((await edge.ask('nobody.test')).status).toBe(421)
    await edge.restart('cache')
    expect(await edge.ask(host)).toMatchObject({ status: 200, body: 'dc2', headers: { 'x-holdfast-epoch': '4' } })
  })

  test('and once it is back, what it says then', async () => {
    const [dc1, dc2] = [await originOf('dc1'), await originOf('dc2')]
    const edge = await edgeFor([routeOf(1, [dc1.as()])])
    expect(await bodyOf(edge)).toBe('dc1')
    await edge.control.stop()
    expect(await bodyOf(edge)).toBe('dc1')
    edge.control.say([routeOf(2, [dc2.as()])])
    const resumed = await edge.control.resume()
    onTestFinished(resumed.stop)
    await eventually(
      () => bodyOf(edge),
      (body) => expect(body).toBe('dc2'),
    )
  })

  test('a control whose database is old is not followed back, not even by an edge that has restarted', async () => {
    const [dc1, dc2] = [await originOf('dc1'), await originOf('dc2')]
    const edge = await edgeFor([routeOf(9, [dc2.as()])])
    expect(await bodyOf(edge)).toBe('dc2')
    await eventually(
      async () => (await edge.object()).get('web'),
      (kept) => expect(kept?.epoch).toBe(9),
    )
    edge.control.say([routeOf(3, [dc1.as()])])
    expect(await bodyOf(edge)).toBe('dc2')
    await edge.restart()
    expect(await edge.ask(host)).toMatchObject({ body: 'dc2', headers: { 'x-holdfast-epoch': '9' } })
    edge.control.say([routeOf(10, [dc1.as()])])
    await eventually(
      () => bodyOf(edge),
      (body) => expect(body).toBe('dc1'),
    )
  })

  test('nothing was ever heard: 503, and as soon as control is there, service', async () => {
    const dc1 = await originOf('dc1')
    const edge = await edgeFor([routeOf(1, [dc1.as()])])
    await edge.control.stop()
    expect((await edge.ask(host)).status).toBe(503)
    const resumed = await edge.control.resume()
    onTestFinished(resumed.stop)
    expect(await bodyOf(edge)).toBe('dc1')
  })

  test('the object refuses a lower epoch and says the highest; an edge without control serves what it is given', async () => {
    const [dc1, dc2] = [await originOf('dc1'), await originOf('dc2')]
    const edge = await edgeFor([], { HOLDFAST_URL: '' })
    expect((await edge.ask(host)).status).toBe(500)
    const alone = await startEdge({ code, folder: join(folder, 'alone'), vars: {} })
    onTestFinished(() => alone.close())
    expect((await alone.ask(host)).status).toBe(503)
    const object = await alone.object()
    expect(await object.put(routeOf(5, [dc1.as()]))).toEqual({ taken: true, epoch: 5, revision: 1 })
    expect(await object.put(routeOf(4, [dc2.as()]))).toEqual({ taken: false, epoch: 5, revision: 1 })
    await eventually(
      () => bodyOf(alone),
      (body) => expect(body).toBe('dc1'),
    )
    expect(await object.put(routeOf(6, [dc2.as()]))).toEqual({ taken: true, epoch: 6, revision: 2 })
    await eventually(
      () => bodyOf(alone),
      (body) => expect(body).toBe('dc2'),
    )
    expect((await object.get('web'))?.epoch).toBe(6)
    expect(await object.get('other')).toBeNull()
  })
})
