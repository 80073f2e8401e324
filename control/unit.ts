/**
 * One service at work: its decision, its bindings, and the queue that takes its events one by one.
 *
 * An event is handled only when the write that the one before it needed is durable. If that write fails, nothing has
 * changed, neither here nor outside, and the next report brings the same decision again.
 */

import { type Backlog, createBacklog } from './backlog.ts'
import { createDriver, type Driver } from './binding-driver.ts'
import type { ServiceConfig } from './config.ts'
import type { Command } from './contract.ts'
import { decide, nextDeadline } from './decide.ts'
import {
  beginDecision,
  type Decision,
  type Effect,
  type Member,
  type Moment,
  type Operation,
  type Owner,
  type ServiceEvent,
} from './decision.ts'
import type { ClusterPorts } from './ports.ts'
import type { Binding } from './reconcile.ts'
import { type Change, type EventRecord, StaleEpochError, type Stored } from './store/store.ts'

/** What the service hands to the cluster around it. */
export type UnitInput = {
  readonly service: string
  readonly config: ServiceConfig
  readonly ports: ClusterPorts
  readonly stored: Stored
  readonly members: readonly Member[]
  readonly run: string
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
  readonly config: ServiceConfig
  decision(): Decision
  bindings(): readonly { readonly name: string; readonly adapter: string; readonly binding: Binding }[]
  /** Resolves with the effects once they are performed; rejects when they could not be made durable. */
  handle(event: ServiceEvent): Promise<readonly Effect[]>
  start(): void
  deadline(): number | null
  tick(now: Moment): void
  /** Ends calls and disposes adapters; resolves when the last write has ended. */
  stop(): Promise<void>
}

/** After a write that failed, how long until a deadline is tried again, in milliseconds. */
const retryMs = 1_000

type Work = UnitInput & {
  decision: Decision
  readonly drivers: Map<string, Driver>
  readonly backlog: Backlog
  /** Ends when the last event that was taken is dealt with. */
  queue: Promise<unknown>
  /** No deadline of the decision is tried before. */
  notBefore: number
  stopped: boolean
}

export function createUnit(input: UnitInput): Unit {
  const { service, config, run, now, members, stored } = input
  const owner = stored.owners[service] ?? null
  const operation = stored.running.find((running) => running.service === service) ?? null
  const work: Work = {
    ...input,
    decision: beginDecision({ owner, epoch: owner?.epoch ?? 0, members, operation, run, now }),
    drivers: new Map(),
    backlog: createBacklog(input),
    queue: Promise.resolve(),
    notBefore: Number.NEGATIVE_INFINITY,
    stopped: false,
  }
  addDrivers(work)
  return {
    service,
    config,
    decision: () => work.decision,
    bindings: () =>
      config.bindings.map(({ name, adapter }) => ({ name, adapter, binding: work.drivers.get(name)!.binding() })),
    handle: (event) => handle(work, event),
    start: () => {
      for (const driver of work.drivers.values()) driver.feed({ kind: 'resumed' })
      settleIfDone(work)
    },
    deadline: () => deadline(work),
    tick: (at) => tick(work, at),
    stop: () => stop(work),
  }
}

function handle(work: Work, event: ServiceEvent): Promise<readonly Effect[]> {
  const at = work.moment()
  const result = work.queue.then(() => (work.stopped ? [] : takeOne(work, event, at)))
  work.queue = result.catch(() => undefined)
  return result
}

async function takeOne(work: Work, event: ServiceEvent, at: Moment): Promise<readonly Effect[]> {
  const { service, config, ports } = work
  const step = decide({ service, confirmMs: config.confirmMs }, work.decision, event, at)
  const change = changeOf(service, step.effects, work.drivers.keys())
  let events: readonly EventRecord[] = []
  try {
    if (change !== null) events = await ports.store.write(change)
  } catch (error) {
    work.notBefore = ports.clock.now() + retryMs
    ports.log('error', { event: 'store-failed', service, message: messageOf(error) })
    if (error instanceof StaleEpochError) adopt(work, ports.store.load().owners[service])
    work.rearm()
    throw error
  }
  work.decision = step.state
  if (work.stopped) return step.effects
  for (const effect of step.effects) {
    if (effect.kind === 'own') follow(work)
    if (effect.kind === 'command') work.command(effect.node, effect.command)
  }
  if (change !== null) work.published({ events, operations: change.operations ?? [] })
  settleIfDone(work)
  work.rearm()
  return step.effects
}

/** The store knows better: another control minted an epoch, or a write that seemed to fail did not. */
function adopt(work: Work, stored: Owner | undefined): void {
  if (stored === undefined || stored.epoch <= work.decision.epoch) return
  work.decision = { ...work.decision, owner: stored, epoch: stored.epoch, confirming: null }
  follow(work)
}

function follow({ decision, drivers }: Work): void {
  const { node, epoch } = decision.owner!
  for (const driver of drivers.values()) driver.feed({ kind: 'wanted', wanted: { node, epoch } })
}

function settleIfDone(work: Work): void {
  const epoch = work.decision.owner?.epoch
  if (work.decision.switchover?.stage !== 'settling' || epoch === undefined) return
  const settled = [...work.drivers.values()].every((driver) => {
    const { state, wanted } = driver.binding()
    return state === 'settled' && wanted?.epoch === epoch
  })
  // A failed write is logged where it failed, and the next change of a binding or the deadline asks again.
  if (settled) handle(work, { kind: 'settled', epoch }).catch(() => undefined)
}

function deadline({ decision, notBefore, backlog, drivers }: Work): number | null {
  const mine = nextDeadline(decision)
  const due = [...drivers.values()].map((driver) => driver.deadline())
  const all = [mine === null ? null : Math.max(mine, notBefore), backlog.deadline(), ...due].filter((at) => at !== null)
  return all.length === 0 ? null : Math.min(...all)
}

function tick(work: Work, at: Moment): void {
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
  for (const driver of work.drivers.values()) {
    const due = driver.deadline()
    if (due !== null && at.ms >= due) driver.tick()
  }
  work.backlog.tick(at)
}

async function stop(work: Work): Promise<void> {
  work.stopped = true
  for (const driver of work.drivers.values()) driver.stop()
  await work.queue
  await work.backlog.stop()
}

function addDrivers(work: Work): void {
  const { service, config, ports, drivers } = work
  const stored = new Map(ports.store.bindings(service).map((record) => [record.binding, record]))
  const { owner } = work.decision
  const wanted = owner === null ? null : { node: owner.node, epoch: owner.epoch }
  for (const { name, targets } of config.bindings) {
    const record = stored.get(name)
    const driver = createDriver({
      adapter: ports.adapters(service, name),
      targets: new Set(Object.keys(targets)),
      wanted,
      settled: record?.state === 'settled' && record.epoch === wanted?.epoch,
      ports,
      presentEpoch: () => work.decision.epoch,
      changed: (before, said) => {
        const binding = driver.binding()
        work.backlog.add({ name, before, binding, said })
        if (binding.state !== before.state) settleIfDone(work)
        work.rearm()
      },
    })
    drivers.set(name, driver)
  }
}

/** What of a step has to be durable before anything leaves; null when nothing has. */
function changeOf(service: string, effects: readonly Effect[], bindings: Iterable<string>): Change | null {
  const own = effects.find((effect) => effect.kind === 'own')
  const operations = effects.filter((effect) => effect.kind === 'operation').map(({ operation }) => operation)
  const events = effects.filter((effect) => effect.kind === 'event').map(({ event }) => event)
  if (own === undefined && operations.length === 0 && events.length === 0) return null
  if (own === undefined) return { operations, events }
  const { owner } = own
  const intended = [...bindings].map((binding) => ({
    service,
    binding,
    node: owner.node,
    epoch: owner.epoch,
    state: 'pending' as const,
    observed: null,
    attempts: 0,
    lastError: null,
  }))
  return { owner: { service, owner }, bindings: intended, operations, events }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
