/**
 * What the agent knows and says: of its routers by the VRRP process, of its checks, of control; and what follows.
 *
 *   checks ──────┐                            ┌──▶ standing of each router ──▶ VRRP process
 *   commands ────┼──▶ told, health, verdict ──┤
 *   lost control ┘                            └──▶ state of each solo service
 *   VRRP process ──▶ status ─────────────────────▶ report ──▶ control
 *
 * No socket, process or timer: those are behind `SupervisorPorts`.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Command, CommandResult, ServiceReport } from '../control/contract.ts'
import type { Health } from './checks/health.ts'
import { standingOf } from './checks/priority.ts'
import type { AgentConfig, ServiceRules } from './config.ts'
import type { Occasion } from './link/control-link.ts'
import { type Serving, unbounded } from './link/lease.ts'
import { freshForMs } from './link/outbox.ts'
import type { Log } from './log.ts'
import type { FromVrrp, SaidByVrrp, ToVrrp } from './ports.ts'
import { type Known, reportsOf } from './reports.ts'
import { refusesTakeOver, soloStatus } from './solo.ts'
import { controlLost, hear, type Told, untold, yieldsBecause } from './told.ts'
import type { Standing } from './vrrp/router.ts'
import type { ServiceStatus } from './vrrp/slot.ts'
import { logMessage, wallTime } from './vrrp-log.ts'

export type SupervisorPorts = {
  readonly log: Log
  /** Lost while no VRRP process runs: the next one is configured with all of it. */
  readonly tellVrrp: (message: ToVrrp) => void
  readonly report: (services: Readonly<Record<string, ServiceReport>>, occasion: Occasion) => void
  readonly result: (result: CommandResult) => void
  /** The network may be back. */
  readonly hurry: () => void
  readonly healthOf: (check: string) => Health
  /** Milliseconds since boot. */
  readonly now: () => number
}

export type ServiceOverview = Known & {
  /** Why it takes no part; null while it does. */
  readonly yieldsBecause: string | null
  readonly owner: Told['owner']
}

export type Supervisor = {
  /** What a VRRP process that starts now must know. */
  readonly configuration: () => ToVrrp
  readonly hear: (said: SaidByVrrp) => void
  readonly vrrpDied: (how: string, restartInMs: number) => void
  /**
   * What is not different goes on as it is; what is told and known of a service stays with its name. The id of what the
   * VRRP process was asked, if it was.
   */
  readonly reconfigure: (config: AgentConfig) => string | null
  /** Nothing runs any more; control is told so. */
  readonly stopped: () => void
  readonly command: (command: Command) => void
  /** A check's verdict has changed. */
  readonly checked: (check: string, health: Health) => void
  /** Control is lost for good, as far as anybody can tell. */
  readonly controlLost: () => void
  /** What the loss of control makes of a service, or would, and when: each time that changes. */
  readonly judged: (service: string, serving: Serving) => void
  /** A heartbeat is due. */
  readonly pulse: () => void
  readonly services: () => Readonly<Record<string, ServiceOverview>>
  readonly vrrp: () => VrrpOverview
}

export type VrrpOverview = {
  readonly discards: (FromVrrp & { readonly kind: 'status' })['discards']
  readonly realtime: boolean
  readonly restarts: number
  /** When it last said what its routers do, in milliseconds since boot; null while none runs. */
  readonly heardAt: number | null
}

type Service = {
  rules: ServiceRules
  status: ServiceStatus
  since: string
  told: Told
  serving: Serving
  standing: Standing
}

type Work = {
  config: AgentConfig
  readonly ports: SupervisorPorts
  services: ReadonlyMap<string, Service>
  held: readonly string[]
  vrrp: VrrpOverview
  reconfigurations: number
}

/** The id of the supervisor's own status requests, each of which becomes a heartbeat to control. */
const heartbeat = 'heartbeat'

const nothingHeard: VrrpOverview = { discards: {}, realtime: false, restarts: 0, heardAt: null }

export function createSupervisor(config: AgentConfig, ports: SupervisorPorts): Supervisor {
  const services = new Map(config.services.map((rules) => [rules.name, begin(rules, ports)]))
  const work: Work = { config, ports, services, held: [], vrrp: nothingHeard, reconfigurations: 0 }
  return {
    configuration: () => ({
      kind: 'configure',
      realtime: work.config.realtime,
      record: `${work.config.socket}.sysctls`,
      first: work.vrrp.restarts === 0,
      holding: work.held,
      ...saidOf(work),
    }),
    hear: (said) => hearVrrp(work, said),
    vrrpDied: (how, restartInMs) => noteDeath(work, how, restartInMs),
    reconfigure: (next) => reconfigure(work, next),
    stopped() {
      work.vrrp = { ...work.vrrp, heardAt: null }
      for (const service of work.services.values()) service.status = unstarted(service)
      report(work)
    },
    command: (command) => obey(work, command),
    checked: (check, health) => noteVerdict(work, check, health),
    controlLost() {
      for (const service of work.services.values()) service.told = controlLost(service.told)
      restandAll(work)
    },
    judged(name, serving) {
      const service = work.services.get(name)
      if (service !== undefined) judge(work, service, serving)
    },
    pulse() {
      // The process itself must answer: a supervisor that lives proves nothing about a process that hangs.
      if (work.config.routers.length > 0) ports.tellVrrp({ kind: 'status', id: heartbeat })
      else report(work, { pulse: true })
    },
    services: () => Object.fromEntries([...work.services].map(([name, service]) => [name, overviewOf(service)])),
    vrrp: () => work.vrrp,
  }
}

function begin(
  rules: ServiceRules,
  ports: SupervisorPorts,
  { told, serving }: Pick<Service, 'told' | 'serving'> = { told: untold, serving: unbounded },
): Service {
  const service = { rules, told, serving, since: new Date().toISOString() }
  const standing = standingNow(service, ports)
  const status = rules.solo ? soloStatus(rules, standing, undefined) : unstarted({ rules, standing })
  return { ...service, standing, status }
}

/** All that a VRRP process must know of its routers. */
function saidOf(work: Work): Pick<ToVrrp & { kind: 'configure' }, 'routers' | 'standings' | 'leases'> {
  const routers = routersOf(work)
  return {
    routers: work.config.routers,
    standings: Object.fromEntries(routers.map(({ rules, standing }) => [rules.name, standing])),
    leases: Object.fromEntries(routers.map(({ rules, serving }) => [rules.name, serving.until])),
  }
}

function reconfigure(work: Work, next: AgentConfig): string | null {
  const { ports, services: before, config } = work
  const said = saidOf(work)
  const freed = config.control !== undefined && next.control === undefined
  const changed = freed || !isDeepStrictEqual(config.services, next.services)
  work.config = next
  work.services = new Map(next.services.map((rules) => [rules.name, renew(before.get(rules.name), rules, ports)]))
  const { routers } = next
  work.held = work.held.filter((name) => routers.some((router) => router.name === name))
  // A process that runs no router any more is stopped, and speaks for nobody.
  if (routers.length === 0) work.vrrp = { ...work.vrrp, heardAt: null }
  for (const service of work.services.values()) {
    if (freed) free(service, ports)
    if (changed && service.rules.solo) restand(work, service)
  }
  if (changed) report(work)
  const now = saidOf(work)
  if (routers.length === 0 || isDeepStrictEqual(said, now)) return null
  work.reconfigurations += 1
  const id = `reconfiguration ${work.reconfigurations}`
  ports.tellVrrp({ kind: 'reconfigure', id, ...now })
  return id
}

/** Nobody is left who could take back what control said. */
function free(service: Service, ports: SupervisorPorts): void {
  service.told = untold
  service.serving = unbounded
  if (!service.rules.solo) service.standing = standingNow(service, ports)
}

/** The same service under new rules. One that takes part in VRRP now, or no longer, begins anew. */
function renew(former: Service | undefined, rules: ServiceRules, ports: SupervisorPorts): Service {
  if (former === undefined) return begin(rules, ports)
  const { told, serving } = former
  if (former.rules.solo !== rules.solo) return begin(rules, ports, { told, serving })
  former.rules = rules
  if (!rules.solo) former.standing = standingNow(former, ports)
  return former
}

/** What holds of a service while nothing runs it. */
function unstarted({ rules, standing }: Pick<Service, 'rules' | 'standing'>): ServiceStatus {
  const { priority, yielding } = standing
  const counters = { sent: 0, received: 0, transitions: 0, late: 0 }
  return { state: 'initialize', priority, basePriority: rules.priority, yielding, fault: null, ...counters }
}

/** A virtual router yields to the end of its lease by itself, so nothing of that is in what is said of it. */
function standingNow({ rules, told, serving }: Omit<Service, 'standing' | 'status'>, ports: SupervisorPorts): Standing {
  const { priority, checks, solo } = rules
  const checked = standingOf({ priority, checks, healthOf: ports.healthOf, unknownCounts: solo ? 'failed' : 'passed' })
  return { ...checked, yielding: yieldsBecause(told, rules, solo ? serving.verdict : 'keep') !== null }
}

/** Says what has changed of what is said of a service. `id`: of the command that the VRRP process is to answer. */
function restand(work: Work, service: Service, id: string | null = null): void {
  const { rules } = service
  const before = service.standing
  const standing = standingNow(service, work.ports)
  service.standing = standing
  if (rules.solo) {
    enter(work, service)
    return
  }
  const same =
    before.priority === standing.priority && before.yielding === standing.yielding && before.fault === standing.fault
  if (!same || id !== null) work.ports.tellVrrp({ kind: 'standing', id, service: rules.name, standing })
}

function restandAll(work: Work): void {
  for (const service of work.services.values()) restand(work, service)
}

/** A solo service is what its standing makes of it. */
function enter(work: Work, service: Service): void {
  const { rules, standing, status: before } = service
  const status = soloStatus(rules, standing, before)
  service.status = status
  if (status.state !== before.state) {
    service.since = new Date().toISOString()
    const reason = status.fault ?? yieldsBecause(service.told, rules, service.serving.verdict) ?? 'healthy'
    const msg = `${rules.name}: ${before.state} to ${status.state} (${reason})`
    work.ports.log('info', { event: 'state', service: rules.name, from: before.state, to: status.state, reason, msg })
  }
  report(work)
}

/** What a VRRP process that hangs last said is no present truth, so nothing is reported of this node until it answers. */
function report(work: Work, { answers = [], pulse = false }: Partial<Occasion> = {}): void {
  const { heardAt } = work.vrrp
  if (heardAt !== null && !isFresh(work, heardAt)) return
  const known = Object.fromEntries([...work.services].map(([name, service]) => [name, knownOf(service)]))
  work.ports.report(reportsOf(known), { answers, pulse })
}

function isFresh({ ports }: Work, saidAt: number): boolean {
  return ports.now() - saidAt <= freshForMs
}

function hearVrrp(work: Work, { saidAt, message }: SaidByVrrp): void {
  const { log, result, hurry } = work.ports
  logMessage(log, message)
  switch (message.kind) {
    case 'started':
      work.vrrp = { ...work.vrrp, realtime: message.realtime }
      return
    case 'transition': {
      const service = work.services.get(message.service)
      if (service !== undefined && message.from !== message.to) service.since = wallTime(message.at)
      if (message.from === 'fault') hurry()
      return
    }
    case 'answer':
      result({ id: message.id, ok: message.ok, ...(message.reason ? { reason: message.reason } : {}) })
      return
    case 'status': {
      // By a process that is leaving, since no service needs it any more.
      if (work.config.routers.length === 0) return
      // Said before this machine slept, or before this process was held up; what holds now must be asked again.
      if (!isFresh(work, saidAt)) {
        work.ports.tellVrrp({ kind: 'status', id: message.id ?? heartbeat })
        return
      }
      for (const [name, status] of Object.entries(message.services)) {
        const service = work.services.get(name)
        if (service !== undefined) service.status = status
      }
      work.vrrp = { ...work.vrrp, discards: message.discards, heardAt: saidAt }
      const { id } = message
      report(work, { answers: id === null || id === heartbeat ? [] : [id], pulse: id === heartbeat })
    }
  }
}

function noteDeath(work: Work, how: string, restartInMs: number): void {
  const msg = `the VRRP process died (${how}); it starts again in ${restartInMs} ms`
  work.ports.log('error', { event: 'vrrp-died', how, restartInMs, msg })
  work.vrrp = { ...work.vrrp, restarts: work.vrrp.restarts + 1, heardAt: null }
  const routers = routersOf(work)
  work.held = routers.filter(({ status }) => status.state === 'active').map(({ rules }) => rules.name)
  for (const service of routers) service.status = unstarted(service)
  report(work)
}

function obey(work: Work, command: Command): void {
  const { log, tellVrrp, result } = work.ports
  const { kind, id } = command
  if (kind === 'ask') {
    if (work.config.routers.length > 0) tellVrrp({ kind: 'status', id })
    else report(work, { answers: [id] })
    return
  }
  // Who owns is told again and again; what is new in it is logged where it is heard.
  if (kind !== 'owner')
    log('info', { event: 'command', ...command, msg: `control says ${kind} for ${command.service}` })
  const service = work.services.get(command.service)
  const done =
    service === undefined ? refuse(`this node has no service ${command.service}`) : perform(work, service, command)
  if (done !== 'later') result({ id, ...done })
}

/** `later`: the VRRP process answers when it has done it. */
type Done = { readonly ok: true } | { readonly ok: false; readonly reason: string } | 'later'

const refuse = (reason: string): Done => ({ ok: false, reason })

function perform(work: Work, service: Service, command: Exclude<Command, { kind: 'ask' }>): Done {
  const { rules, told, status } = service
  if (command.kind === 'yield' || command.kind === 'owner') {
    if (command.kind === 'yield' && rules.priority === 255)
      return refuse(`this node is the address owner of ${rules.name}: its addresses stay on it, so it can't yield`)
    const heard = hear(told, command)
    if ('refusal' in heard) return refuse(heard.refusal)
    service.told = heard.told
    sayContested(work, service, told.owner)
    // The VRRP process answers this too, so that a report with the result in it never comes from memory alone.
    restand(work, service, command.id)
    return rules.solo ? { ok: true } : 'later'
  }
  if (!rules.solo) {
    work.ports.tellVrrp(command)
    return 'later'
  }
  const refusal = command.kind === 'take-over' ? refusesTakeOver(status, rules.name) : null
  return refusal === null ? { ok: true } : refuse(refusal)
}

/** Once, when it begins. */
function sayContested({ ports: { log } }: Work, { rules, told: { owner } }: Service, before: Told['owner']): void {
  if (!owner?.contested || (before?.contested && before.epoch === owner.epoch)) return
  const does = rules.split === 'yield' ? 'it yields' : 'it goes on (split: keep)'
  const msg = `${rules.name}: ${owner.node} owns it outside and this node is active too: the LAN is split; ${does}`
  log('warn', { event: 'contested', service: rules.name, owner: owner.node, epoch: owner.epoch, msg })
}

function judge(work: Work, service: Service, serving: Serving): void {
  const { rules, serving: before } = service
  service.serving = serving
  if (!rules.solo) work.ports.tellVrrp({ kind: 'lease', service: rules.name, until: serving.until })
  if (serving.verdict === before.verdict) return
  sayJudged(work.ports, service)
  if (rules.solo) restand(work, service)
}

function sayJudged({ log }: SupervisorPorts, { rules: { name, onLost }, serving: { verdict } }: Service): void {
  const yields = verdict === 'yield'
  const msg = yields ? `${name} yields: control is lost (onLost: ${onLost})` : `${name} takes part again`
  log(yields ? 'warn' : 'info', { event: 'on-lost', service: name, onLost, verdict, msg })
}

function noteVerdict(work: Work, check: string, { verdict, why }: Health): void {
  const failing = verdict === 'failing'
  const msg = failing ? `check ${check} fails: ${why}` : `check ${check} passes`
  work.ports.log(failing ? 'warn' : 'info', { event: 'check', check, verdict, why, msg })
  for (const service of work.services.values()) {
    if (service.rules.checks.some((each) => each.check === check)) restand(work, service)
  }
}

function routersOf({ services }: Work): Service[] {
  return [...services.values()].filter(({ rules }) => !rules.solo)
}

function knownOf({ rules, status, since, told }: Service): Known {
  return { status, since, solo: rules.solo, epochSeen: told.owner?.epoch ?? null }
}

function overviewOf(service: Service): ServiceOverview {
  const { rules, told, serving } = service
  return { ...knownOf(service), yieldsBecause: yieldsBecause(told, rules, serving.verdict), owner: told.owner }
}
