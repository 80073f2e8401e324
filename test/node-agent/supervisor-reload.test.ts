/** The supervisor under a new configuration: who goes on, who begins, and what the VRRP process and control are told. */
import { expect, test } from 'vitest'
import type { ServiceReport } from '../../control/contract.ts'
import { type Health, unknownHealth } from '../../node-agent/checks/health.ts'
import type { ToVrrp } from '../../node-agent/ports.ts'
import { createSupervisor } from '../../node-agent/supervisor.ts'
import type { ServiceStatus } from '../../node-agent/vrrp/slot.ts'
import { read as readText } from '../support/agent-config.ts'

const control = { url: 'http://c', token: 't' }
const checks = { app: { tcp: '127.0.0.1:1' } }
const read = (services: object, more: object = { control }) => readText(JSON.stringify({ services, checks, ...more }))

const web = { interface: 'eth0', vrid: 51, priority: 100, addresses: ['10.77.0.50/24'] }
const api = { interface: 'eth0', vrid: 52, priority: 100, addresses: ['10.77.0.52/24'] }
const failing: Health = { verdict: 'failing', streak: 0, why: 'no' }

function begin(services: object, health: Health = unknownHealth) {
  const toVrrp: ToVrrp[] = []
  const reports: Readonly<Record<string, ServiceReport>>[] = []
  const supervisor = createSupervisor(read(services), {
    log: () => {},
    tellVrrp: (message) => void toVrrp.push(message),
    report: (said) => void reports.push(said),
    result: () => {},
    hurry: () => {},
    healthOf: () => health,
    now: () => 0,
  })
  const isActive = (...names: string[]): void => {
    const status: ServiceStatus = {
      ...{ state: 'active', priority: 100, basePriority: 100, yielding: false, fault: null },
      ...{ sent: 1, received: 0, transitions: 1, late: 0 },
    }
    const all = Object.fromEntries(names.map((name) => [name, status]))
    supervisor.hear({ saidAt: 0, message: { kind: 'status', id: null, services: all, discards: {} } })
    toVrrp.length = 0
  }
  return { ...supervisor, toVrrp, reports, isActive }
}

test('a changed service keeps its state, and all that is said of it is said again with the new routers', () => {
  const it = begin({ web, api })
  it.isActive('web', 'api')
  it.command({ kind: 'owner', id: 'c', service: 'web', node: 'n1', epoch: 7, contested: false })
  it.command({ kind: 'yield', id: 'c', service: 'api', on: true })
  it.judged('web', { verdict: 'keep', until: 9_000 })
  it.toVrrp.length = 0
  const next = read({ web: { ...web, priority: 150 }, api })
  const id = it.reconfigure(next)
  expect(it.toVrrp).toEqual([
    {
      kind: 'reconfigure',
      id,
      routers: next.routers,
      standings: {
        web: { priority: 150, yielding: false, fault: null },
        api: { priority: 100, yielding: true, fault: null },
      },
      leases: { web: 9_000, api: null },
    },
  ])
  expect(it.services().web).toMatchObject({ status: { state: 'active' }, owner: { node: 'n1', epoch: 7 } })
  expect(it.services().api).toMatchObject({ status: { state: 'active' }, yieldsBecause: 'control says yield' })
})

test('an added one begins, a removed one is reported no more, and a process that starts now knows it', () => {
  const it = begin({ web })
  it.isActive('web')
  it.reconfigure(read({ api }))
  expect(it.toVrrp).toMatchObject([{ kind: 'reconfigure', routers: [{ name: 'api' }] }])
  expect(Object.keys(it.reports.at(-1)!)).toEqual(['api'])
  expect(it.reports.at(-1)!.api).toMatchObject({ state: 'initialize' })
  expect(it.configuration()).toMatchObject({ routers: [{ name: 'api' }], standings: { api: {} } })
  // What a dead process held of what is gone is held no more; what the living one says of it is nobody's.
  it.isActive('web')
  expect(it.services()).not.toHaveProperty('web')
})

test('addresses of a crashed process are held for services that are still there', () => {
  const it = begin({ web, api })
  it.isActive('web', 'api')
  it.vrrpDied('SIGKILL', 0)
  it.reconfigure(read({ api }))
  expect(it.configuration()).toMatchObject({ holding: ['api'] })
})

test('nothing is said where nothing of services is different, and each reload has an id of its own', () => {
  const it = begin({ web })
  it.isActive('web')
  const reports = it.reports.length
  expect(it.reconfigure(read({ web }))).toBeNull()
  expect([it.toVrrp, it.reports.length]).toEqual([[], reports])
  const first = it.reconfigure(read({ web: { ...web, priority: 1 } }))
  expect(it.reconfigure(read({ web }))).not.toBe(first)
})

test('checks of a service take effect at once', () => {
  const it = begin({ web, lone: { mode: 'solo' } }, failing)
  expect(it.services().lone).toMatchObject({ status: { state: 'active' } })
  it.reconfigure(read({ web: { ...web, checks: ['app'] }, lone: { mode: 'solo', checks: ['app'] } }))
  expect(it.toVrrp).toMatchObject([{ standings: { web: { fault: 'check app failed: no' } } }])
  expect(it.services().lone).toMatchObject({ status: { state: 'fault' } })
  it.reconfigure(read({ web, lone: { mode: 'solo' } }))
  expect(it.toVrrp.at(-1)).toMatchObject({ standings: { web: { fault: null } } })
  expect(it.services().lone).toMatchObject({ status: { state: 'active' } })
})

test('a service that leaves VRRP is solo, and what control said of it holds', () => {
  const it = begin({ web })
  it.isActive('web')
  it.command({ kind: 'yield', id: 'c', service: 'web', on: true })
  it.toVrrp.length = 0
  expect(it.reconfigure(read({ web: { mode: 'solo' } }))).toBeNull()
  expect(it.toVrrp).toEqual([])
  expect(it.services().web).toMatchObject({ solo: true, yieldsBecause: 'control says yield' })
  // The leaving process goes on to speak; a heartbeat needs it no more.
  it.isActive('web')
  const before = it.reports.length
  it.pulse()
  expect(it.reports.length).toBe(before + 1)
  expect(it.vrrp().heardAt).toBeNull()
})

test('without control nobody could take back what it said', () => {
  const it = begin({ web })
  it.isActive('web')
  it.command({ kind: 'yield', id: 'c', service: 'web', on: true })
  it.toVrrp.length = 0
  it.reconfigure(read({ web }, {}))
  expect(it.toVrrp).toMatchObject([{ kind: 'reconfigure', standings: { web: { yielding: false } } }])
})
