/**
 * One service at work: its decision, its bindings, its probes, and the queue that takes its events one by one.
 *
 * An event is handled only when the write that the one before it needed is durable. If that write fails, nothing has
 * changed, neither here nor outside, and what was to be heard is heard again later (`unheard.ts`).
 */

import type { ServiceConfig } from '../config/service-config.ts'
import type { Command } from '../contract.ts'
import { decide, nextDeadline, refresh } from '../decide.ts'
import {
  type Asked,
  beginDecision,
  type Decision,
  type Effect,
  type Member,
  type Moment,
  type Operation,
  type ServiceEvent,
  type ServicePolicy,
} from '../decision.ts'
import { messageOf } from '../message-of.ts'
import type { Binding } from '../reconcile.ts'
import { isFenced } from '../rules/fencing.ts'
import { awaitsProbe } from '../rules/moves.ts'
import { type Change, type EventRecord, StaleEpochError, StorageError, type StoredService } from '../store/store.ts'
import { type Backlog, createBacklog } from './backlog.ts'
import { type Bindings, createBindings } from './bindings.ts'
import type { ClusterPorts, Declared } from './ports.ts'
import { createProbes, type Probes } from './probes.ts'
import { createUnheard, type Unheard } from './unheard.ts'

/** What the service hands to the cluster around it. */
export type UnitInput = {
  readonly service: string
  readonly declared: Declared
  readonly ports: ClusterPorts
  readonly stored: StoredService
  readonly members: readonly Member[]
  readonly drained: Readonly<Record<string, Asked>>
  readonly run: string
  readonly awake: boolean
  readonly now: Moment
  moment(): Moment
  command(node: string, command: Command): void
  /** Something that people can see has changed, and is durable. */
  published(change: { events: readonly EventRecord[]; operations: readonly Operation[] }): void
  /** A deadline may have moved. */
  rearm(): void
}

export type Unit = {
  readonly service: string
  config(): ServiceConfig
  origin(): Declared['origin']
  decision(): Decision
  bindings(): readonly { readonly name: string; readonly adapter: string; readonly binding: Binding }[]
  /** Resolves with the effects once they are performed; rejects when they could not be made durable. */
  handle(event: ServiceEvent): Promise<readonly Effect[]>
  /** Goes on with another configuration once `change` is durable; what is the same in both goes on undisturbed. */
  redeclare(declared: Declared, change: Change): Promise<void>
  /** Ends once `change` is durable, and resolves with its events. */
  forget(change: Change): Promise<readonly EventRecord[]>
  start(): void
  deadline(): number | null
  tick(now: Moment): void
  /** Ends calls and disposes adapters; resolves when the last write has ended. */
  stop(): Promise<void>
}

/** After a write that failed, how long until a deadline is tried again, in milliseconds. */
const retryMs = 1_000

type Work = UnitInput & {
  declared: Declared
  policy: ServicePolicy
  decision: Decision
  bindings: Bindings
  readonly probes: Probes
  readonly backlog: Backlog
  readonly unheard: Unheard
  /** Ends when the last event that was taken is dealt with. */
  queue: Promise<unknown>
  /** No deadline of the decision is tried before. */
  notBefore: number
  /** How often a node was asked again. */
  asked: number
  stopped: boolean
}

export function createUnit(input: UnitInput): Unit {
  const work = begin(input)
  return {
    service: input.service,
    config: () => work.declared.config,
    origin: () => work.declared.origin,
    decision: () => work.decision,
    bindings: () => work.bindings.all(),
    handle: (event) => handle(work, event),
    redeclare: (declared, change) => inTurn(work, () => redeclare(work, declared, change)),
    forget: (change) =>
      inTurn(work, async () => {
        const events = await save(work, change)
        end(work)
        return events
      }),
    start: () => {
      work.bindings.start()
      work.probes.start(work.declared.config)
      settleIfDone(work)
    },
    deadline: () => deadline(work),
    tick: (at) => tick(work, at),
    stop: async () => {
      end(work)
      await work.queue
      await work.backlog.stop()
    },
  }
}

function begin(input: UnitInput): Work {
  const { service, declared, ports, stored, members, drained, run, awake, now } = input
  const owner = stored.owners[service] ?? null
  const operation = stored.running.find((running) => running.service === service) ?? null
  const memory = stored.memories[service]
  const decision = beginDecision({
    owner,
    epoch: stored.epochs[service] ?? owner?.epoch ?? 0,
    members,
    drained,
    operation,
    flap: declared.config.flap,
    run,
    now,
    awake,
    ...(memory === undefined ? {} : { memory }),
  })
  const backlog = createBacklog(input)
  // A failed write is logged where it failed, and the next look says the same again.
  const say = (event: ServiceEvent): void => void handle(work, event).catch(() => undefined)
  const work: Work = {
    ...input,
    policy: policyOf(service, declared),
    decision,
    bindings: undefined as unknown as Bindings,
    probes: createProbes({ ports, rearm: input.rearm, said: say, isAwaited: () => awaitsProbe(work.decision) }),
    backlog,
    unheard: createUnheard(),
    queue: Promise.resolve(),
    notBefore: Number.NEGATIVE_INFINITY,
    asked: 0,
    stopped: false,
  }
  work.bindings = createBindings({
    service,
    ports,
    backlog,
    wanted: () =>
      work.decision.owner === null ? null : { node: work.decision.owner.node, epoch: work.decision.owner.epoch },
    presentEpoch: () => (isFenced({ state: work.decision }) ? null : work.decision.epoch),
    isAwaited: (epoch) => work.decision.move?.operation.epoch === epoch,
    said: say,
    changed: () => {
      settleIfDone(work)
      input.rearm()
    },
  })
  work.bindings.become(declared)
  return work
}

function policyOf(service: string, { config }: Declared): ServicePolicy {
  const { bindings, probe, hosts: _, nodes: __, ...rest } = config
  return { ...rest, service, bindings: bindings.map(({ name }) => name), probed: probe !== null }
}

function handle(work: Work, event: ServiceEvent): Promise<readonly Effect[]> {
  const at = work.moment()
  return inTurn(work, () => takeOne(work, event, at), [])
}

/** Everything that changes a service waits for what came before it. Nothing happens any more once it has stopped. */
function inTurn<T>(work: Work, job: () => Promise<T>, ifStopped?: T): Promise<T> {
  const result = work.queue.then(() => (work.stopped ? (ifStopped as T) : job()))
  work.queue = result.catch(() => undefined)
  return result
}

async function takeOne(work: Work, event: ServiceEvent, at: Moment): Promise<readonly Effect[]> {
  const { service, ports } = work
  // A link may have carried pings since it was last judged, and one of a program that sleeps wakes nobody.
  const known = refresh(work.decision, ports.aliveAt)
  const step = decide(work.policy, known, event, at)
  const change = changeOf(service, step.effects, work.bindings.names())
  const events = change === null ? [] : await saveOrKeep(work, event, change)
  work.unheard.heard(event)
  work.decision = step.state
  if (change !== null) ports.measure({ kind: 'decided', what: event.kind, tookMs: ports.clock.now() - at.ms })
  if (work.stopped) return step.effects
  for (const effect of step.effects) {
    if (effect.kind === 'own') {
      ports.measure({ kind: 'moved', service, reason: effect.reason })
      work.bindings.follow()
    }
    if (effect.kind === 'command') work.command(effect.node, effect.command)
    if (effect.kind === 'operation' && effect.operation.status !== 'running') {
      ports.measure({ kind: 'ended', operation: effect.operation })
    }
  }
  if (change !== null) work.published({ events, operations: change.operations ?? [] })
  settleIfDone(work)
  work.rearm()
  return step.effects
}

async function saveOrKeep(work: Work, event: ServiceEvent, change: Change): Promise<readonly EventRecord[]> {
  try {
    return await save(work, change)
  } catch (error) {
    work.unheard.keep(event)
    work.rearm()
    throw error
  }
}

/** The facts that could not be written down, and a fresh word from each node whose report could not be. */
function hearAgain(work: Work): void {
  const { facts, nodes } = work.unheard.take()
  for (const fact of facts) handle(work, fact).catch(() => undefined)
  for (const node of nodes) {
    work.asked += 1
    work.command(node, { kind: 'ask', id: `again-${work.run}-${work.asked}`, service: work.service })
  }
}

async function save(work: Work, change: Change): Promise<readonly EventRecord[]> {
  const { service, ports } = work
  try {
    return await ports.store.write(change)
  } catch (error) {
    work.notBefore = ports.clock.now() + retryMs
    // A disk that is full is told of once, and not by every service.
    if (!(error instanceof StorageError)) {
      ports.log('error', { event: 'store-failed', service, message: messageOf(error) })
    }
    if (error instanceof StaleEpochError) adopt(work)
    work.rearm()
    throw error
  }
}

/** The store knows better: another control minted an epoch, or a write that seemed to fail did not. */
function adopt(work: Work): void {
  const stored = work.ports.store.recall(work.service).owners[work.service]
  if (stored === undefined || stored.epoch <= work.decision.epoch) return
  work.decision = { ...work.decision, owner: stored, epoch: stored.epoch, confirming: null }
  work.bindings.follow()
}

async function redeclare(work: Work, declared: Declared, change: Change): Promise<void> {
  let events: readonly EventRecord[]
  try {
    events = await save(work, change)
  } catch (error) {
    for (const adapter of declared.adapters.values()) adapter.dispose()
    throw error
  }
  work.declared = declared
  work.policy = policyOf(work.service, declared)
  const { nodes, origins } = declared.config
  const { members } = work.decision
  const named = Object.entries(members).filter(([node]) => nodes === null || nodes.includes(node))
  const probed = Object.entries(work.decision.origins).filter(([site]) => origins[site]?.probe != null)
  const reachable = declared.config.probe === null ? null : work.decision.reachable
  work.decision = {
    ...work.decision,
    members: Object.fromEntries(named),
    origins: Object.fromEntries(probed),
    reachable,
  }
  const { owner } = work.decision
  // An owner that may not take part any more will not come back: its silence is an answer.
  if (owner !== null && nodes !== null && !nodes.includes(owner.node)) {
    work.decision = { ...work.decision, believeFrom: Number.NEGATIVE_INFINITY }
  }
  work.bindings.become(declared)
  work.bindings.start()
  work.probes.start(declared.config)
  work.published({ events, operations: [] })
  // What the old words did not allow may be due by the new ones.
  handle(work, { kind: 'tick' }).catch(() => undefined)
}

function end(work: Work): void {
  work.stopped = true
  work.bindings.stop()
  work.probes.stop()
}

/** Tells the move under way when everything outside is where it belongs. */
function settleIfDone(work: Work): void {
  const { move, owner } = work.decision
  if (move?.stage !== 'settling' || owner === null || move.operation.steps.some(({ name }) => name === 'settled'))
    return
  if (work.bindings.haveSettled(owner.epoch))
    handle(work, { kind: 'settled', epoch: owner.epoch }).catch(() => undefined)
}

function deadline({ decision, notBefore, unheard, backlog, bindings, probes }: Work): number | null {
  const mine = nextDeadline(decision)
  const all = [
    mine === null ? null : Math.max(mine, notBefore),
    unheard.isEmpty() ? null : notBefore,
    backlog.deadline(),
    bindings.deadline(),
    probes.deadline(),
  ]
  const due = all.filter((at) => at !== null)
  return due.length === 0 ? null : Math.min(...due)
}

function tick(work: Work, at: Moment): void {
  if (at.ms >= work.notBefore && !work.unheard.isEmpty()) hearAgain(work)
  const mine = nextDeadline(work.decision)
  if (mine !== null && at.ms >= Math.max(mine, work.notBefore)) {
    // Until this tick is dealt with the same deadline must not fire again.
    work.notBefore = at.ms + retryMs
    const dealtWith = (): void => {
      work.notBefore = Number.NEGATIVE_INFINITY
      work.rearm()
    }
    handle(work, { kind: 'tick' }).then(dealtWith, () => undefined)
  }
  work.bindings.tick(at.ms)
  work.probes.tick(at.ms)
  work.backlog.tick(at)
}

/** What of a step has to be durable before anything leaves; null when nothing has. */
function changeOf(service: string, effects: readonly Effect[], bindings: readonly string[]): Change | null {
  const own = effects.findLast((effect) => effect.kind === 'own')
  const remembered = effects.findLast((effect) => effect.kind === 'remember')
  const operations = effects.filter((effect) => effect.kind === 'operation').map(({ operation }) => operation)
  const events = effects.filter((effect) => effect.kind === 'event').map(({ event }) => event)
  if (own === undefined && remembered === undefined && operations.length === 0 && events.length === 0) return null
  const memory = remembered === undefined ? {} : { memory: { service, memory: remembered.memory } }
  if (own === undefined) return { operations, events, ...memory }
  const { owner } = own
  const intended = bindings.map((binding) => ({
    service,
    binding,
    node: owner.node,
    epoch: owner.epoch,
    state: 'pending' as const,
    observed: null,
    attempts: 0,
    lastError: null,
  }))
  return { owner: { service, owner }, bindings: intended, operations, events, ...memory }
}
