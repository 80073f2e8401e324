/** What `holdfast status` prints, as a whole: read these texts as somebody would at 3 a.m. */
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { describeAgent, describeServices } from '../../../control/cli/status-text.ts'
import type { AgentStatus } from '../../../node-agent/status.ts'
import { before, binding, member, nowMs, service } from '../../support/service-views.ts'

test('all is well', () => {
  const api = service({ service: 'api', bindings: [], owner: { node: 'n2', site: 'aws', epoch: 1, since: before(40) } })
  expect(describeServices([service(), api], nowMs)).toBe(
    `
SERVICE  PHASE    OWNER     SINCE  BINDINGS
api      settled  n2 (aws)  40s    -
web      settled  n1 (dc1)  3d     eip settled at n1
2 services, all well`.trimStart(),
  )
})

test('the worst service first, and below each service the worst trouble first', () => {
  const lost = member('n2', { connected: false, lastReport: before(300) })
  const owner = member('n1', { state: 'active' })
  const services = [
    service({ service: 'held', phase: 'held', hold: { by: 'ops', reason: null, since: before(3_600) } }),
    service({ service: 'well' }),
    service({ service: 'thin', members: [owner, lost] }),
    service({
      service: 'mail',
      phase: 'degraded',
      members: [owner, lost],
      bindings: [
        binding({ name: 'dns', adapter: 'rfc2136' }),
        binding({ state: 'failed', observed: 'n2', lastError: 'UnauthorizedOperation: not authorized' }),
      ],
    }),
  ]
  const gone =
    'n2 is not connected, it was last heard 5m ago -> on n2: holdfast status, and the agent’s log; is the machine up, ' +
    'and does it reach control?'
  expect(describeServices(services, nowMs)).toBe(
    `
SERVICE  PHASE     OWNER     SINCE  BINDINGS
mail     degraded  n1 (dc1)  3d     dns settled at n1, eip failed at n2
  binding eip (aws-eip) cannot follow: UnauthorizedOperation: not authorized -> give control’s credentials the right to do \
this; control then goes on within a minute
  ${gone}
thin     settled   n1 (dc1)  3d     eip settled at n1
  ${gone}
held     held      n1 (dc1)  3d     eip settled at n1
  held by ops since 2026-11-22 08:00Z: whatever fails, it does not move -> when that is over: holdfast release held
well     settled   n1 (dc1)  3d     eip settled at n1
4 services, 2 need you`.trimStart(),
  )
})

test('no service', () => {
  expect(describeServices([], nowMs)).toBe(
    'control has no service; declare one with holdfast apply, or in its configuration',
  )
})

test('colours say how bad it is, and take no room', () => {
  const services = [service({ reachable: false }), service({ service: 'longer-name' })]
  const painted: string[] = []
  const paint = (style: string, text: string): string => {
    painted.push(`${style} ${text}`)
    return `\x1b[31m${text}\x1b[39m`
  }
  const text = describeServices(services, nowMs, paint)
  expect(stripVTControlCharacters(text)).toBe(describeServices(services, nowMs))
  expect(painted).toEqual([
    'red settled',
    'green settled',
    'red it does not answer at its own address',
    'dim SERVICE      PHASE    OWNER     SINCE  BINDINGS',
    'bold 2 services, 1 needs you',
  ])
})

const agent: AgentStatus = {
  node: 'n1',
  site: 'dc1',
  incarnation: 'i',
  control: { url: 'http://10.0.0.9:8080', connected: true, lease: 'held' },
  vrrp: { pid: 4711, realtime: true, restarts: 0 },
  services: {
    web: {
      state: 'active',
      since: before(7_200),
      priority: 200,
      basePriority: 200,
      mode: 'vrrp',
      interface: 'eth0',
      vrid: 51,
      addresses: ['10.77.0.50/24'],
      yielding: false,
      yieldsBecause: null,
      owner: { node: 'n1', epoch: 7, contested: false },
      fault: null,
      sent: 7_200,
      received: 0,
      transitions: 1,
      late: 0,
    },
  },
  checks: { app: { verdict: 'passing', why: null } },
  discards: {},
}

test('an agent that is well', () => {
  expect(describeAgent(agent, nowMs)).toBe(
    `
n1 (site dc1), control http://10.0.0.9:8080
SERVICE  STATE   SINCE  PRIORITY  WHERE         ADDRESSES
web      active  2h     200       eth0 vrid 51  10.77.0.50/24`.trimStart(),
  )
})

test('an agent with everything that can be wrong', () => {
  const web = { ...agent.services.web!, state: 'fault', priority: 180, fault: 'check app fails', late: 12 } as const
  const api = {
    ...agent.services.web!,
    mode: 'solo',
    interface: null,
    vrid: null,
    addresses: [],
    yieldsBecause: 'control is lost (onLost: release)',
    owner: { node: 'n2', epoch: 8, contested: true },
  } as const
  const ill: AgentStatus = {
    ...agent,
    control: { url: 'http://10.0.0.9:8080', connected: false, lease: 'over' },
    vrrp: { ...agent.vrrp, pid: null },
    services: { web, api },
    checks: { app: { verdict: 'failing', why: 'HTTP 503' } },
    discards: { 'eth0 v4 51': { ttl: 3, checksum: 0 } },
  }
  expect(describeAgent(ill, nowMs)).toBe(
    `
n1 (site dc1), control http://10.0.0.9:8080
  the VRRP process is down: this node holds no address -> the agent starts it again; if it does not stay up, its log says why
  control http://10.0.0.9:8080 does not hear this node -> is control up, does this node reach it, and is its token right? the \
agent’s log says which
  check app fails: HTTP 503 -> put right what it looks at
  3 packets discarded on eth0 v4 51: ttl -> compare the VRRP settings of all routers there, if it grows
SERVICE  STATE   SINCE  PRIORITY                WHERE         ADDRESSES
web      fault   2h     180 (lowered from 200)  eth0 vrid 51  10.77.0.50/24
  it is in fault: check app fails -> put right what that names; it takes part again by itself
  12 late timers: this machine is too slow for the interval -> set realtime: true, give it a longer interval, or take load off it
api      active  2h     200                     solo          -
  n2 owns it outside, while this node is active as well: the LAN is split, or healing -> check cables, switch ports and VLAN \
between here and n2
  it takes no part in the election: control is lost (onLost: release) -> by itself when that is over; who drained this node: \
holdfast nodes`.trimStart(),
  )
})
