/** The strict Robot is as strict as the one it stands for. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHetznerRobot, type RobotState } from '../../../infra/lab/clouds/hetzner-robot.ts'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'
import { clockOf } from '../../adapters/thin/world.ts'
import { askJson } from './ask-json.ts'

const timers = createManualTimers()
let cloud: StrictCloud<RobotState>
beforeEach(async () => {
  cloud = await createHetznerRobot({
    failovers: ['203.0.113.10', '2001:db8:f::'].map((ip) => ({ ip, active: null })),
    servers: [1, 2].map((number) => ({ number, ip: `198.51.100.${number}`, ipv6Net: `2001:db8:${number}::` })),
    ...{ user: 'u', password: 'p', jobMs: 60_000 },
    ...{ timers, clock: clockOf(timers) },
  })
})
afterEach(() => cloud.close())

const form = 'application/x-www-form-urlencoded'

function asked(method: string, path: string, { body, password = 'p', type = form }: Record<string, string> = {}) {
  const authorization = `Basic ${Buffer.from(`u:${password}`).toString('base64')}`
  return askJson(method, `${cloud.url}${path}`, { headers: { authorization, 'content-type': type }, body })
}

const switched = (ip: string) => ({ body: `active_server_ip=${encodeURIComponent(ip)}` })
const path = '/failover/203.0.113.10'

test('a switch is locked until it has ended, and not made twice', async () => {
  expect(await asked('POST', path, switched('198.51.100.1'))).toMatchObject({ status: 200 })
  expect(await asked('GET', path)).toMatchObject({ json: { failover: { active_server_ip: null } } })
  const refused = (code: string) => ({ status: 409, json: { error: { status: 409, code } } })
  expect(await asked('POST', path, switched('198.51.100.2'))).toMatchObject(refused('FAILOVER_LOCKED'))
  timers.pass(60_000)
  expect(await asked('GET', path)).toMatchObject({ json: { failover: { active_server_ip: '198.51.100.1' } } })
  expect(await asked('POST', path, switched('198.51.100.1'))).toMatchObject(refused('FAILOVER_ALREADY_ROUTED'))
})

test.each([
  ['an unknown server', path, switched('192.0.2.1'), 404],
  ['a server of the other family', path, switched('2001:db8:1::'), 404],
  ['an unknown address', '/failover/192.0.2.1', switched('198.51.100.1'), 404],
  ['no server', path, { body: 'x=y' }, 400],
  ['JSON', path, { body: '{"active_server_ip":"198.51.100.1"}', type: 'application/json' }, 400],
])('%s is refused', async (_name, at, given, status) => {
  expect((await asked('POST', at, given)).status).toBe(status)
  expect(cloud.state().jobs).toEqual([])
})

test('three wrong passwords lock out for ten minutes', async () => {
  const status = async (password: string) => (await asked('GET', path, { password })).status
  expect([await status('x'), await status('x'), await status('p'), await status('x')]).toEqual([401, 401, 200, 401])
  expect(await status('p')).toBe(401)
  timers.pass(600_000)
  expect(await status('p')).toBe(200)
})
