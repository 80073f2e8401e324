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

import type { ServiceConfig } from './config.ts'
import { type Command, leaseMs, type Report } from './contract.ts'
import { admit, formerOf, isFresh, type Member, type Moment, type Operation, type Refusal } from './decision.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import type { ClusterPorts } from './ports.ts'
import type { EventRecord, NodeRecord } from './store/store.ts'
import { createUnit, type Unit } from './unit.ts'
import { type KnownNode, type NodeView, type ServiceView, viewNode, viewService } from './view.ts'

export type Published = { readonly events: readonly EventRecord[]; readonly operations: readonly Operation[] }

export type SwitchoverRequest = {
  readonly service: string
  readonly to: string | null
  readonly reason: string | null
  readonly by: string
}

export type ReportAnswer = { readonly commands: readonly Command[] } | { readonly refusal: Refusal }
export type SwitchoverAnswer = { readonly operation: Operation } | { readonly refusal: Refusal }

export type Cluster = {
  /** Looks at every binding once, and resumes what was under way. */
  start(): void
  /** Resolves when everything the report led to is durable, with the commands that wait for a node without a link. */
  report(report: Report, via: 'link' | 'post'): Promise<ReportAnswer>
  connected(node: string): void
  disconnected(node: string): void
  /** Undefined: there is no such service. */
  switchover(request: SwitchoverRequest): Promise<SwitchoverAnswer | undefined>
  services(): ServiceView[]
  service(name: string): ServiceView | undefined
  nodes(): NodeView[]
  operation(id: string): Operation | undefined
  /** Whether the node owns the service and was heard within the lease. */
  owns(service: string, node: string): boolean
  /** Told of everything that people can see once it is durable. Returns how to stop that. */
  subscribe(listener: (published: Published) => void): () => void
  stop(): Promise<void>
}

/** Control that was stopped for longer than this could not hear anybody, and must not take that for silence. */
const stallMs = leaseMs / 2
/** How often control makes sure that it is not stopped. */
const aliveMs = 1_000

type Work = {
  readonly ports: ClusterPorts
  readonly units: Map<string, Unit>
  readonly nodes: Map<string, KnownNode>
  /** Nodes whose link is open. */
  readonly links: Set<string>
  readonly outbox: Outbox
  readonly listeners: Set<(published: Published) => void>
  aliveAt: number
  armed: { readonly at: number; cancel(): void } | null
  stopped: boolean
}

export function createCluster(services: Readonly<Record<string, ServiceConfig>>, ports: ClusterPorts): Cluster {
  const work = begin(services, ports)
  const { units, nodes, links, listeners } = work
  return {
    start: () => {
      for (const unit of units.values()) unit.start()
      rearm(work)
    },
    report: (said, via) => report(work, said, via),
    connected: (node) => link(work, node, true),
    disconnected: (node) => link(work, node, false),
    switchover: (request) => switchover(work, request),
    services: () => [...units.values()].map((unit) => viewService(unit, { nodes, links })),
    service: (name) => {
      const unit = units.get(name)
      return unit && viewService(unit, { nodes, links })
    },
    nodes: () => [...nodes.values()].map((node) => viewNode(node, { links, freshFrom: ports.clock.now() - leaseMs })),
    operation: (id) => ports.store.operation(id),
    owns: (service, node) => {
      const decision = units.get(service)?.decision()
      const member = decision?.members[node]
      return decision?.owner?.node === node && member !== undefined && isFresh(member, momentOf(work))
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

function begin(services: Readonly<Record<string, ServiceConfig>>, ports: ClusterPorts): Work {
  const stored = ports.store.load()
  const work: Work = {
    ports,
    units: new Map(),
    nodes: new Map(stored.nodes.map((record) => [record.node, { record, heardAt: null }])),
    links: new Set(),
    outbox: createOutbox(),
    listeners: new Set(),
    aliveAt: ports.clock.now(),
    armed: null,
    stopped: false,
  }
  const shared = {
    ports,
    stored,
    run: drawId(ports.random),
    now: momentOf(work),
    moment: () => momentOf(work),
    command: (node: string, command: Command) => tell(work, node, command),
    published: (change: Published) => publish(work, change),
    rearm: () => rearm(work),
  }
  for (const [service, config] of Object.entries(services)) {
    const members = membersOf(service, stored.nodes)
    work.units.set(service, createUnit({ ...shared, service, config, members }))
  }
  return work
}

function momentOf({ ports }: Work): Moment {
  return { ms: ports.clock.now(), wall: ports.clock.wall().toISOString() }
}

function tell({ ports, outbox }: Work, node: string, command: Command): void {
  if (!ports.send(node, [command])) outbox.put(node, command)
}

function publish({ ports, listeners }: Work, change: Published): void {
  for (const { kind, service, node, epoch, text, detail } of change.events) {
    ports.log(alarming.has(kind) ? 'warn' : 'info', { ...detail, event: kind, service, node, epoch, msg: text })
  }
  for (const listener of listeners) listener(change)
}

/** One timer for everything. It also fires when nothing is due, to notice a standstill. */
function rearm(work: Work): void {
  if (work.stopped) return
  const due = [...work.units.values()].map((unit) => unit.deadline()).filter((at) => at !== null)
  const at = Math.min(work.aliveAt + aliveMs, ...due)
  if (work.armed?.at === at) return
  work.armed?.cancel()
  work.armed = { at, cancel: work.ports.timer.at(at, () => ring(work)) }
}

function ring(work: Work): void {
  work.armed = null
  if (work.stopped) return
  noticeStall(work)
  const at = momentOf(work)
  for (const unit of work.units.values()) unit.tick(at)
  rearm(work)
}

function noticeStall(work: Work): void {
  const now = work.ports.clock.now()
  const stood = now - work.aliveAt
  work.aliveAt = now
  if (stood <= stallMs) return
  const msg = 'control stood still; silence proves nothing for a lease'
  work.ports.log('warn', { event: 'stalled', forMs: Math.round(stood), msg })
  for (const unit of work.units.values()) unit.handle({ kind: 'stalled' }).catch(() => undefined)
}

async function report(work: Work, said: Report, via: 'link' | 'post'): Promise<ReportAnswer> {
  noticeStall(work)
  // What was still on its way when the link closed says nothing about a node that is no longer there.
  if (via === 'link' && !work.links.has(said.node)) return { commands: [] }
  const news = admit(work.nodes.get(said.node)?.record, said)
  if (news === 'former') {
    const detail = `${said.node} has restarted since the agent that sent this; its former self is not heard`
    return { refusal: { code: 'former-incarnation', detail } }
  }
  if (news === 'new') remember(work, said)
  const handled = [...work.units.values()].flatMap((unit) => {
    const concerned = Object.hasOwn(said.services, unit.service) || Object.hasOwn(unit.decision().members, said.node)
    return concerned ? [unit.handle(reportEvent(said, unit.service, via))] : []
  })
  await Promise.all(handled)
  return { commands: via === 'post' ? work.outbox.take(said.node) : [] }
}

/** Keeps what the node said, and stores what matters after a restart. */
function remember({ nodes, ports }: Work, said: Report): void {
  const known = nodes.get(said.node)?.record
  const { node, site, incarnation, sequence, services } = said
  const lastReport = ports.clock.wall().toISOString()
  const record = { node, site, incarnation, former: formerOf(known, incarnation), sequence, lastReport, services }
  nodes.set(node, { record, heardAt: ports.clock.now() })
  if (known !== undefined && !worthStoring(known, record)) return
  ports.store.write({ node: record }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    ports.log('error', { event: 'store-failed', node, message })
  })
}

function link(work: Work, node: string, open: boolean): void {
  noticeStall(work)
  if (open) work.links.add(node)
  else work.links.delete(node)
  work.outbox.clear(node)
  work.ports.log('info', { event: open ? 'node-connected' : 'node-disconnected', node })
  for (const unit of work.units.values()) {
    unit.handle({ kind: open ? 'connected' : 'disconnected', node }).catch(() => undefined)
  }
}

async function switchover(work: Work, request: SwitchoverRequest): Promise<SwitchoverAnswer | undefined> {
  noticeStall(work)
  const { service, ...asked } = request
  const unit = work.units.get(service)
  if (unit === undefined) return undefined
  const id = `op-${drawId(work.ports.random)}`
  const effects = await unit.handle({ kind: 'switchover', id, ...asked })
  const refused = effects.find((effect) => effect.kind === 'refused')
  if (refused !== undefined) return { refusal: refused.why }
  const started = effects.findLast((effect) => effect.kind === 'operation' && effect.operation.id === id)
  if (started?.kind !== 'operation') throw new Error('control is stopping')
  return { operation: started.operation }
}

const alarming: ReadonlySet<string> = new Set([
  'dual-active',
  'drift',
  'superseded',
  'no-target',
  'binding-failed',
  'binding-retrying',
  'switchover-failed',
])

function reportEvent(said: Report, service: string, via: 'link' | 'post') {
  const { node, site, incarnation, sequence, answers = [], results = [] } = said
  const report = said.services[service] ?? null
  return { kind: 'report', node, site, incarnation, sequence, via, report, answers, results } as const
}

function membersOf(service: string, nodes: readonly NodeRecord[]): Member[] {
  return nodes.flatMap(({ node, site, incarnation, former, sequence, services }) => {
    const said = services[service]
    if (said === undefined) return []
    const { state, priority, basePriority = priority, healthy, since } = said
    const heard = { link: 'closed', heardAt: null, loweredAt: null } as const
    return [{ node, site, incarnation, former, sequence, state, priority, basePriority, healthy, since, ...heard }]
  })
}

/** A heartbeat that says nothing new is not worth a write. */
function worthStoring(before: NodeRecord, after: NodeRecord): boolean {
  const gist = ({ incarnation, site, services }: NodeRecord): string =>
    JSON.stringify([incarnation, site, Object.entries(services).map(([name, { since: _, ...said }]) => [name, said])])
  return gist(before) !== gist(after)
}

function drawId(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join('')
}
