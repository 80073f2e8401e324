/** The bindings of one service: a driver each, made to follow the owner, and replaced when their configuration changes. */

import type { BindingConfig } from '../config/service-config.ts'
import type { ServiceEvent } from '../decision.ts'
import type { Wanted } from '../plan.ts'
import type { Binding } from '../reconcile.ts'
import type { Backlog } from './backlog.ts'
import { createDriver, type Driver, type Said } from './binding-driver.ts'
import type { ClusterPorts, Declared } from './ports.ts'

export type BindingsInput = {
  readonly service: string
  readonly ports: ClusterPorts
  readonly backlog: Backlog
  wanted(): Wanted | null
  presentEpoch(): number | null
  /** Whether a move is waiting to hear how far the bindings have got at this epoch. */
  isAwaited(epoch: number): boolean
  said(event: ServiceEvent): void
  /** A state or a deadline has changed. */
  changed(): void
}

export type Bindings = {
  names(): readonly string[]
  all(): readonly { readonly name: string; readonly adapter: string; readonly binding: Binding }[]
  /** Takes on a configuration. A binding that is the same in both goes on undisturbed. */
  become(declared: Declared): void
  /** Looks at every binding that has not been looked at yet. */
  start(): void
  follow(): void
  haveSettled(epoch: number): boolean
  deadline(): number | null
  tick(now: number): void
  stop(): void
}

type Bound = { readonly config: BindingConfig; readonly driver: Driver; started: boolean }

export function createBindings(input: BindingsInput): Bindings {
  let bound = new Map<string, Bound>()
  return {
    names: () => [...bound.keys()],
    all: () =>
      [...bound.values()].map(({ config: { name, adapter }, driver }) => ({
        name,
        adapter,
        binding: driver.binding(),
      })),
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
          bound.set(binding.name, { config: binding, driver, started: false })
        }
      }
      for (const { driver } of former.values()) driver.stop()
    },
    start: () => {
      for (const each of bound.values()) {
        if (!each.started) each.driver.feed({ kind: 'resumed' })
        each.started = true
      }
    },
    follow: () => {
      const wanted = input.wanted()
      if (wanted !== null) for (const { driver } of bound.values()) driver.feed({ kind: 'wanted', wanted })
    },
    haveSettled: (epoch) =>
      [...bound.values()].every(({ driver }) => {
        const { state, wanted } = driver.binding()
        return state === 'settled' && wanted?.epoch === epoch
      }),
    deadline: () => {
      const due = [...bound.values()].map(({ driver }) => driver.deadline()).filter((at) => at !== null)
      return due.length === 0 ? null : Math.min(...due)
    },
    tick: (now) => {
      for (const { driver } of bound.values()) {
        const due = driver.deadline()
        if (due !== null && now >= due) driver.tick()
      }
    },
    stop: () => {
      for (const { driver } of bound.values()) driver.stop()
    },
  }
}

function drive(
  input: BindingsInput,
  { name, adapter, targets }: BindingConfig,
  adapters: Declared['adapters'],
): Driver {
  const { service, ports, backlog, presentEpoch, changed } = input
  const wanted = input.wanted()
  const record = ports.store.bindings(service).find(({ binding }) => binding === name)
  const driver: Driver = createDriver({
    adapter: adapters.get(name)!,
    kind: adapter,
    targets: new Set(Object.keys(targets)),
    wanted,
    settled: record?.state === 'settled' && record.epoch === wanted?.epoch,
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
