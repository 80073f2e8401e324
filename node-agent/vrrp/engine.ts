/**
 * All virtual routers of a node together: what `step` and `admit` do for one, for many.
 *
 *   Input ──▶ handle(input, now) ─┐
 *             tick(now) ──────────┴──▶ takeOutputs() ──▶ performed by the process, in list order
 *
 * No clock, socket or log: the real-time process and the simulator drive the very same engine.
 */
import { type Address, type Prefix, sameAddress } from '../wire/address.ts'
import { type Admission, admit, type DiscardReason, discardReasons, type Oddity } from './admit.ts'
import type { Event, State, VirtualRouter } from './router.ts'
import { nextDeadline, priorityNow, type RunningRouter, step } from './step.ts'
import { earliest, type Instant, ofCentiseconds } from './time.ts'

/** What is known of an interface, whole: a later one replaces it. Undefined when there is none of that name. */
export type InterfaceStatus = {
  /** Administratively up and with a carrier. */
  readonly up: boolean
  /** Every IPv4 address it has, in the kernel's order. */
  readonly addresses: readonly Prefix[]
}

export type Input =
  | { readonly kind: 'datagram'; readonly interface: string; readonly bytes: Uint8Array }
  | { readonly kind: 'interface'; readonly interface: string; readonly status: InterfaceStatus | undefined }
  | { readonly kind: 'address-removed'; readonly interface: string; readonly address: Address }
  | { readonly kind: 'take-over'; readonly id: string; readonly service: string; readonly priority: number }
  | { readonly kind: 'lower'; readonly id: string; readonly service: string }
  | { readonly kind: 'stop' }

export type StateWord = 'initialize' | 'backup' | 'active' | 'fault'

export type Output =
  | { readonly kind: 'send-advertisement'; readonly router: RunningRouter; readonly priority: number }
  | { readonly kind: 'install-addresses' | 'remove-addresses' | 'announce-addresses'; readonly router: VirtualRouter }
  | {
      readonly kind: 'transition'
      readonly service: string
      readonly from: StateWord
      readonly to: StateWord
      readonly reason: string
    }
  /** The advertised priority changed without a change of state. */
  | { readonly kind: 'priority'; readonly service: string; readonly priority: number }
  | { readonly kind: 'answer'; readonly id: string; readonly ok: boolean; readonly reason?: string }
  /** Reported when it begins; the counters tell how often. */
  | { readonly kind: 'odd'; readonly service: string; readonly oddity: Oddity; readonly source: Address }
  | { readonly kind: 'late'; readonly service: string; readonly byMicroseconds: number }

export type ServiceStatus = {
  readonly state: StateWord
  readonly priority: number
  readonly basePriority: number
  /** Why the state is `fault`; null otherwise. */
  readonly fault: string | null
  readonly sent: number
  readonly received: number
  readonly transitions: number
  /** Times a timer fired more than an advertisement interval late: this machine is too slow for its interval. */
  readonly late: number
}

export type Engine = {
  readonly handle: (input: Input, now: Instant) => void
  /** Expires timers. Only after everything that was received has been handled. */
  readonly tick: (now: Instant) => void
  readonly takeOutputs: () => Output[]
  readonly nextDeadline: () => Instant | undefined
  /** After `stop`: every router has left. */
  readonly finished: () => boolean
  readonly services: () => Record<string, ServiceStatus>
  readonly discards: () => Record<string, Record<DiscardReason, number>>
}

export type EngineOptions = {
  readonly routers: readonly VirtualRouter[]
  /** Services whose addresses a crashed process of ours left installed a moment ago: they are handed over, not dropped. */
  readonly holding?: ReadonlySet<string>
}

/** A router and everything that changes about it. */
type Slot = {
  readonly router: VirtualRouter
  state: State
  /** Undefined while the interface can't carry it; then `fault` says why. */
  running: RunningRouter | undefined
  fault: string | null
  holding: boolean
  sent: number
  received: number
  transitions: number
  late: number
  readonly odd: Set<Oddity>
}

type Port = {
  readonly byVrid: Map<number, Slot>
  status: InterfaceStatus | undefined
  readonly discards: Record<DiscardReason, number>
}

export function createEngine({ routers, holding = new Set() }: EngineOptions): Engine {
  const slots = new Map(routers.map((router) => [router.name, newSlot(router, holding.has(router.name))]))
  const ports = new Map<string, Port>()
  for (const slot of slots.values()) portOf(ports, slot.router.interface).byVrid.set(slot.router.vrid, slot)
  let outputs: Output[] = []
  let stopping = false

  const advance = (slot: Slot, event: Event, now: Instant): void => {
    if (slot.running !== undefined) outputs.push(...advanceSlot(slot, slot.running, event, now))
  }

  return {
    handle(input, now) {
      switch (input.kind) {
        case 'datagram':
          outputs.push(...receive(portOf(ports, input.interface), input.bytes, now))
          return
        case 'interface':
          outputs.push(...changeInterface(portOf(ports, input.interface), input.status, stopping, now))
          return
        case 'address-removed':
          for (const slot of portOf(ports, input.interface).byVrid.values()) {
            const ours = slot.router.addresses.some(({ address }) => sameAddress(address, input.address))
            if (ours) advance(slot, { kind: 'address-lost' }, now)
          }
          return
        case 'take-over':
        case 'lower':
          outputs.push(...command(slots.get(input.service), input, now))
          return
        case 'stop':
          stopping = true
          for (const slot of slots.values()) advance(slot, { kind: 'shutdown' }, now)
          return
      }
    },
    tick(now) {
      for (const slot of slots.values()) {
        const deadline = nextDeadline(slot.router, slot.state)
        if (deadline === undefined || now < deadline) continue
        outputs.push(...noteLateness(slot, now - deadline))
        advance(slot, { kind: 'tick' }, now)
      }
    },
    takeOutputs() {
      const taken = outputs
      outputs = []
      return taken
    },
    nextDeadline() {
      let first: Instant | undefined
      for (const { router, state } of slots.values()) first = earliest(first, nextDeadline(router, state))
      return first
    },
    finished: () => stopping && [...slots.values()].every(({ state }) => state.kind === 'initialize'),
    services: () => Object.fromEntries([...slots].map(([name, slot]) => [name, statusOf(slot)])),
    discards: () => Object.fromEntries([...ports].map(([name, { discards }]) => [name, { ...discards }])),
  }
}

function advanceSlot(slot: Slot, router: RunningRouter, event: Event, now: Instant): Output[] {
  const from = wordOf(slot)
  const priority = priorityNow(router, slot.state)
  const { state, effects, reason } = step(router, slot.state, event, now)
  slot.state = state
  const outputs: Output[] = effects.map((effect) => ({ ...effect, router }))
  slot.sent += effects.filter(({ kind }) => kind === 'send-advertisement').length
  const to = wordOf(slot)
  if (to !== from || reason !== undefined) {
    if (to !== from) slot.transitions += 1
    outputs.push({ kind: 'transition', service: router.name, from, to, reason: reason ?? event.kind })
  } else if (priorityNow(router, state) !== priority) {
    outputs.push({ kind: 'priority', service: router.name, priority: priorityNow(router, state) })
  }
  return outputs
}

function receive(port: Port, bytes: Uint8Array, now: Instant): Output[] {
  const admission = admitTo(port, bytes)
  if (admission.kind === 'discard') {
    port.discards[admission.reason] += 1
    return []
  }
  const slot = port.byVrid.get(admission.router.vrid)
  if (slot?.running === undefined) return []
  slot.received += 1
  return [
    ...noteOddities(slot, admission.odd, admission.event.source),
    ...advanceSlot(slot, slot.running, admission.event, now),
  ]
}

function admitTo(port: Port, bytes: Uint8Array): Admission<VirtualRouter> {
  return admit(
    {
      routerOf: (vrid) => port.byVrid.get(vrid)?.router,
      isOwnAddress: (address) => port.status?.addresses.some((own) => sameAddress(own.address, address)) ?? false,
    },
    bytes,
  )
}

/** The interface came, went, or changed its addresses: routers on it start, leave, or go on with another source. */
function changeInterface(port: Port, status: InterfaceStatus | undefined, stopping: boolean, now: Instant): Output[] {
  port.status = status
  return [...port.byVrid.values()].flatMap((slot) => {
    const { router } = slot
    const primaryAddress = status === undefined ? undefined : primaryAddressOf(port, status)
    const fault = faultOf(router, status, primaryAddress)
    if (fault === null && primaryAddress !== undefined) {
      const wasRunning = slot.running !== undefined
      slot.running = { ...router, primaryAddress }
      if (wasRunning || stopping) return []
      const startup: Event = { kind: 'startup', holding: slot.holding }
      slot.holding = false
      return afterFault(slot, advanceSlot(slot, slot.running, startup, now))
    }
    const from = wordOf(slot)
    const left = slot.running === undefined ? [] : advanceSlot(slot, slot.running, { kind: 'fault' }, now)
    slot.running = undefined
    slot.fault = fault
    if (from === 'fault') return []
    const transition: Output = {
      kind: 'transition',
      service: router.name,
      from,
      to: 'fault',
      reason: fault ?? 'interface down',
    }
    return [...left.filter(({ kind }) => kind !== 'transition'), transition]
  })
}

/** A start after a fault is a transition from it. */
function afterFault(slot: Slot, outputs: Output[]): Output[] {
  const from: StateWord = slot.fault === null ? 'initialize' : 'fault'
  slot.fault = null
  return outputs.map((output) => (output.kind === 'transition' ? { ...output, from, to: wordOf(slot) } : output))
}

function faultOf(
  router: VirtualRouter,
  status: InterfaceStatus | undefined,
  primaryAddress: Address | undefined,
): string | null {
  if (status === undefined) return `there is no interface ${router.interface}`
  if (!status.up) return `interface ${router.interface} is down`
  return primaryAddress === undefined ? `interface ${router.interface} has no IPv4 address of its own` : null
}

/** The first address that is not a virtual one; an address owner's may be both. */
function primaryAddressOf(port: Port, status: InterfaceStatus): Address | undefined {
  const virtual = [...port.byVrid.values()]
    .filter(({ router }) => router.priority !== 255)
    .flatMap(({ router }) => router.addresses)
  return status.addresses.find(({ address }) => !virtual.some((other) => sameAddress(other.address, address)))?.address
}

function command(slot: Slot | undefined, input: Input & { kind: 'take-over' | 'lower' }, now: Instant): Output[] {
  const refuse = (reason: string): Output[] => [{ kind: 'answer', id: input.id, ok: false, reason }]
  if (slot === undefined) return refuse(`this node has no service ${input.service}`)
  if (slot.running === undefined) return refuse(slot.fault ?? 'not started yet')
  if (slot.state.kind === 'resigning' || slot.state.kind === 'initialize') return refuse('this node is leaving')
  const event: Event = input.kind === 'take-over' ? { kind: 'take-over', priority: input.priority } : { kind: 'lower' }
  return [...advanceSlot(slot, slot.running, event, now), { kind: 'answer', id: input.id, ok: true }]
}

function noteLateness(slot: Slot, byMicroseconds: number): Output[] {
  if (byMicroseconds <= ofCentiseconds(slot.router.advertisementInterval)) return []
  slot.late += 1
  return [{ kind: 'late', service: slot.router.name, byMicroseconds }]
}

/** Says each kind of oddity once, until an advertisement without it has been heard. */
function noteOddities(slot: Slot, odd: readonly Oddity[], source: Address): Output[] {
  for (const known of slot.odd) if (!odd.includes(known)) slot.odd.delete(known)
  const news = odd.filter((oddity) => !slot.odd.has(oddity))
  for (const oddity of news) slot.odd.add(oddity)
  return news.map((oddity) => ({ kind: 'odd', service: slot.router.name, oddity, source }))
}

function wordOf(slot: Slot): StateWord {
  if (slot.fault !== null) return 'fault'
  return slot.state.kind === 'resigning' ? 'initialize' : slot.state.kind
}

function statusOf(slot: Slot): ServiceStatus {
  const { router, state, fault, sent, received, transitions, late } = slot
  const priority = priorityNow(router, state)
  return { state: wordOf(slot), priority, basePriority: router.priority, fault, sent, received, transitions, late }
}

function newSlot(router: VirtualRouter, holding: boolean): Slot {
  const counters = { sent: 0, received: 0, transitions: 0, late: 0 }
  return {
    router,
    state: { kind: 'initialize' },
    running: undefined,
    fault: null,
    holding,
    ...counters,
    odd: new Set(),
  }
}

function portOf(ports: Map<string, Port>, name: string): Port {
  const known = ports.get(name)
  if (known !== undefined) return known
  const discards = Object.fromEntries(discardReasons.map((reason) => [reason, 0])) as Record<DiscardReason, number>
  const port: Port = { byVrid: new Map(), status: undefined, discards }
  ports.set(name, port)
  return port
}
