/**
 * The bindings of one service: a driver each, made to follow the owner, and replaced when their configuration changes.
 *
 * They follow independently. Only one that is configured to come `after` others waits until these have settled, or
 * have failed for good, or for `longestWaitMs`: an order is a wish, and must not keep the service from its owner.
 */

import type { Binding, DriftPolicy, Was } from '../binding.ts'
import type { BindingConfig } from '../config/service-config.ts'
import type { ServiceEvent } from '../decision.ts'
import type { Wanted } from '../plan.ts'
import type { BindingRecord } from '../store/store.ts'
import type { Backlog } from './backlog.ts'
import { createDriver, type Driver, type Said } from './binding-driver.ts'
import type { Budgets } from './budgets.ts'
import type { Intended } from './change.ts'
import { earliest } from './deadlines.ts'
import type { ClusterPorts, Declared } from './ports.ts'

export type BindingsInput = {
  readonly service: string
  readonly ports: ClusterPorts
  readonly backlog: Backlog
  readonly budgets: Budgets
  wanted(): Wanted | null
  /** Whether somebody has vouched for the owner since control started; until then nothing is written. */
  isVouched(): boolean
  presentEpoch(): number | null
  /** Whether a move is waiting to hear how far the bindings have got at this epoch. */
  isAwaited(epoch: number): boolean
  said(event: ServiceEvent): void
  /** A state or a deadline has changed. */
  changed(): void
}

export type Bindings = {
  all(): readonly (Pick<BindingConfig, 'name' | 'adapter' | 'drift' | 'after'> & { readonly binding: Binding })[]
  /** What is stored of a binding with a new owner: it is still to follow, unless it is frozen. */
  intended(): readonly Intended[]
  /** An operator has seen what somebody else did: those that were left alone follow again. */
  acknowledge(): void
  /** Takes on a configuration. A binding that is the same in both goes on undisturbed. */
  become(declared: Declared): void
  /** Looks at every binding that has not been looked at yet. */
  start(): void
  follow(byAnother?: boolean): void
  /** The owner has been vouched for. */
  vouch(): void
  haveSettled(epoch: number): boolean
  deadline(): number | null
  tick(now: number): void
  stop(): void
}

type Bound = {
  readonly config: BindingConfig
  readonly driver: Driver
  started: boolean
  /** Until when it waits for others at most, on the clock; null while it does not. */
  waitsUntil: number | null
}

/** How long a binding waits for those that come first, in milliseconds. */
const longestWaitMs = 30_000

export function createBindings(given: BindingsInput): Bindings {
  let bound = new Map<string, Bound>()
  const input: BindingsInput = {
    ...given,
    changed: () => {
      releaseThose(bound, given)
      given.changed()
    },
  }
  return {
    intended: () =>
      [...bound.values()].map(({ config: { name, drift }, driver }) => {
        const isFrozen = drift === 'freeze' && driver.binding().left !== null
        return { name, state: isFrozen ? 'drifted' : 'pending' }
      }),
    acknowledge: () => {
      for (const { driver } of bound.values()) driver.feed({ kind: 'acknowledged' })
    },
    all: () =>
      [...bound.values()].map(({ config: { name, adapter, drift, after }, driver }) => {
        return { name, adapter, drift, after, binding: driver.binding() }
      }),
    become: ({ config, adapters }) => {
      const former = bound
      bound = new Map()
      for (const binding of config.bindings) {
        const same = former.get(binding.name)
        if (same !== undefined && JSON.stringify(same.config) === JSON.stringify(binding)) {
          adapters.get(binding.name)!.dispose()
          former.delete(binding.name)
          bound.set(binding.name, same)
        } else {
          const driver = drive(input, binding, adapters)
          bound.set(binding.name, { config: binding, driver, started: false, waitsUntil: null })
        }
      }
      for (const { driver } of former.values()) driver.stop()
    },
    start: () => {
      for (const each of bound.values()) {
        if (!each.started) each.driver.start()
        each.started = true
      }
    },
    follow: (byAnother = false) => {
      const wanted = input.wanted()
      if (wanted === null) return
      for (const each of bound.values()) {
        const waits = each.config.after.length > 0
        each.waitsUntil = waits ? input.ports.clock.now() + longestWaitMs : null
        each.driver.feed({ kind: 'wanted', wanted, waits, byAnother })
      }
      releaseThose(bound, input)
    },
    vouch: () => {
      for (const { driver, waitsUntil } of bound.values()) if (waitsUntil === null) driver.feed({ kind: 'released' })
    },
    haveSettled: (epoch) =>
      [...bound.values()].every(({ driver }) => {
        const { state, wanted } = driver.binding()
        return state === 'settled' && wanted?.epoch === epoch
      }),
    deadline: () => earliest([...bound.values()].flatMap(({ driver, waitsUntil }) => [driver.deadline(), waitsUntil])),
    tick: (now) => {
      for (const { driver } of bound.values()) {
        const due = driver.deadline()
        if (due !== null && now >= due) driver.tick()
      }
      releaseThose(bound, input)
    },
    stop: () => {
      for (const { driver } of bound.values()) driver.stop()
    },
  }
}

/** Lets those go on that have waited for others and need not any more. */
function releaseThose(bound: ReadonlyMap<string, Bound>, { ports, service }: BindingsInput): void {
  for (const each of bound.values()) {
    if (each.waitsUntil === null) continue
    const epoch = each.driver.binding().wanted?.epoch
    const first = each.config.after.filter((name) => !isThrough(bound.get(name), epoch))
    const isLate = ports.clock.now() >= each.waitsUntil
    if (first.length > 0 && !isLate) continue
    each.waitsUntil = null
    if (first.length > 0)
      ports.log('warn', { event: 'order-given-up', service, binding: each.config.name, after: first })
    each.driver.feed({ kind: 'released' })
  }
}

/** Whether nothing is to be expected any more of a binding that comes first. */
function isThrough(first: Bound | undefined, epoch: number | undefined): boolean {
  if (first === undefined) return true
  const { state, wanted, left } = first.driver.binding()
  return wanted?.epoch === epoch && (state === 'settled' || state === 'failed' || left !== null)
}

function drive(
  input: BindingsInput,
  { name, adapter, targets, drift }: BindingConfig,
  adapters: Declared['adapters'],
): Driver {
  const { service, ports, backlog, budgets, presentEpoch, changed } = input
  const wanted = input.wanted()
  const record = ports.store.bindings(service).find(({ binding }) => binding === name)
  const driver: Driver = createDriver({
    adapter: adapters.get(name)!,
    kind: adapter,
    targets: new Set(Object.keys(targets)),
    drift,
    wanted,
    waits: !input.isVouched(),
    was: whatItWas(record, { drift, epoch: wanted?.epoch }),
    budgets,
    ports,
    presentEpoch,
    changed: (before, said) => {
      const binding = driver.binding()
      backlog.add({ name, before, binding, said })
      tellMove(input, name, { before, binding, said })
      changed()
    },
  })
  return driver
}

function whatItWas(
  record: BindingRecord | undefined,
  { drift, epoch }: { readonly drift: DriftPolicy; readonly epoch: number | undefined },
): Was {
  if (record === undefined) return 'unsettled'
  const isOfThisEpoch = record.epoch === epoch
  if (record.state === 'drifted' && (drift === 'freeze' || (drift === 'alert' && isOfThisEpoch))) return 'left'
  return record.state === 'settled' && isOfThisEpoch ? 'settled' : 'unsettled'
}

type Changed = { readonly before: Binding; readonly binding: Binding; readonly said: readonly Said[] }

/** What of a binding's progress matters to the service's decision. */
function tellMove(
  { service, ports, isAwaited, said: say }: BindingsInput,
  name: string,
  { before, binding, said }: Changed,
): void {
  for (const { name: kind, detail } of said) {
    if (kind === 'drift') ports.measure({ kind: 'drifted', service, binding: name })
    if (kind === 'superseded') say({ kind: 'superseded', binding: name, epochSeen: Number(detail.epochSeen) })
  }
  const epoch = binding.wanted?.epoch
  if (epoch === undefined || !isAwaited(epoch)) return
  const answered = before.call?.kind === 'apply' && binding.call?.kind !== 'apply'
  if (answered && binding.state === 'verifying' && !binding.unsure) say({ kind: 'accepted', binding: name, epoch })
  if (before.state !== 'settled' && binding.state === 'settled') say({ kind: 'visible', binding: name, epoch })
}
