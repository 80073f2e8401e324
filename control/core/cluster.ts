/**
 * The control core at work: all services and nodes of one cluster, behind the ports of `ports.ts`.
 *
 *   reports, links, requests ──▶ one queue per service ──decide──▶ store (durable) ──▶ commands to nodes
 *                                                                        └──▶ reconcile ──▶ adapters
 *   one timer, armed at the earliest deadline of anything
 *
 * No clock, timer, random or socket of its own, so that the same text runs on Node, in a Durable Object, and in a
 * simulator that stops it between any two awaits.
 */

import type { Retention } from '../config/config.ts'
import { type Command, leaseMs, type RefusedService, type Report } from '../contract.ts'
import {
  type Asked,
  type AuditEvent,
  isFresh,
  type Moment,
  type Operation,
  type Refusal,
  type ServiceEvent,
} from '../decision.ts'
import type { EdgeMap } from '../edge/contract.ts'
import { messageOf } from '../message-of.ts'
import type { DeclarationRecord, DrainRecord, EventRecord, StoredService } from '../store/store.ts'
import { acknowledge, declare, drain, forget, undrain } from './administration.ts'
import { type Budgets, createBudgets } from './budgets.ts'
import { createDeadlines, type Deadlines } from './deadlines.ts'
import { createEdgeView } from './edge-view.ts'
import { link, report } from './hearing.ts'
import { createNodes, type Nodes } from './nodes.ts'
import type { ClusterPorts, Declared } from './ports.ts'
import { isOverdue } from './retention.ts'
import { createUnit, type Unit } from './unit.ts'
import { type NodeView, type ServiceView, viewNode, viewService } from './view.ts'

export type Published = { readonly events: readonly EventRecord[]; readonly operations: readonly Operation[] }

/** `by`: the name of the token that asks; `reason`: for the audit trail. */
export type ServiceRequest = { readonly service: string } & Asked
export type SwitchoverRequest = ServiceRequest & { readonly to: string | null }
export type NodeRequest = { readonly node: string } & Asked

export type ReportAnswer =
  | { readonly commands: readonly Command[]; readonly refused: readonly RefusedService[] }
  | { readonly refusal: Refusal }
export type SwitchoverAnswer = { readonly operation: Operation } | { readonly refusal: Refusal }
/** Null: it is done. */
export type RequestAnswer = { readonly refusal: Refusal } | null
export type DrainAnswer = { readonly drain: DrainRecord; readonly operations: readonly Operation[] }

export type Cluster = {
  /** Looks at every binding once, and resumes what was under way. */
  start(): void
  /** Resolves when everything the report led to is durable, with the commands that wait for a node without a link. */
  report(report: Report, via: 'link' | 'post'): Promise<ReportAnswer>
  connected(node: string): void
  disconnected(node: string): void
  /** Undefined: there is no such service. */
  switchover(request: SwitchoverRequest): Promise<SwitchoverAnswer | undefined>
  hold(request: ServiceRequest): Promise<RequestAnswer | undefined>
  release(request: ServiceRequest): Promise<RequestAnswer | undefined>
  /** Goes on above a higher epoch that was found, and with bindings that were left as somebody else changed them. */
  acknowledge(request: ServiceRequest): Promise<RequestAnswer | undefined>
  /** Empties a node and keeps it empty. Undefined: it has never been heard of. */
  drain(request: NodeRequest): Promise<DrainAnswer | undefined>
  /** False: it was not drained. */
  undrain(request: NodeRequest): Promise<boolean>
  /** Adds or replaces a service. `record`: what is remembered of an API's declaration; null for a file's. */
  declare(service: string, declared: Declared, record: DeclarationRecord | null): Promise<void>
  /** False: there is no such service. */
  forget(request: ServiceRequest): Promise<boolean>
  /** What the API has declared of a service. */
  declaration(service: string): DeclarationRecord | undefined
  /** Of all services, sorted. */
  names(): readonly string[]
  services(): ServiceView[]
  service(name: string): ServiceView | undefined
  /** How a service is configured, and where. */
  declared(name: string): Pick<Declared, 'config' | 'origin'> | undefined
  nodes(): NodeView[]
  operation(id: string): Operation | undefined
  /** Whether the node owns the service and was heard within the lease. */
  owns(service: string, node: string): boolean
  /** What the edge routes by; of `services` only these are looked at again. */
  edge(services?: Iterable<string>): EdgeMap
  /** Writes a line of the audit trail that is no service's decision. */
  audit(event: Omit<AuditEvent, 'at' | 'epoch'>): Promise<void>
  /** Told of everything that people can see once it is durable. Returns how to stop that. */
  subscribe(listener: (published: Published) => void): () => void
  stop(): Promise<void>
}

export type ClusterInput = {
  readonly services: ReadonlyMap<string, Declared>
  readonly retention: Retention
}

/** Control that was stopped for longer than this could not hear anybody, and must not take that for silence. */
const stallMs = leaseMs / 2
/** How often control makes sure that it is not stopped. */
const aliveMs = 1_000
/** How often what is too old is removed, in milliseconds; and how soon again while there is more of it. */
const pruneEveryMs = 3_600_000
const pruneOnMs = 1_000

/** What a cluster is made of, for the files that it is cut into. */
export type Work = {
  readonly ports: ClusterPorts
  readonly retention: Retention
  readonly units: Map<string, Unit>
  readonly declarations: Map<string, DeclarationRecord>
  readonly drains: Map<string, DrainRecord>
  readonly nodes: Nodes
  readonly budgets: Budgets
  readonly listeners: Set<(published: Published) => void>
  readonly deadlines: Deadlines<Unit>
  readonly run: string
  aliveAt: number
  pruneAt: number
  armed: { readonly at: number; cancel(): void } | null
  stopped: boolean
}

export function createCluster(input: ClusterInput, ports: ClusterPorts): Cluster {
  const work = begin(input, ports)
  const { units, nodes, listeners, drains, declarations } = work
  const seen = () => ({ nodes, drains, now: momentOf(work) })
  const edge = createEdgeView({ units, moment: () => momentOf(work), begin: ports.clock.wall().getTime() })
  const ask = async (service: string, event: ServiceEvent): Promise<RequestAnswer | undefined> => {
    const unit = units.get(service)
    return unit && refusalOf(await unit.handle(event))
  }
  return {
    start: () => {
      for (const unit of units.values()) unit.start()
      rearm(work)
    },
    report: (said, via) => report(work, said, via),
    connected: (node) => link(work, node, true),
    disconnected: (node) => link(work, node, false),
    switchover: (request) => switchover(work, request),
    hold: ({ service, ...asked }) => ask(service, { kind: 'hold', ...asked }),
    release: ({ service, ...asked }) => ask(service, { kind: 'release', ...asked }),
    acknowledge: (request) => acknowledge(work, request),
    drain: (request) => drain(work, request),
    undrain: (request) => undrain(work, request),
    declare: (service, declared, record) => declare(work, { service, declared, record }),
    forget: (request) => forget(work, request),
    declaration: (service) => declarations.get(service),
    names: () => [...units.keys()].toSorted(),
    services: () => [...units.values()].map((unit) => viewService(unit, seen())),
    service: (name) => {
      const unit = units.get(name)
      return unit && viewService(unit, seen())
    },
    declared: (name) => {
      const unit = units.get(name)
      return unit && { config: unit.config(), origin: unit.origin() }
    },
    nodes: () => nodes.all().map((node) => viewNode(node, { ...seen(), freshFrom: ports.clock.now() - leaseMs })),
    operation: (id) => ports.store.operation(id),
    owns: (service, node) => {
      const decision = units.get(service)?.decision()
      const member = decision?.members[node]
      if (decision?.owner?.node !== node || member === undefined) return false
      const heardAt = Math.max(
        member.heardAt ?? Number.NEGATIVE_INFINITY,
        ports.aliveAt(node) ?? Number.NEGATIVE_INFINITY,
      )
      return isFresh({ ...member, heardAt: member.heardAt === null ? null : heardAt }, momentOf(work))
    },
    edge: (services) => edge.map(services),
    audit: async (event) => {
      const at = ports.clock.wall().toISOString()
      publish(work, { events: await ports.store.write({ events: [{ at, epoch: null, ...event }] }), operations: [] })
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    stop: async () => {
      work.stopped = true
      work.armed?.cancel()
      await Promise.all([...units.values()].map((unit) => unit.stop()))
    },
  }
}

function begin({ services, retention }: ClusterInput, ports: ClusterPorts): Work {
  const stored = ports.store.load()
  const awake = ports.openLinks().length > 0
  const work: Work = {
    ports,
    retention,
    units: new Map(),
    declarations: new Map(stored.declarations.map((record) => [record.service, record])),
    drains: new Map(stored.drains.map((record) => [record.node, record])),
    nodes: createNodes(stored.nodes, ports),
    budgets: createBudgets(ports.clock),
    listeners: new Set(),
    deadlines: createDeadlines(),
    run: drawId(ports.random),
    aliveAt: ports.clock.now(),
    pruneAt: ports.clock.now() + (awake && !isOverdue(ports, retention) ? pruneEveryMs : pruneOnMs),
    armed: null,
    stopped: false,
  }
  for (const [service, declared] of services) addUnit(work, { service, declared, stored, awake })
  return work
}

type Addition = { service: string; declared: Declared; stored: StoredService; awake: boolean }

export function addUnit(work: Work, { service, declared, stored, awake }: Addition): Unit {
  const { ports, nodes, drains, budgets, run } = work
  const unit: Unit = createUnit({
    ports,
    stored,
    run,
    awake,
    budgets,
    service,
    declared,
    now: momentOf(work),
    members: nodes.membersOf(service, declared.config.nodes),
    drained: Object.fromEntries([...drains].map(([node, { by, reason }]) => [node, { by, reason }])),
    moment: () => momentOf(work),
    command: (node, command) => nodes.tell(node, command),
    published: (change) => publish(work, change),
    rearm: () => {
      work.deadlines.set(unit, unit.deadline())
      rearm(work)
    },
  })
  work.units.set(service, unit)
  work.deadlines.set(unit, unit.deadline())
  return unit
}

function momentOf({ ports }: Work): Moment {
  return { ms: ports.clock.now(), wall: ports.clock.wall().toISOString() }
}

export function publish({ ports, listeners }: Work, change: Published): void {
  for (const { kind, service, node, epoch, text, detail } of change.events) {
    ports.log(alarming.has(kind) ? 'warn' : 'info', { ...detail, event: kind, service, node, epoch, msg: text })
  }
  for (const listener of listeners) listener(change)
}

/** One timer for everything. Where a standstill can be noticed it also fires when nothing is due. */
export function rearm(work: Work): void {
  if (work.stopped) return
  const due = work.deadlines.first() ?? Number.POSITIVE_INFINITY
  const alive = work.ports.sleeps ? Number.POSITIVE_INFINITY : work.aliveAt + aliveMs
  const at = Math.min(alive, work.pruneAt, due)
  if (work.armed?.at === at) return
  work.armed?.cancel()
  work.armed = { at, cancel: work.ports.timer.at(at, () => ring(work)) }
}

function ring(work: Work): void {
  work.armed = null
  if (work.stopped) return
  noticeStall(work)
  const at = momentOf(work)
  for (const unit of work.deadlines.take(at.ms)) {
    unit.tick(at)
    work.deadlines.set(unit, unit.deadline())
  }
  if (at.ms >= work.pruneAt) prune(work)
  rearm(work)
}

export function noticeStall(work: Work): void {
  const now = work.ports.clock.now()
  const stood = now - work.aliveAt
  work.aliveAt = now
  if (work.ports.sleeps || stood <= stallMs) return
  const msg = 'control stood still; silence proves nothing for a lease'
  work.ports.log('warn', { event: 'stalled', forMs: Math.round(stood), msg })
  for (const unit of work.units.values()) unit.handle({ kind: 'stalled' }).catch(() => undefined)
}

function prune(work: Work): void {
  const { ports, retention } = work
  const { ageMs, events, operations } = retention
  work.pruneAt = ports.clock.now() + pruneEveryMs
  const before = new Date(ports.clock.wall().getTime() - ageMs).toISOString()
  ports.store.prune({ before, events, operations }).then(
    (more) => {
      if (more) work.pruneAt = ports.clock.now() + pruneOnMs
      rearm(work)
    },
    (error: unknown) => ports.log('error', { event: 'prune-failed', message: messageOf(error) }),
  )
}

async function switchover(work: Work, { service, ...asked }: SwitchoverRequest): Promise<SwitchoverAnswer | undefined> {
  noticeStall(work)
  const unit = work.units.get(service)
  if (unit === undefined) return undefined
  const id = `op-${drawId(work.ports.random)}`
  const effects = await unit.handle({ kind: 'switchover', id, ...asked })
  const refused = refusalOf(effects)
  if (refused !== null) return refused
  const started = effects.findLast((effect) => effect.kind === 'operation' && effect.operation.id === id)
  if (started?.kind !== 'operation') throw new Error('control is stopping')
  return { operation: started.operation }
}

export function refusalOf(effects: Awaited<ReturnType<Unit['handle']>>): RequestAnswer {
  const refused = effects.find((effect) => effect.kind === 'refused')
  return refused === undefined ? null : { refusal: refused.why }
}

const alarming: ReadonlySet<string> = new Set([
  'dual-active',
  'drift',
  'superseded',
  'higher-epoch',
  'no-target',
  'binding-failed',
  'binding-retrying',
  'switchover-failed',
  'drain-failed',
  'failover-failed',
  'drain-waits',
  'suppressed',
  'unreachable',
  'origin-down',
  'not-named',
  'preflight-failed',
])

export function drawId(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join('')
}
