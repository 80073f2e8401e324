/** The API without a server: what every refusal looks like, and the shapes that clients rely on. */
import { describe, expect, test } from 'vitest'
import { problemOf } from '../support/problems.ts'
import { binding, member, service } from '../support/service-views.ts'
import { createWorld } from './world.ts'

const report = (node = 'n1', more = {}) => ({
  node,
  site: 'dc1',
  incarnation: `${node}-incarnation`,
  sequence: 1,
  services: { web: { state: 'active', priority: 200, healthy: true, since: '2026-11-22T08:00:00.000Z' } },
  ...more,
})

describe('problems', () => {
  test.each<{ name: string; method?: string; path: string; body?: unknown; status: number; detail: RegExp }>([
    { name: 'an unknown path', path: '/v2/x', status: 404, detail: /nothing at \/v2\/x/ },
    { name: 'an unknown service', path: '/v1/services/nope', status: 404, detail: /no service nope/ },
    { name: 'an unknown operation', path: '/v1/operations/nope', status: 404, detail: /no operation nope/ },
    {
      name: 'a method that is not there',
      method: 'DELETE',
      path: '/v1/nodes',
      status: 405,
      detail: /takes GET, not DELETE/,
    },
    { name: 'a bad name', path: '/v1/services/-x-', status: 400, detail: /^path\.service: a name is/ },
    { name: 'a probe without a node', path: '/v1/services/web/owner', status: 400, detail: /^query\.node:/ },
    { name: 'a bad limit', path: '/v1/events?limit=0', status: 400, detail: /^query\.limit:/ },
    { name: 'a bad wait', path: '/v1/operations/x?wait=10', status: 400, detail: /^query\.wait:/ },
    {
      name: 'a key that is unknown',
      method: 'POST',
      path: '/v1/services/web/switchover',
      body: { ot: 'n2' },
      status: 400,
      detail: /^body\.ot:/,
    },
    {
      name: 'a body that is not JSON',
      method: 'POST',
      path: '/v1/services/web/switchover',
      body: '{',
      status: 400,
      detail: /not valid JSON/,
    },
    {
      name: 'a switchover that nobody can take',
      method: 'POST',
      path: '/v1/services/web/switchover',
      body: {},
      status: 409,
      detail: /no other node/,
    },
    {
      name: 'an unknown service to move',
      method: 'POST',
      path: '/v1/services/nope/switchover',
      body: {},
      status: 404,
      detail: /no service nope/,
    },
  ])('$name', async ({ method = 'GET', path, body, status, detail }) => {
    const it = await createWorld()
    const problem = await problemOf(await it.call(method, path, 'operator-token', body))
    expect(problem.status).toBe(status)
    expect(problem.detail).toMatch(detail)
  })

  test('405 names what is allowed', async () => {
    const it = await createWorld()
    expect((await it.call('PUT', '/v1/nodes', 'viewer-token')).headers.get('allow')).toBe('GET')
  })

  test('a report that does not fit names each place', async () => {
    const it = await createWorld()
    const bad = report('n1', { services: { web: { state: 'aktiv', priority: 999, healthy: true, since: 'now' } } })
    const problem = await problemOf(await it.call('POST', '/v1/nodes/n1/report', 'node-token-1', bad))
    expect(problem.errors?.map(({ place }) => place)).toEqual([
      'body.services.web.state',
      'body.services.web.priority',
      'body.services.web.since',
    ])
  })

  test('a report for another node than the path’s', async () => {
    const it = await createWorld()
    const problem = await problemOf(await it.call('POST', '/v1/nodes/n1/report', 'node-token-1', report('n2')))
    expect(problem).toMatchObject({ status: 400, errors: [{ place: 'body.node' }] })
  })

  test('a body that is too large', async () => {
    const it = await createWorld()
    const body = report('n1', { site: 'x'.repeat(300_000) })
    expect(await problemOf(await it.call('POST', '/v1/nodes/n1/report', 'node-token-1', body))).toMatchObject({
      status: 413,
    })
  })

  test.each(['text/plain', 'application/jsonp', 'application/x-www-form-urlencoded'])('a body of %s', async (type) => {
    const it = await createWorld()
    const headers = { authorization: 'Bearer operator-token', 'content-type': type }
    const response = await it.app.request('/v1/services/web/switchover', { method: 'POST', headers, body: '{}' })
    expect(await problemOf(response)).toMatchObject({ status: 415 })
  })

  test('a plain GET of the link says what to do', async () => {
    const it = await createWorld()
    expect(await problemOf(await it.call('GET', '/v1/agent', 'node-token-1'))).toMatchObject({ status: 426 })
  })

  test('a former incarnation is a conflict', async () => {
    const it = await createWorld()
    const send = (incarnation: string, sequence: number) =>
      it.call('POST', '/v1/nodes/n1/report', 'node-token-1', report('n1', { incarnation, sequence }))
    expect((await send('first-start', 1)).status).toBe(200)
    expect((await send('second-start', 1)).status).toBe(200)
    expect(await problemOf(await send('first-start', 2))).toMatchObject({ status: 409, code: 'former-incarnation' })
  })
})

describe('shapes', () => {
  async function settled() {
    const it = await createWorld()
    it.cluster.start()
    const body = (await it.call('POST', '/v1/nodes/n1/report', 'node-token-1', report())) as Response
    expect(await body.json()).toEqual({ commands: [] })
    await it.cluster.report(it.said('n2', 'backup'), 'post')
    await it.idle()
    return it
  }

  test('a service', async () => {
    const it = await settled()
    const response = await it.call('GET', '/v1/services/web', 'viewer-token')
    const at = '2026-11-22T00:00:00.000Z'
    const shape = service({
      owner: { node: 'n1', site: 'dc1', epoch: 1, since: at },
      members: [
        member('n1', { state: 'active', priority: 200, connected: false, lastReport: at }),
        member('n2', { connected: false, lastReport: at }),
      ],
      bindings: [binding({ adapter: 'memory', epoch: 1 })],
    })
    expect(await response.json()).toEqual(shape)
    expect(await (await it.call('GET', '/v1/services', 'viewer-token')).json()).toEqual({
      services: [shape],
      next: null,
    })
  })

  test('a switchover, from the request to its end', async () => {
    const it = await settled()
    const body = { to: 'n2', reason: 'patch day' }
    const response = await it.call('POST', '/v1/services/web/switchover', 'operator-token', body)
    expect(response.status).toBe(202)
    const { operation } = (await response.json()) as { operation: { id: string } }
    expect(response.headers.get('location')).toBe(`/v1/operations/${operation.id}`)
    expect(operation).toMatchObject({ status: 'running', from: 'n1', to: 'n2', by: 'ops', reason: 'patch day' })

    const waiting = it.call('GET', `/v1/operations/${operation.id}?wait=10s`, 'viewer-token')
    await it.idle()
    await it.cluster.report(it.said('n2', 'active'), 'post')
    await it.cluster.report(it.said('n1', 'backup', { sequence: 9 }), 'post')
    await it.idle()
    expect(await (await waiting).json()).toMatchObject({ status: 'done', failure: null })
  })

  test('a wait that is over answers with what there is', async () => {
    const it = await settled()
    const response = await it.call('POST', '/v1/services/web/switchover', 'operator-token', {})
    const { operation } = (await response.json()) as { operation: { id: string } }
    const waiting = it.call('GET', `/v1/operations/${operation.id}?wait=2s`, 'viewer-token')
    expect(await (await it.passUntil(waiting)).json()).toMatchObject({ status: 'running' })
  })

  test('a switchover needs no body at all', async () => {
    const it = await settled()
    expect((await it.call('POST', '/v1/services/web/switchover', 'operator-token')).status).toBe(202)
  })

  test('nodes', async () => {
    const it = await settled()
    const { nodes } = (await (await it.call('GET', '/v1/nodes', 'viewer-token')).json()) as { nodes: object[] }
    expect(nodes).toHaveLength(2)
    expect(nodes[0]).toMatchObject({
      node: 'n1',
      site: 'dc1',
      connected: false,
      fresh: true,
      services: { web: { state: 'active' } },
    })
  })

  test('the probe follows the owner and its lease', async () => {
    const it = await settled()
    const probe = async (node: string) =>
      (await it.call('GET', `/v1/services/web/owner?node=${node}`, 'viewer-token')).status
    expect([await probe('n1'), await probe('n2'), await probe('n9')]).toEqual([200, 503, 503])
    await it.pass(5_001)
    expect(await probe('n1')).toBe(503)
  })

  test('events in pages', async () => {
    const it = await settled()
    type Page = { events: { id: number; kind: string }[]; next: number }
    const page = async (query: string) =>
      (await (await it.call('GET', `/v1/events?${query}`, 'viewer-token')).json()) as Page
    const first = await page('limit=1')
    expect(first).toMatchObject({ events: [{ id: 1, kind: 'owner-changed' }], next: 1 })
    const rest = await page(`since=${first.next}`)
    expect(rest.events.map(({ id, kind }) => [id, kind])).toEqual([[2, 'binding-settled']])
    expect(await page(`since=${rest.next}`)).toEqual({ events: [], next: rest.next, first: 1 })
  })

  test('events as a stream, taken up where the reader left', async () => {
    const it = await settled()
    const headers = { authorization: 'Bearer viewer-token', accept: 'text/event-stream', 'last-event-id': '1' }
    const response = await it.app.request('/v1/events', { headers })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const until = async (word: string): Promise<void> => {
      while (!text.includes(word)) text += (await reader.read()).value ?? ''
    }
    await until('id: 2\nevent: binding-settled')
    const more = until('id: 3\nevent: switchover-requested')
    await it.idle()
    await it.call('POST', '/v1/services/web/switchover', 'operator-token', {})
    await more
    await reader.cancel()
    expect(text).not.toContain('id: 1\nevent')
  })
})
