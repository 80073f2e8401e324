/**
 * One service at work: its decision, its bindings, its probes, and the queue that takes its events one by one.
 *
 * An event is handled only when the write that the one before it needed is durable. If that write fails, nothing has
 * changed, neither here nor outside, and what was to be heard is heard again later (`unheard.ts`).
 */

import type { ServiceConfig } from '../config/service-config.ts'
import type { Command } from '../contract.ts'
import { decide, refresh } from '../decide.ts'
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
import { isFenced } from '../rules/fencing.ts'
import { awaitsProbe } from '../rules/moves.ts'
import { type Change, type EventRecord, StaleEpochError, StorageError, type StoredService } from '../store/store.ts'
import { type Backlog, createBacklog } from './backlog.ts'
import { type Bindings, createBindings } from './bindings.ts'
import type { Budgets } from './budgets.ts'
import { changeOf } from './change.ts'
import { earliest } from './deadlines.ts'
import type { ClusterPorts, Declared } from './ports.ts'
import { createPreflights, type Preflight, type Preflights } from './preflights.ts'
import { createProbes, type Probes } from './probes.ts'
import { redeclared } from './redeclared.ts'
import { createSleeper, type Sleeper } from './slept.ts'
import { createUnheard, type Unheard } from './unheard.ts'
import { deadlineOf, isVouchedFor } from './vouched.ts'

/** What the service hands to the cluster around it. */
export type UnitInput = {
  readonly service: string
  readonly declared: Declared
  readonly ports: ClusterPorts
  readonly stored: StoredService
  readonly members: readonly Member[]
  readonly budgets: Budgets
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

export type KnownBinding = ReturnType<Bindings['all']>[number] & { readonly preflight: Preflight | null }

export type Unit = {
  readonly service: string
  config(): ServiceConfig
  origin(): Declared['origin']
  decision(): Decision
  bindings(): readonly KnownBinding[]
  /** Resolves with the effects once they are performed; rejects when they could not be made durable. */
  handle(event: ServiceEvent): Promise<readonly Effect[]>
  /** Goes on with another configuration once `change` is durable; what is the same in both goes on undisturbed. */
  redeclare(declared: Declared, change: Change): Promise<void>
  /** Ends once `change` is durable, and resolves with its events. */
  forget(change: Change): Promise<readonly EventRecord[]>
  /** Bindings that somebody else changed and that were left alone follow again. Resolves with their names. */
  acknowledgeDrift(by: Asked): Promise<readonly string[]>
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
  readonly preflights: Preflights
  readonly backlog: Backlog
  readonly unheard: Unheard
  readonly sleeper: Sleeper
  /** Ends when the last event that was taken is dealt with. */
  queue: Promise<unknown>
  /** No deadline of the decision is tried before. */
  notBefore: number
  /** How often a node was asked again. */
  asked: number
  /** The epoch of an owner that nobody has vouched for since control started; null when somebody has. */
  unvouched: number | null
  stopped: boolean
}

export function createUnit(input: UnitInput): Unit {
  const work = begin(input)
  return {
    service: input.service,
    config: () => work.declared.config,
    origin: () => work.declared.origin,
    decision: () => work.decision,
    bindings: () => work.bindings.all().map((known) => ({ ...known, preflight: work.preflights.of(known.name) })),
    handle: (event) => handle(work, event),
    redeclare: (declared, change) => inTurn(work, () => redeclare(work, declared, change)),
    forget: (change) =>
      inTurn(work, async () => {
        const events = await save(work, change)
        end(work)
        work.probes.forget()
        work.preflights.forget()
        work.sleeper.forget()
        return events
      }),
    acknowledgeDrift: (by) => inTurn(work, () => acknowledgeDrift(work, by), []),
    start: () => {
      work.bindings.start()
      work.probes.start(work.declared.config)
      work.decision = { ...work.decision, ...work.probes.verdicts() }
      settleIfDone(work)
      input.rearm()
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
  const begun = beginDecision({
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
  const sleeper = createSleeper(ports.kept, service)
  const backlog = createBacklog(input)
  // A failed write is logged where it failed, and the next look says the same again.
  const say = (event: ServiceEvent): void => void handle(work, event).catch(() => undefined)
  const work: Work = {
    ...input,
    policy: policyOf(service, declared),
    decision: awake ? sleeper.wake(begun, now.ms) : begun,
    sleeper,
    bindings: undefined as unknown as Bindings,
    probes: createProbes({
      service,
      ports,
      rearm: input.rearm,
      said: say,
      isAwaited: () => awaitsProbe(work.decision),
    }),
    preflights: createPreflights({
      ...input,
      said: (event) => backlog.note({ ...event, at: input.moment().wall, service, ...ownerIn(work.decision) }),
    }),
    backlog,
    unheard: createUnheard(),
    queue: Promise.resolve(),
    notBefore: Number.NEGATIVE_INFINITY,
    asked: 0,
    unvouched: awake ? null : (owner?.epoch ?? null),
    stopped: false,
  }
  work.bindings = createBindings({
    service,
    ports,
    backlog,
    budgets: input.budgets,
    wanted: () =>
      work.decision.owner === null ? null : { node: work.decision.owner.node, epoch: work.decision.owner.epoch },
    presentEpoch: () => (isFenced({ state: work.decision }) ? null : work.decision.epoch),
    isVouched: () => work.unvouched === null,
    isAwaited: (epoch) => work.decision.move?.operation.epoch === epoch,
    said: say,
    changed: () => {
      settleIfDone(work)
      input.rearm()
    },
  })
  work.bindings.become(declared)
  work.preflights.become(declared.config.bindings, declared.adapters)
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
  const change = changeOf(service, step.effects, work.bindings.intended())
  const events = change === null ? [] : await saveOrKeep(work, event, change)
  work.unheard.heard(event)
  work.decision = step.state
  work.sleeper.keep(step.state)
  if (change !== null) ports.measure({ kind: 'decided', what: event.kind, tookMs: ports.clock.now() - at.ms })
  if (work.stopped) return step.effects
  vouch(work, at.ms)
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

function vouch(work: Work, now: number): void {
  const { unvouched, decision } = work
  if (unvouched === null || !isVouchedFor(decision, { epoch: unvouched, since: work.now.ms, now })) return
  work.unvouched = null
  work.bindings.vouch()
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
  work.bindings.follow(true)
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
  work.decision = redeclared(work.decision, declared.config)
  work.bindings.become(declared)
  work.preflights.become(declared.config.bindings, declared.adapters)
  work.bindings.start()
  work.probes.start(declared.config)
  work.published({ events, operations: [] })
  // What the old words did not allow may be due by the new ones.
  handle(work, { kind: 'tick' }).catch(() => undefined)
}

async function acknowledgeDrift(work: Work, { by, reason }: Asked): Promise<readonly string[]> {
  const left = work.bindings.all().flatMap(({ name, binding }) => (binding.left === null ? [] : [name]))
  if (left.length === 0) return []
  const text = `${by} lets ${left.join(', ')} follow again${reason === null ? '' : `: ${reason}`}`
  const detail = { by, reason, bindings: left }
  const known = { at: work.moment().wall, service: work.service, ...ownerIn(work.decision) }
  const event = { ...known, kind: 'acknowledged', text, detail }
  const events = await save(work, { events: [event] })
  work.bindings.acknowledge()
  work.published({ events, operations: [] })
  work.rearm()
  return left
}

function ownerIn({ owner, epoch }: Decision) {
  return { node: owner?.node ?? null, epoch }
}

function end(work: Work): void {
  work.stopped = true
  work.bindings.stop()
  work.preflights.stop()
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

function deadline({
  decision,
  notBefore,
  unheard,
  backlog,
  bindings,
  preflights,
  probes,
  unvouched,
}: Work): number | null {
  const mine = deadlineOf(decision, unvouched)
  return earliest([
    mine === null ? null : Math.max(mine, notBefore),
    unheard.isEmpty() ? null : notBefore,
    backlog.deadline(),
    bindings.deadline(),
    preflights.deadline(),
    probes.deadline(),
  ])
}

function tick(work: Work, at: Moment): void {
  if (at.ms >= work.notBefore && !work.unheard.isEmpty()) hearAgain(work)
  const mine = deadlineOf(work.decision, work.unvouched)
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
  work.preflights.tick(at.ms)
  work.probes.tick(at.ms)
  work.backlog.tick(at)
}
