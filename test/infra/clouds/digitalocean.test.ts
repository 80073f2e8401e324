/** The strict DigitalOcean is as strict as the one it stands for. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDigitalOcean, type DigitalOceanState } from '../../../infra/lab/clouds/digitalocean.ts'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'
import { clockOf } from '../../adapters/thin/world.ts'
import { askJson } from './ask-json.ts'

const timers = createManualTimers()
let cloud: StrictCloud<DigitalOceanState>
beforeEach(async () => {
  cloud = await createDigitalOcean({
    reservedIps: ['203.0.113.10', '203.0.113.11', '2001:db8::1'].map((ip) => ({ ip, region: 'fra1', droplet: null })),
    droplets: [
      { id: 42, name: 'a', region: 'fra1' },
      { id: 43, name: 'b', region: 'fra1' },
      { id: 44, name: 'c', region: 'nyc3' },
    ],
    tokens: [
      { token: 'all', scopes: ['reserved_ip:read', 'reserved_ip:update', 'droplet:read', 'actions:read'] },
      { token: 'some', scopes: ['reserved_ip:read'] },
    ],
    jobMs: 1_000,
    ...{ timers, clock: clockOf(timers) },
  })
})
afterEach(() => cloud.close())

function asked(method: string, path: string, { body, token = 'all' }: { body?: unknown; token?: string } = {}) {
  return askJson(method, `${cloud.url}${path}`, { headers: { authorization: `Bearer ${token}` }, body })
}

const assign = (droplet_id: number) => ({ body: { type: 'assign', droplet_id } })
const actions = '/v2/reserved_ips/203.0.113.10/actions'

test('a token does what its scopes say', async () => {
  const statusOf = async (method: string, path: string, token: string, body?: unknown) =>
    (await asked(method, path, { token, body })).status
  expect(await statusOf('GET', '/v2/reserved_ips/203.0.113.10', 'none')).toBe(401)
  expect(await statusOf('GET', '/v2/reserved_ips/203.0.113.10', 'some')).toBe(200)
  expect(await statusOf('GET', '/v2/droplets/42', 'some')).toBe(403)
  expect(await statusOf('GET', '/v2/actions/1', 'some')).toBe(403)
  expect(await statusOf('POST', actions, 'some', assign(42).body)).toBe(403)
})

test('an assignment is an action, which takes effect when it ends, and is pending until then', async () => {
  expect(await asked('POST', actions, assign(42))).toMatchObject({
    ...{ status: 201, json: { action: { id: 1, status: 'in-progress', type: 'assign_ip' } } },
  })
  const pending = { status: 422, json: { message: expect.stringContaining('pending event') } }
  expect(await asked('POST', actions, assign(43))).toMatchObject(pending)
  expect(await asked('POST', '/v2/reserved_ips/203.0.113.11/actions', assign(42))).toMatchObject(pending)
  const place = '/v2/reserved_ips/203.0.113.10'
  expect(await asked('GET', place)).toMatchObject({ json: { reserved_ip: { droplet: null, locked: true } } })
  timers.pass(1_000)
  expect(await asked('GET', place)).toMatchObject({ json: { reserved_ip: { droplet: { id: 42 }, locked: false } } })
  expect(await asked('GET', '/v2/actions/1')).toMatchObject({ json: { action: { status: 'completed' } } })
  expect((await asked('POST', actions, { body: { type: 'unassign' } })).status).toBe(201)
  timers.pass(1_000)
  expect(await asked('GET', place)).toMatchObject({ json: { reserved_ip: { droplet: null } } })
})

test.each([
  ['another region', actions, assign(44).body, 422],
  ['an unknown Droplet', actions, assign(7).body, 422],
  ['an unknown action', actions, { type: 'move', droplet_id: 42 }, 422],
  ['a Droplet by name', actions, { type: 'assign', droplet_id: 'a' }, 422],
  ['an unknown address', '/v2/reserved_ips/192.0.2.1/actions', assign(42).body, 404],
  ['an address of the other family', '/v2/reserved_ips/2001:db8::1/actions', assign(42).body, 404],
])('%s is refused', async (_name, path, body, status) => {
  expect((await asked('POST', path, { body })).status).toBe(status)
  expect(cloud.state().jobs).toEqual([])
})
