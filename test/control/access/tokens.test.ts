/** Tokens over the API: made, shown once, replaced without anybody being locked out, revoked, expired. */
import { describe, expect, test } from 'vitest'
import { createTokens } from '../../../control/access/tokens.ts'
import { problemOf } from '../../support/problems.ts'
import { createWorld } from '../world.ts'

type Made = { id: string; token: string; expiresAt: string | null }

async function world() {
  const it = await createWorld()
  const admin = (method: string, path: string, body?: unknown) => it.call(method, path, 'admin-token', body)
  const make = async (body: object): Promise<Made> => {
    const response = await admin('POST', '/v1/tokens', body)
    expect(response.status).toBe(201)
    return (await response.json()) as Made
  }
  const status = async (token: string, path = '/v1/nodes') => (await it.call('GET', path, token)).status
  const list = async () =>
    ((await (await admin('GET', '/v1/tokens')).json()) as { tokens: (Made & { name: string })[] }).tokens
  return { ...it, admin, make, status, list }
}

test('one is shown once, and only its hash is kept', async () => {
  const it = await world()
  const made = await it.make({ name: 'watch', role: 'viewer' })
  expect(made.token).toMatch(/^hf_[A-Za-z0-9_-]{43}$/)
  expect(await it.status(made.token)).toBe(200)
  const text = JSON.stringify([
    it.store.tokens(),
    await it.list(),
    it.store.events({ since: 0, limit: 100 }),
    it.logged,
  ])
  expect(text).not.toContain(made.token)
  expect((await it.list()).find(({ name }) => name === 'watch')).toEqual({
    id: made.id,
    name: 'watch',
    role: 'viewer',
    node: null,
    origin: 'api',
    createdAt: '2026-11-22T00:00:00.000Z',
    expiresAt: null,
    valid: true,
  })
  expect((await it.list()).every((token) => !('hash' in token))).toBe(true)
})

test('one is replaced by another of its name, and the first revoked by its id', async () => {
  const it = await world()
  const first = await it.make({ name: 'n3', role: 'node', node: 'n3' })
  const second = await it.make({ name: 'n3', role: 'node', node: 'n3' })
  const report = (token: string) => it.call('POST', '/v1/nodes/n3/report', token, it.said('n3', 'backup'))
  expect([(await report(first.token)).status, (await report(second.token)).status]).toEqual([200, 200])
  expect(await (await it.admin('DELETE', `/v1/tokens/${first.id}`)).json()).toEqual({ revoked: [first.id] })
  expect([(await report(first.token)).status, (await report(second.token)).status]).toEqual([401, 200])
})

test('by name all go that were made over the API, and those of the file stay', async () => {
  const it = await world()
  const made = [await it.make({ name: 'eye', role: 'viewer' }), await it.make({ name: 'eye', role: 'viewer' })]
  const { revoked } = (await (await it.admin('DELETE', '/v1/tokens/eye')).json()) as { revoked: string[] }
  expect(revoked.toSorted()).toEqual(made.map(({ id }) => id).toSorted())
  expect(await it.status(made[0]!.token)).toBe(401)
  expect(await it.status('viewer-token')).toBe(200)
  expect(await problemOf(await it.admin('DELETE', '/v1/tokens/eye'))).toMatchObject({
    status: 409,
    code: 'declared-in-file',
  })
  expect(await problemOf(await it.admin('DELETE', '/v1/tokens/nobody'))).toMatchObject({ status: 404 })
})

test('one that has expired is refused from that moment, and cleared away later', async () => {
  const it = await world()
  const made = await it.make({ name: 'short', role: 'viewer', expiresIn: '10s' })
  expect(made.expiresAt).toBe('2026-11-22T00:00:10.000Z')
  await it.pass(9_999)
  expect(await it.status(made.token)).toBe(200)
  await it.pass(1)
  expect(await it.status(made.token)).toBe(401)
  expect((await it.list()).find(({ id }) => id === made.id)).toMatchObject({ valid: false })
  await it.make({ name: 'next', role: 'viewer' })
  expect((await it.list()).some(({ id }) => id === made.id)).toBe(false)
})

test('the last admin cannot revoke itself', async () => {
  const it = await world()
  const other = await it.make({ name: 'root2', role: 'admin' })
  // The file's is an admin too: away with it, as a file without one would.
  await it.store.setTokens('file', [])
  const app = await createWorld({ store: it.store, app: { tokens: createTokens(it.store, it.time.clock) } })
  await app.store.setTokens('file', [])
  const as = (method: string, path: string, body?: unknown) => app.call(method, path, other.token, body)
  expect(await problemOf(await as('DELETE', `/v1/tokens/${other.id}`))).toMatchObject({
    status: 409,
    code: 'last-admin',
  })
  expect((await as('POST', '/v1/tokens', { name: 'short', role: 'admin', expiresIn: '1s' })).status).toBe(201)
  await it.pass(1_000)
  expect((await as('DELETE', `/v1/tokens/${other.id}`)).status).toBe(409)
  expect((await as('POST', '/v1/tokens', { name: 'root3', role: 'admin' })).status).toBe(201)
  expect((await as('DELETE', `/v1/tokens/${other.id}`)).status).toBe(200)
  expect((await as('GET', '/v1/tokens')).status).toBe(401)
})

describe('what is no token', () => {
  test.each<{ name: string; body: object; place: string }>([
    { name: 'a node’s without its node', body: { name: 'n3', role: 'node' }, place: 'body.node' },
    { name: 'a viewer’s with a node', body: { name: 'x', role: 'viewer', node: 'n3' }, place: 'body.node' },
    { name: 'an unknown role', body: { name: 'x', role: 'root' }, place: 'body.role' },
    { name: 'a life without a unit', body: { name: 'x', role: 'viewer', expiresIn: '10' }, place: 'body.expiresIn' },
    { name: 'one that brings its own', body: { name: 'x', role: 'viewer', token: 'mine' }, place: 'body.token' },
  ])('$name', async ({ body, place }) => {
    const it = await world()
    const { status, errors } = await problemOf(await it.admin('POST', '/v1/tokens', body))
    expect([status, errors?.[0]?.place]).toEqual([400, place])
  })
})

test('the store is asked once, and not with every request', async () => {
  const it = await world()
  let asked = 0
  const store = {
    ...it.store,
    tokens: () => {
      asked += 1
      return it.store.tokens()
    },
  }
  const tokens = createTokens(store, it.time.clock)
  for (let i = 0; i < 10; i++) expect(await tokens.authenticate('Bearer viewer-token')).toMatchObject({ name: 'eye' })
  expect(await tokens.authenticate('Bearer nonsense')).toBe(null)
  expect(asked).toBe(1)
  await tokens.revoke(['id-of-eye'])
  expect(await tokens.authenticate('Bearer viewer-token')).toBe(null)
  expect(asked).toBe(2)
})

test('one that resembles a known one in its beginning, or is its hash, is nobody', async () => {
  const it = await world()
  const { hash } = it.store.tokens().find(({ name }) => name === 'eye')!
  for (const token of ['viewer-toke', 'viewer-token2', 'Viewer-token', hash, '']) {
    expect(await it.status(token)).toBe(401)
  }
})
