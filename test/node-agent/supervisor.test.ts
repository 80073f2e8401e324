/** The supervisor on ports that only write down: what it says to the VRRP process and to control, and when. */
import { describe, expect, test } from 'vitest'
import type { Command, CommandResult, ServiceReport } from '../../control/contract.ts'
import { type Health, unknownHealth } from '../../node-agent/checks/health.ts'
import { type AgentConfig, readAgentConfig } from '../../node-agent/config.ts'
import { freshForMs } from '../../node-agent/link/outbox.ts'
import type { LogEntry } from '../../node-agent/log.ts'
import type { FromVrrp, ToVrrp } from '../../node-agent/ports.ts'
import { createSupervisor } from '../../node-agent/supervisor.ts'
import type { ServiceStatus } from '../../node-agent/vrrp/slot.ts'
import type { Instant } from '../../node-agent/vrrp/time.ts'

function read(services: object, more: object = {}): AgentConfig {
  const checks = { app: { tcp: '127.0.0.1:1' }, uplink: { interface: 'eth1' } }
  const control = { url: 'http://c', token: 't' }
  const text = JSON.stringify({ node: 'n1', control, checks, services, ...more })
  return readAgentConfig({ file: 'n1.json', text, environment: {}, hostName: 'n1', interfaces: ['eth0', 'eth1'] })
}

const web = { interface: 'eth0', vrid: 51, priority: 100, addresses: ['10.77.0.50/24'] }
const passing: Health = { verdict: 'passing', streak: 0, why: null }
const failing: Health = { verdict: 'failing', streak: 0, why: 'HTTP 503' }

/** Of each kind of command; `Omit` alone would keep only what all kinds have. */
type WithoutId<Each> = Each extends Command ? Omit<Each, 'id'> : never

function begin(config: AgentConfig) {
  const toVrrp: ToVrrp[] = []
  const results: CommandResult[] = []
  const reports: { services: Readonly<Record<string, ServiceReport>>; answers: readonly string[]; pulse: boolean }[] =
    []
  const logged: LogEntry[] = []
  const healths = new Map<string, Health>()
  let now = 0
  let hurries = 0
  const supervisor = createSupervisor(config, {
    log: (_, entry) => void logged.push(entry),
    tellVrrp: (message) => void toVrrp.push(message),
    report: (services, occasion) => void reports.push({ services, ...occasion }),
    result: (result) => void results.push(result),
    hurry: () => {
      hurries += 1
    },
    healthOf: (check) => healths.get(check) ?? unknownHealth,
    now: () => now,
  })
  return {
    ...supervisor,
    hear: (message: FromVrrp, saidAt = now) => supervisor.hear({ saidAt, message }),
    pass: (ms: number) => {
      now += ms
    },
    ...{ toVrrp, results, reports, logged },
    hurries: () => hurries,
    lastReport: () => reports.at(-1)!,
    check: (name: string, health: Health) => {
      healths.set(name, health)
      supervisor.checked(name, health)
    },
    tell: (command: WithoutId<Command> & { id?: string }) => supervisor.command({ id: 'c-1', ...command }),
  }
}

const status = (changes: Partial<ServiceStatus> = {}): ServiceStatus => ({
  ...{ state: 'active', priority: 100, basePriority: 100, yielding: false, fault: null },
  ...{ sent: 0, received: 0, transitions: 0, late: 0 },
  ...changes,
})
const said = (id: string | null, changes: Partial<ServiceStatus> = {}) =>
  ({ kind: 'status', id, services: { web: status(changes) }, discards: {} }) as const

describe('a virtual router', () => {
  test('yield goes to the VRRP process, which answers; a process that is started again is told so too', () => {
    const it = begin(read({ web }))
    it.tell({ kind: 'yield', service: 'web', on: true })
    const standing = { priority: 100, yielding: true, fault: null }
    expect(it.toVrrp).toEqual([{ kind: 'standing', id: 'c-1', service: 'web', standing }])
    expect(it.results).toEqual([])
    it.hear({ kind: 'answer', id: 'c-1', ok: true })
    expect(it.results).toEqual([{ id: 'c-1', ok: true }])
    it.vrrpDied('SIGKILL', 0)
    expect(it.configuration()).toMatchObject({ standings: { web: standing } })
    expect(it.lastReport().services.web).toMatchObject({ state: 'initialize', yielding: true })
    it.tell({ kind: 'yield', service: 'web', on: false })
    expect(it.configuration()).toMatchObject({ standings: { web: { yielding: false } } })
  })

  test('a report says what the process does: yielding, in fault and why', () => {
    const it = begin(read({ web }))
    it.hear(said(null, { state: 'backup', yielding: true }))
    expect(it.lastReport().services.web).toMatchObject({ state: 'backup', yielding: true, healthy: true })
    it.hear(said(null, { state: 'fault', fault: 'x'.repeat(300) }))
    expect(it.lastReport().services.web).toMatchObject({ healthy: false, fault: 'x'.repeat(200) })
  })

  test('a heartbeat and the answer to an ask are the process\u2019s own', () => {
    const it = begin(read({ web }))
    it.pulse()
    it.tell({ kind: 'ask', service: 'web', id: 'ask-1' })
    expect(it.reports).toEqual([])
    expect(it.toVrrp.map(({ kind }) => kind)).toEqual(['status', 'status'])
    it.hear(said('heartbeat'))
    it.hear(said('ask-1'))
    expect(it.reports.map(({ answers, pulse }) => ({ answers, pulse }))).toEqual([
      { answers: [], pulse: true },
      { answers: ['ask-1'], pulse: false },
    ])
  })

  test('that it remembers epochs is said before it was told one, or control would never tell it any', () => {
    const it = begin(read({ web, api: { mode: 'solo' } }))
    it.hear(said('heartbeat'))
    expect(Object.values(it.lastReport().services).map(({ epochSeen }) => epochSeen)).toEqual([0, 0])
  })

  test('the owner is remembered, and its epoch is reported with what the process says next', () => {
    const it = begin(read({ web }))
    it.tell({ kind: 'owner', service: 'web', node: 'n2', epoch: 7, contested: false })
    const standing = { priority: 100, yielding: false, fault: null }
    expect(it.toVrrp).toEqual([{ kind: 'standing', id: 'c-1', service: 'web', standing }])
    it.hear(said(null))
    expect(it.lastReport().services.web).toMatchObject({ epochSeen: 7 })
    it.tell({ kind: 'owner', service: 'web', node: 'n1', epoch: 6, contested: false })
    expect(it.results).toMatchObject([{ ok: false, reason: expect.stringContaining('7') }])
    expect(it.services().web!.owner).toEqual({ node: 'n2', epoch: 7, contested: false })
  })

  test('contested: split: keep warns, once; split: yield yields until it is contested no more', () => {
    const kept = begin(read({ web }))
    const yielded = begin(read({ web: { ...web, split: 'yield' } }))
    const owner = { kind: 'owner', service: 'web', node: 'n2', epoch: 7 } as const
    for (const it of [kept, yielded]) {
      for (let i = 0; i < 2; i += 1) it.tell({ ...owner, contested: true })
      expect(it.logged.filter(({ event }) => event === 'contested')).toHaveLength(1)
      it.tell({ ...owner, contested: false })
    }
    const yielding = ({ toVrrp }: typeof kept) =>
      toVrrp.map((message) => message.kind === 'standing' && message.standing.yielding)
    expect(yielding(kept)).toEqual([false, false, false])
    expect(yielding(yielded)).toEqual([true, true, false])
  })

  test('contested, and then control is lost: it takes part again', () => {
    const it = begin(read({ web: { ...web, split: 'yield' } }))
    it.tell({ kind: 'owner', service: 'web', node: 'n2', epoch: 7, contested: true })
    it.controlLost()
    expect(it.toVrrp.at(-1)).toMatchObject({ standing: { yielding: false } })
  })

  test('the loss of control makes it yield, and the return of control takes that back', () => {
    const it = begin(read({ web: { ...web, onLost: 'release' } }))
    it.judged('web', { verdict: 'keep', until: 4_000 })
    it.judged('web', { verdict: 'yield', until: 4_000 })
    expect(it.toVrrp).toEqual([
      { kind: 'lease', service: 'web', until: 4_000 },
      { kind: 'lease', service: 'web', until: 4_000 },
    ])
    expect(it.services().web!.yieldsBecause).toBe('control is lost (onLost: release)')
    // A process that is started again yields because of its lease, which outlives it.
    expect(it.configuration()).toMatchObject({ standings: { web: { yielding: false } }, leases: { web: 4_000 } })
    it.judged('web', { verdict: 'keep', until: 9_000 })
    expect(it.toVrrp.at(-1)).toMatchObject({ until: 9_000 })
    expect(it.logged.filter(({ event }) => event === 'on-lost')).toHaveLength(2)
  })

  test('a check that fails is a fault, or weighs; one that others have does not matter', () => {
    const it = begin(read({ web: { ...web, checks: ['app', { check: 'uplink', weight: -20 }] } }))
    it.check('uplink', failing)
    it.check('app', failing)
    it.check('app', passing)
    it.check('other', failing)
    const standings = it.toVrrp.map((message) => message.kind === 'standing' && message.standing)
    expect(standings).toEqual([
      { priority: 80, yielding: false, fault: null },
      { priority: 80, yielding: false, fault: 'check app failed: HTTP 503' },
      { priority: 80, yielding: false, fault: null },
    ])
  })

  test('before their first verdict its checks keep nothing from it', () => {
    expect(begin(read({ web: { ...web, checks: ['app'] } })).configuration()).toMatchObject({
      standings: { web: { fault: null } },
    })
  })

  test('an address owner refuses to yield', () => {
    const it = begin(read({ web: { ...web, priority: 255 } }))
    it.tell({ kind: 'yield', service: 'web', on: true })
    expect(it.results).toMatchObject([{ ok: false, reason: expect.stringMatching(/address owner/) }])
    expect(it.toVrrp).toEqual([])
  })

  test('a crash is said at once, what was active is held, and the network hurries a link whose cable is back', () => {
    const it = begin(read({ web }))
    it.hear(said(null))
    it.vrrpDied('SIGKILL', 0)
    expect(it.lastReport().services.web).toMatchObject({ state: 'initialize' })
    expect(it.configuration()).toMatchObject({ holding: ['web'] })
    const at = 0 as Instant
    it.hear({ kind: 'transition', service: 'web', from: 'fault', to: 'backup', reason: 'started', at })
    expect(it.hurries()).toBe(1)
  })

  test('of a process that hangs nothing is reported, neither what it last said nor a solo service beside it', () => {
    const it = begin(read({ web, api: { mode: 'solo', checks: ['app'] } }))
    it.hear(said('heartbeat'))
    const before = it.reports.length
    it.pass(freshForMs + 1)
    it.check('app', passing)
    it.pulse()
    expect(it.reports).toHaveLength(before)
    it.hear(said('heartbeat', { state: 'backup' }))
    expect(it.lastReport()).toMatchObject({
      pulse: true,
      services: { web: { state: 'backup' }, api: { state: 'active' } },
    })
    it.pass(freshForMs + 1)
    // That it has died is known now, whatever it said before.
    it.vrrpDied('SIGKILL', 0)
    expect(it.lastReport().services.web).toMatchObject({ state: 'initialize' })
  })

  test('what was said before the machine slept is asked again, under the same id', () => {
    const it = begin(read({ web }))
    it.hear(said('heartbeat'))
    const before = it.reports.length
    const saidAt = 0
    it.pass(freshForMs + 1)
    for (const id of ['heartbeat', null, 'ask-1']) it.hear(said(id), saidAt)
    expect(it.reports).toHaveLength(before)
    expect(it.toVrrp).toEqual(['heartbeat', 'heartbeat', 'ask-1'].map((id) => ({ kind: 'status', id })))
  })

  test('a service that is not here is refused', () => {
    const it = begin(read({ web }))
    it.tell({ kind: 'take-over', service: 'db', priority: 200 })
    expect(it.results).toEqual([{ id: 'c-1', ok: false, reason: 'this node has no service db' }])
  })
})

describe('a solo service', () => {
  const solo = () => begin(read({ api: { mode: 'solo', checks: ['app'] } }))

  test('is in fault until its checks pass, then active; a check that fails is a fault', () => {
    const it = solo()
    it.pulse()
    expect(it.lastReport()).toMatchObject({
      pulse: true,
      services: { api: { state: 'fault', healthy: false, solo: true, fault: 'check app has not passed yet' } },
    })
    it.check('app', passing)
    expect(it.lastReport().services.api).toMatchObject({ state: 'active', healthy: true, priority: 100, solo: true })
    it.check('app', failing)
    expect(it.lastReport().services.api).toMatchObject({ state: 'fault', fault: 'check app failed: HTTP 503' })
    expect(it.toVrrp).toEqual([])
    const states = it.logged.filter(({ event }) => event === 'state').map(({ from, to }) => `${from} to ${to}`)
    expect(states).toEqual(['fault to active', 'active to fault'])
  })

  test('without checks it is active from the start, and keeps its configured priority', () => {
    const it = begin(read({ api: { mode: 'solo', priority: 7 } }))
    it.pulse()
    expect(it.lastReport().services.api).toMatchObject({ state: 'active', priority: 7 })
  })

  test('told to yield it is backup, and a take-over is refused; told not to, it is active', () => {
    const it = solo()
    it.check('app', passing)
    const takeOver = { kind: 'take-over', service: 'api', priority: 200 } as const
    it.tell({ ...takeOver, id: 't-1' })
    it.tell({ kind: 'yield', service: 'api', on: true, id: 'y-1' })
    expect(it.lastReport().services.api).toMatchObject({ state: 'backup', yielding: true })
    it.tell({ ...takeOver, id: 't-2' })
    it.tell({ kind: 'yield', service: 'api', on: false, id: 'y-2' })
    expect(it.lastReport().services.api).toMatchObject({ state: 'active' })
    it.check('app', failing)
    it.tell({ ...takeOver, id: 't-3' })
    expect(it.results).toEqual([
      { id: 't-1', ok: true },
      { id: 'y-1', ok: true },
      { id: 't-2', ok: false, reason: expect.stringMatching(/yields api/) },
      { id: 'y-2', ok: true },
      { id: 't-3', ok: false, reason: 'check app failed: HTTP 503' },
    ])
  })

  test('it yields when control is lost, and is active again when it is back', () => {
    const it = begin(read({ api: { mode: 'solo', onLost: 'release' } }))
    it.judged('api', { verdict: 'keep', until: 4_000 })
    it.judged('api', { verdict: 'yield', until: 4_000 })
    expect(it.lastReport().services.api).toMatchObject({ state: 'backup', yielding: true })
    it.judged('api', { verdict: 'keep', until: 9_000 })
    expect(it.lastReport().services.api).toMatchObject({ state: 'active' })
    expect(it.toVrrp).toEqual([])
  })

  test('an ask is answered', () => {
    const it = solo()
    it.tell({ kind: 'ask', service: 'api', id: 'ask-1' })
    expect(it.lastReport()).toMatchObject({ answers: ['ask-1'], pulse: false })
  })

  test('beside a virtual router both are in one report', () => {
    const it = begin(read({ web, api: { mode: 'solo' } }))
    it.hear(said('heartbeat'))
    expect(Object.keys(it.lastReport().services)).toEqual(['web', 'api'])
    it.stopped()
    expect(Object.values(it.lastReport().services).map(({ state }) => state)).toEqual(['initialize', 'initialize'])
  })
})
