/** The strict Hetzner Cloud is as strict as the one it stands for. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHetzner, type HetznerState } from '../../../infra/lab/clouds/hetzner.ts'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'
import { clockOf } from '../../adapters/thin/world.ts'
import { askJson } from './ask-json.ts'

const timers = createManualTimers()
let cloud: StrictCloud<HetznerState>
beforeEach(async () => {
  cloud = await createHetzner({
    floatingIps: [
      { id: 1, ip: '203.0.113.10', type: 'ipv4', server: null },
      { id: 2, ip: '2001:db8::', type: 'ipv6', server: 42 },
    ],
    servers: [...[42, 43].map((id) => ({ id, name: `s${id}` })), { id: 44, name: 's44', zone: 'us-east' }],
    tokens: [{ token: 'rw' }, { token: 'ro', readOnly: true }],
    jobMs: 1_000,
    ...{ timers, clock: clockOf(timers) },
  })
})
afterEach(() => cloud.close())

function asked(method: string, path: string, { body, token = 'rw' }: { body?: unknown; token?: string } = {}) {
  const headers = { authorization: `Bearer ${token}` }
  return askJson(method, `${cloud.url}${path}`, { headers, body })
}

const assign = '/floating_ips/1/actions/assign'

test('nobody is served without a token, and one for reading does not write', async () => {
  expect(await asked('GET', '/floating_ips/1', { token: 'x' })).toMatchObject({
    ...{ status: 401, json: { error: { code: 'unauthorized' } } },
  })
  expect(await asked('GET', '/floating_ips/1', { token: 'ro' })).toMatchObject({
    json: { floating_ip: { server: null } },
  })
  expect(await asked('POST', assign, { token: 'ro', body: { server: 42 } })).toMatchObject({ status: 403 })
})

test('an assignment is an action, which takes effect when it ends, and locks until then', async () => {
  expect(await asked('POST', assign, { body: { server: 42 } })).toMatchObject({
    ...{ status: 201, json: { action: { id: 1, status: 'running', command: 'assign_floating_ip' } } },
  })
  expect(await asked('GET', '/floating_ips/1')).toMatchObject({ json: { floating_ip: { server: null } } })
  expect(await asked('POST', assign, { body: { server: 43 } })).toMatchObject({
    ...{ status: 423, json: { error: { code: 'locked' } } },
  })
  const other = '/floating_ips/2/actions/assign'
  expect(await asked('POST', other, { body: { server: 42 } })).toMatchObject({ status: 423 })
  timers.pass(1_000)
  expect(await asked('GET', '/actions/1')).toMatchObject({ json: { action: { status: 'success', error: null } } })
  expect(await asked('GET', '/floating_ips/1')).toMatchObject({ json: { floating_ip: { server: 42 } } })
  expect(await asked('POST', assign, { body: { server: 43 } })).toMatchObject({ status: 201 })
})

test.each([
  ['an unknown server', assign, { server: 7 }, 422],
  ['a server of another zone', assign, { server: 44 }, 422],
  ['a server by name', assign, { server: 's42' }, 422],
  ['more than is asked for', assign, { server: 42, force: true }, 422],
  ['an unknown address', '/floating_ips/9/actions/assign', { server: 42 }, 404],
])('%s is refused', async (_name, path, body, status) => {
  expect((await asked('POST', path, { body })).status).toBe(status)
  expect(cloud.state().jobs).toEqual([])
})
