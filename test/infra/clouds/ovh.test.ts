/** The strict OVHcloud is as strict as the one it stands for. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createOvh, type OvhState } from '../../../infra/lab/clouds/ovh.ts'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'
import { clockOf } from '../../adapters/thin/world.ts'
import { askJson } from './ask-json.ts'

const timers = createManualTimers()
const clock = clockOf(timers)
let cloud: StrictCloud<OvhState>
beforeEach(async () => {
  cloud = await createOvh({
    ips: [{ ip: '203.0.113.10/32', service: null }],
    services: ['a', 'b'],
    ...{ applicationKey: 'ak', applicationSecret: 'as', jobMs: 60_000 },
    consumers: [
      { key: 'rw', mayWrite: true },
      { key: 'ro', mayWrite: false },
    ],
    ...{ timers, clock },
  })
})
afterEach(() => cloud.close())

const path = '/ip/203.0.113.10%2F32'

type Wrong = { readonly key?: string; readonly secret?: string; readonly late?: number; readonly application?: string }

function asked(method: string, at: string, body?: unknown, wrong: Wrong = {}) {
  const { key = 'rw', secret = 'as', late = 0, application = 'ak' } = wrong
  const url = `${cloud.url}${at}`
  const time = Math.floor(clock().getTime() / 1000) - late
  const text = [secret, key, method, url, body === undefined ? '' : JSON.stringify(body), time].join('+')
  const headers = {
    'x-ovh-application': application,
    'x-ovh-consumer': key,
    'x-ovh-timestamp': String(time),
    'x-ovh-signature': `$1$${createHash('sha1').update(text).digest('hex')}`,
  }
  return askJson(method, url, { headers, body })
}

test.each<[string, Wrong, number]>([
  ['INVALID_KEY', { application: 'x' }, 403],
  ['INVALID_CREDENTIAL', { key: 'x' }, 403],
  ['INVALID_SIGNATURE', { secret: 'x' }, 400],
  ['QUERY_TIME_OUT', { late: 60 }, 400],
  ['NOT_GRANTED_CALL', { key: 'ro' }, 403],
])('%s', async (errorCode, wrong, status) => {
  expect(await asked('POST', `${path}/move`, { to: 'a' }, wrong)).toMatchObject({ status, json: { errorCode } })
  expect(cloud.state().jobs).toEqual([])
})

test('anybody may ask for the time', async () => {
  expect(await askJson('GET', `${cloud.url}/auth/time`)).toMatchObject({
    ...{ status: 200, json: Math.floor(clock().getTime() / 1000) },
  })
})

test('a move is a task, which takes effect when it ends, and there is no other until then', async () => {
  expect(await asked('POST', `${path}/move`, { to: 'a' })).toMatchObject({ json: { taskId: 1, status: 'todo' } })
  expect((await asked('POST', `${path}/move`, { to: 'b' })).status).toBe(409)
  expect(await asked('GET', path)).toMatchObject({ json: { routedTo: null } })
  timers.pass(60_000)
  expect(await asked('GET', `${path}/task/1`)).toMatchObject({ json: { status: 'done' } })
  expect(await asked('GET', path)).toMatchObject({ json: { routedTo: { serviceName: 'a' } } })
  expect(await asked('GET', `${path}/move`)).toMatchObject({ json: { dedicatedServer: [{ service: 'b' }] } })
})

test.each([
  ['an unknown service', `${path}/move`, { to: 'x' }, 404],
  ['an unknown IP', '/ip/192.0.2.1%2F32/move', { to: 'a' }, 404],
  ['no destination', `${path}/move`, {}, 400],
])('%s is refused', async (_name, at, body, status) => {
  expect((await asked('POST', at, body)).status).toBe(status)
  expect(cloud.state().jobs).toEqual([])
})
