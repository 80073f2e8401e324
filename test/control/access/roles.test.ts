/**
 * Who may call what: every route of the application, as it lists them itself, against every kind of caller.
 *
 * A route that is not in the table below fails, so that none can be added without saying who may call it.
 */
import { describe, expect, test } from 'vitest'
import { problemOf } from '../../support/problems.ts'
import { createWorld, tokens } from '../world.ts'

const everybody = ['none', 'viewer', 'operator', 'admin', 'node n1', 'node n2'] as const
type Who = (typeof everybody)[number]
const viewers: readonly Who[] = ['viewer', 'operator', 'admin']
const operators: readonly Who[] = ['operator', 'admin']
const admins: readonly Who[] = ['admin']

const report = {
  node: 'n1',
  site: 'dc1',
  incarnation: 'n1-incarnation',
  sequence: 1,
  services: { web: { state: 'active', priority: 200, healthy: true, since: '2026-11-22T08:00:00.000Z' } },
}

/** `path` and `body`: one call of the route that would be served if the caller may. */
const routes: Readonly<Record<string, { path?: string; body?: unknown; allowed: readonly Who[] }>> = {
  'GET /healthz': { allowed: everybody },
  'GET /readyz': { allowed: everybody },
  'GET /openapi.json': { allowed: everybody },
  'GET /docs': { allowed: everybody },
  'GET /metrics': { allowed: viewers },
  'GET /v1/backup': { allowed: admins },
  'GET /v1/services': { allowed: viewers },
  'GET /v1/services/:service': { allowed: viewers },
  'PUT /v1/services/:service': { path: '/v1/services/api', body: {}, allowed: admins },
  'DELETE /v1/services/:service': { allowed: admins },
  'GET /v1/services/:service/declaration': { allowed: viewers },
  'GET /v1/services/:service/owner': { path: '/v1/services/web/owner?node=n1', allowed: viewers },
  'POST /v1/services/:service/switchover': { body: {}, allowed: operators },
  'POST /v1/services/:service/acknowledge': { allowed: operators },
  'PUT /v1/services/:service/hold': { allowed: operators },
  'DELETE /v1/services/:service/hold': { allowed: operators },
  'GET /v1/nodes': { allowed: viewers },
  'PUT /v1/nodes/:node/drain': { allowed: operators },
  'DELETE /v1/nodes/:node/drain': { allowed: operators },
  'POST /v1/nodes/:node/report': { body: report, allowed: ['node n1'] },
  'GET /v1/operations': { allowed: viewers },
  'GET /v1/operations/:id': { path: '/v1/operations/op-x', allowed: viewers },
  'GET /v1/events': { allowed: viewers },
  'GET /v1/edge': { allowed: viewers },
  'GET /v1/tokens': { allowed: admins },
  'POST /v1/tokens': { body: { name: 'new', role: 'viewer' }, allowed: admins },
  'DELETE /v1/tokens/:token': { path: '/v1/tokens/nobody', allowed: admins },
  'GET /v1/agent': { allowed: ['node n1', 'node n2'] },
}

const tokenOf: Record<string, string | null> = { none: null }
for (const { name, role, token } of tokens) tokenOf[role === 'node' ? `node ${name}` : role] = token

test('the table names every route there is, and no other', async () => {
  const { app } = await createWorld()
  const listed = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`)
  expect([...new Set(listed)].sort()).toEqual(Object.keys(routes).sort())
})

describe.each(Object.entries(routes))('%s', (route, { path, body, allowed }) => {
  const [method = '', pattern = ''] = route.split(' ')
  const url = path ?? pattern.replace(':service', 'web').replace(':node', 'n1')
  test.each(everybody)('as %s', async (who) => {
    const it = await createWorld()
    const before = it.store.lastEventId()
    const response = await it.call(method, url, tokenOf[who]!, body)
    if (allowed.includes(who)) expect([401, 403, 405, 429]).not.toContain(response.status)
    else {
      expect((await problemOf(response)).status).toBe(who === 'none' ? 401 : 403)
      // Whoever is refused changes nothing: there is at most the line that says who was refused.
      const written = it.store.events({ since: before, limit: 10 }).map(({ kind }) => kind)
      const mayChange = method !== 'GET' && !url.endsWith('/report')
      expect(written).toEqual(who === 'none' || !mayChange ? [] : ['call'])
    }
  })
})

test.each(['wrong-token', 'viewer-token2', 'viewer-toke', ''])('the token %j is unknown', async (token) => {
  const it = await createWorld()
  const response = await it.call('GET', '/v1/services', token)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
  expect((await problemOf(response)).code).toBe('unauthorized')
})

test('the owner probe can be public', async () => {
  const it = await createWorld({ ownerProbe: 'public' })
  await it.cluster.report(it.said('n1', 'active'), 'post')
  expect((await it.call('GET', '/v1/services/web/owner?node=n1', null)).status).toBe(200)
  expect((await it.call('GET', '/v1/services', null)).status).toBe(401)
})
