/** The audit trail of calls: which are in it, what it says of them, and that nobody can fill it. */
import { expect, test } from 'vitest'
import { createWorld } from '../world.ts'

async function world() {
  const it = await createWorld()
  const calls = () => it.store.events({ since: 0, limit: 10_000 }).filter(({ kind }) => kind === 'call')
  return { ...it, calls }
}

test('who called what, why, and what was answered', async () => {
  const it = await world()
  await it.cluster.report(it.said('n1', 'active'), 'post')
  const headers = {
    authorization: 'Bearer operator-token',
    'content-type': 'application/json',
    'x-request-id': 'change-4711',
  }
  const body = JSON.stringify({ reason: 'migration' })
  await it.app.request('/v1/services/web/hold', { method: 'PUT', headers, body })
  await it.call('DELETE', '/v1/services/web/hold?reason=done', 'operator-token')
  await it.call('PUT', '/v1/nodes/n1/drain', 'viewer-token', { reason: 'because' })
  expect(it.calls()).toMatchObject([
    {
      service: 'web',
      node: null,
      text: 'ops called PUT /v1/services/web/hold, answered 200: migration',
      detail: {
        by: 'ops',
        role: 'operator',
        method: 'PUT',
        path: '/v1/services/web/hold',
        status: 200,
        reason: 'migration',
        requestId: 'change-4711',
      },
    },
    { service: 'web', detail: { method: 'DELETE', status: 200, reason: 'done' } },
    // What a refused caller sent is not even read.
    { service: null, node: 'n1', detail: { by: 'eye', role: 'viewer', status: 403, reason: null } },
  ])
})

test('every refusal is there but those without a token, and a look leaves no line', async () => {
  const it = await world()
  const call = async (method: string, path: string, token: string | null, body?: unknown) =>
    (await it.call(method, path, token, body)).status
  expect(await call('POST', '/v1/services/nope/switchover', 'operator-token')).toBe(404)
  expect(await call('POST', '/v1/services/web/switchover', 'operator-token')).toBe(409)
  expect(await call('POST', '/v1/services/web/switchover', 'operator-token', { bad: 1 })).toBe(400)
  expect(await call('PUT', '/v1/services/web', 'operator-token', {})).toBe(403)
  expect(await call('POST', '/v1/nowhere', 'operator-token')).toBe(404)
  expect(await call('POST', '/v1/services/web/switchover', 'nonsense')).toBe(401)
  expect(await call('POST', '/v1/services/web/switchover', null)).toBe(401)
  expect(await call('GET', '/v1/services/nope', 'operator-token')).toBe(404)
  expect(await call('POST', '/v1/nodes/n1/report', 'node-token-1', it.said('n1', 'backup'))).toBe(200)
  expect(it.calls().map(({ detail }) => detail.status)).toEqual([404, 409, 400, 403, 404])
})

test('a dry run says that it was one', async () => {
  const it = await world()
  await it.call('PUT', '/v1/services/api?dryRun=true&reason=look', 'admin-token', {})
  expect(it.calls()).toMatchObject([{ text: expect.stringMatching(/as a dry run: look$/), detail: { dryRun: true } }])
})

test('whoever is refused again and again fills nothing, and how often is counted', async () => {
  const it = await world()
  for (let i = 0; i < 200; i++) await it.call('PUT', '/v1/services/web', 'viewer-token', {})
  expect(it.calls()).toHaveLength(60)
  // What is done is written down all the same.
  await it.call('PUT', '/v1/services/web/hold', 'operator-token')
  expect(it.calls()).toHaveLength(61)
  await it.pass(10_000)
  await it.call('PUT', '/v1/services/web', 'viewer-token', {})
  expect(it.calls().at(-1)).toMatchObject({ detail: { status: 403, leftOut: 140 } })
})

test('a trail that cannot be written is logged, and the answer given', async () => {
  const it = await createWorld()
  const broken = { ...it.cluster, audit: () => Promise.reject(new Error('disk full')) }
  const other = await createWorld({ app: { cluster: broken } })
  expect((await other.call('PUT', '/v1/services/web/hold', 'operator-token')).status).toBe(200)
  expect(other.logged).toContainEqual(expect.objectContaining({ event: 'audit-failed', by: 'ops' }))
})
