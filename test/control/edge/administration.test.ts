/** Where routes are written into the edge from outside, in workerd: who may, what is refused, and what was there before. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bundleEdge, type Edge, type EdgeRequest, startEdge } from '../../support/edge.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-edge-administration-'))
const token = 'edge-token-0123456789'
const host = 'www.example.com'
let code: string
let edge: Edge

beforeAll(async () => {
  code = bundleEdge(join(folder, 'bundle'))
  edge = await startEdge({ code, folder: join(folder, 'edge'), vars: { HOLDFAST_EDGE_TOKEN: token } })
}, 60_000)
afterAll(async () => {
  await edge?.close()
  rmSync(folder, { recursive: true, force: true })
})

const route = (epoch: number) => ({
  hosts: [host],
  epoch,
  owner: { node: 'n1', site: 'dc1' },
  sites: [{ site: 'dc1', url: 'http://127.0.0.1:9', healthy: true }],
})

async function call(service: string, request: EdgeRequest = {}, of: Edge = edge) {
  const headers = { authorization: `Bearer ${token}`, ...request.headers }
  const answer = await of.ask(host, { path: `/_holdfast/routes/${service}`, ...request, headers })
  return { status: answer.status, etag: answer.headers.etag, body: JSON.parse(answer.body) as Record<string, unknown> }
}

const put = (service: string, body: unknown, headers: Record<string, string> = {}) =>
  call(service, { method: 'PUT', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })

describe('a route', () => {
  test('is written, read, and written again by whoever has seen it', async () => {
    expect(await call('web')).toMatchObject({ status: 200, etag: '"0"', body: { epoch: 0, revision: 0, route: null } })
    expect(await put('web', route(3), { 'if-match': '"0"' })).toEqual({
      ...{ status: 200, etag: '"1"' },
      body: { epoch: 3, revision: 1 },
    })
    expect((await call('web')).body).toEqual({ epoch: 3, revision: 1, route: { ...route(3), service: 'web' } })
    expect((await put('web', route(3), { 'if-match': '"1"' })).body).toEqual({ epoch: 3, revision: 2 })
  })

  test.each([
    { refused: 'of a lower epoch', epoch: 4, match: '"1"' },
    { refused: 'of a lower epoch, from one who has seen nothing', epoch: 4, match: undefined },
    { refused: 'of another revision', epoch: 5, match: '"0"' },
    { refused: 'of a higher epoch and another revision', epoch: 6, match: '"2"' },
    { refused: 'of no revision', epoch: 6, match: '"-1"' },
  ])('$refused is refused with what is held', async ({ refused, epoch, match }) => {
    const service = encodeURIComponent(refused)
    expect((await put(service, route(5), { 'if-match': '"0"' })).status).toBe(200)
    const answer = await put(service, route(epoch), match === undefined ? {} : { 'if-match': match })
    expect(answer).toMatchObject({ status: 409, etag: '"1"', body: { code: 'conflict', epoch: 5, revision: 1 } })
    expect((await call(service)).body).toMatchObject({ epoch: 5, revision: 1, route: { epoch: 5, service: refused } })
  })

  test('of two that were written on the same sight, one is taken', async () => {
    const writes = Array.from({ length: 10 }, () => put('race', route(1), { 'if-match': '"0"' }))
    const statuses = (await Promise.all(writes)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 409)])
    expect((await call('race')).body).toMatchObject({ revision: 1 })
  })

  test.each([
    { what: 'no JSON', body: '{', status: 422 },
    { what: 'no route', body: { epoch: 1 }, status: 422 },
    {
      what: 'a url that leads nowhere',
      body: { ...route(1), sites: [{ site: 'x', url: 'x', healthy: true }] },
      status: 422,
    },
    { what: 'a negative epoch', body: route(-1), status: 422 },
    { what: 'a body that is too long', body: ' '.repeat(70_000), status: 413 },
  ])('that is $what is refused', async ({ body, status }) => {
    expect((await put('wrong', body)).status).toBe(status)
    expect((await call('wrong')).body).toEqual({ epoch: 0, revision: 0, route: null })
  })

  test.each(['7', 'W/"7"', '*', '"x"'])('written with If-Match: %s is refused', async (match) => {
    expect((await put('wrong', route(1), { 'if-match': match })).status).toBe(400)
  })
})

describe('who', () => {
  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer another',
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
  ])('says %s may do nothing, and learns nothing', async (authorization) => {
    const headers = { authorization: authorization ?? '' }
    for (const request of [{ headers }, { headers, method: 'PUT', body: JSON.stringify(route(1)) }]) {
      const answer = await call('web', request)
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
      expect(JSON.stringify(answer)).not.toContain(token)
    }
  })

  test('may, does so on any host, and nothing else than reading and writing a route', async () => {
    const headers = { authorization: `bearer ${token}` }
    expect((await edge.ask('any.host.test', { path: '/_holdfast/routes/web', headers })).status).toBe(200)
    expect((await call('web', { method: 'DELETE' })).status).toBe(405)
    for (const path of ['/_holdfast/', '/_holdfast/routes/', '/_holdfast/routes/a/b', '/_holdfast/routes/%E0%A4%A']) {
      expect((await edge.ask(host, { path, headers })).status).toBe(404)
    }
  })

  test('asks an edge without a token finds nothing, whatever he says', async () => {
    const bare = await startEdge({ code, folder: join(folder, 'bare'), vars: {} })
    onTestFinished(() => bare.close())
    for (const authorization of [`Bearer ${token}`, 'Bearer undefined', 'Bearer ']) {
      expect((await call('web', { headers: { authorization } }, bare)).status).toBe(404)
    }
  })

  test('writes to an edge that follows control is told so', async () => {
    const vars = { HOLDFAST_EDGE_TOKEN: token, HOLDFAST_URL: 'http://127.0.0.1:1', HOLDFAST_TOKEN: 'viewer' }
    const following = await startEdge({ code, folder: join(folder, 'following'), vars })
    onTestFinished(() => following.close())
    const request = { method: 'PUT', body: JSON.stringify(route(1)) }
    expect(await call('web', request, following)).toMatchObject({ status: 403, body: { code: 'follows-control' } })
  })
})

/** The object as it was before there were revisions. */
const former = `
import { DurableObject } from 'cloudflare:workers'
export class EdgeMap extends DurableObject {
  constructor(context, env) {
    super(context, env)
    const { sql } = context.storage
    sql.exec('CREATE TABLE IF NOT EXISTS routes (service TEXT PRIMARY KEY, epoch INTEGER NOT NULL, record TEXT) STRICT')
  }
  put(route) {
    const text = 'INSERT INTO routes (service, epoch, record) VALUES (?, ?, ?)'
    this.ctx.storage.sql.exec(text, route.service, route.epoch, JSON.stringify(route))
  }
}
export default { fetch: () => new Response('former') }
`

test('an object from before there were revisions keeps what it has, and has revisions from then on', async () => {
  const place = { folder: join(folder, 'former'), vars: { HOLDFAST_EDGE_TOKEN: token } }
  const before = await startEdge({ code: former, ...place })
  await (await before.object()).put({ ...route(7), service: 'web' })
  await before.close()
  for (const revision of [0, 1]) {
    const now = await startEdge({ code, ...place })
    expect((await call('web', {}, now)).body).toMatchObject({
      epoch: 7,
      revision,
      route: { ...route(7), service: 'web' },
    })
    const request = { method: 'PUT', headers: { 'if-match': `"${revision}"` }, body: JSON.stringify(route(7)) }
    expect(await call('web', request, now)).toMatchObject({ status: 200, body: { epoch: 7, revision: revision + 1 } })
    await now.close()
  }
})
