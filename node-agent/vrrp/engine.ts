/**
 * All virtual routers of a node together: what `step` and `admit` do for one, for many.
 *
 *   Input ──▶ handle(input, now) ─┐
 *             tick(now) ──────────┴──▶ takeOutputs() ──▶ performed by the process, in list order
 *
 * No clock, socket or log: the real-time process and the simulator drive the very same engine.
 */
import {
  type Address,
  type Family,
  familyOf,
  formatAddress,
  isLinkLocal,
  type Prefix,
  sameAddress,
} from '../wire/address.ts'
import { admit, type DiscardReason, discardReasons, type Receiver } from './admit.ts'
import { changeSlot, isSameRouter } from './reconfigure.ts'
import { allAddresses, type Event, type Standing, type VirtualRouter } from './router.ts'
import {
  advanceSlot,
  faultIn,
  intoFault,
  newSlot,
  noteLateness,
  noteOddities,
  type Output,
  plainStanding,
  type ServiceStatus,
  type Slot,
  startSlot,
  statusOf,
  takeStanding,
  wordOf,
} from './slot.ts'
import type { Instant, Microseconds } from './time.ts'

/** What is known of an interface, whole: a later one replaces it. Undefined when there is none of that name. */
export type InterfaceStatus = {
  /** Administratively up and with a carrier. */
  readonly up: boolean
  /** Every address it has that may be used, in the kernel's order; its virtual MAC devices' are not among them. */
  readonly addresses: readonly Prefix[]
}

export type Input =
  | { readonly kind: 'datagram'; readonly interface: string; readonly bytes: Uint8Array }
  | { readonly kind: 'interface'; readonly interface: string; readonly status: InterfaceStatus | undefined }
  | { readonly kind: 'address-removed'; readonly interface: string; readonly address: Address }
  | { readonly kind: 'take-over'; readonly id: string; readonly service: string; readonly priority: number }
  | { readonly kind: 'lower'; readonly id: string; readonly service: string }
  /** `id`: of the command that it is the answer to; null when nobody waits for one. */
  | {
      readonly kind: 'standing'
      readonly id: string | null
      readonly service: string
      readonly standing: Standing
      /** It yields, and there is no time left to wait for a successor. */
      readonly atOnce?: boolean
    }
  /** The machine was suspended for so long, while the clock of all deadlines stood still. */
  | { readonly kind: 'slept'; readonly for: Microseconds }
  /** Other routers than before, all of them. `standings`: what is said of each; default: the plain standing. */
  | {
      readonly kind: 'reconfigure'
      readonly routers: readonly VirtualRouter[]
      readonly standings: Readonly<Record<string, Standing>>
    }
  | { readonly kind: 'stop' }

export type Engine = {
  readonly handle: (input: Input, now: Instant) => void
  /** Expires timers. Only after everything that was received has been handled. */
  readonly tick: (now: Instant) => void
  readonly takeOutputs: () => Output[]
  readonly nextDeadline: () => Instant | undefined
  /** Every router that it runs, and those that are still leaving after a `reconfigure`. */
  readonly routers: () => VirtualRouter[]
  readonly isLeaving: () => boolean
  /** After `stop`: every router has left. */
  readonly finished: () => boolean
  /** Of all, or of those named. */
  readonly services: (names?: ReadonlySet<string>) => Record<string, ServiceStatus>
  readonly discards: () => Record<string, Record<DiscardReason, number>>
}

export type EngineOptions = {
  readonly routers: readonly VirtualRouter[]
  /** Services whose addresses a crashed process of ours left installed a moment ago: they are handed over, not dropped. */
  readonly holding?: ReadonlySet<string>
  /** What was said of routers before they started. Default: the plain standing. */
  readonly standings?: Readonly<Record<string, Standing>>
  /** The agent has just started, so that start delays count. Default: no. */
  readonly first?: boolean
}

type Port = {
  /** By `keyOf` its family and VRID. */
  readonly slots: Map<number, Slot>
  readonly receiver: Receiver<VirtualRouter>
  status: InterfaceStatus | undefined
  readonly discards: Record<DiscardReason, number>
}

type Work = {
  /** By service. */
  readonly slots: Map<string, Slot>
  /** Of no service any more; they are here until they have left. */
  readonly leaving: Set<Slot>
  readonly ports: Map<string, Port>
  outputs: Output[]
  stopping: boolean
}

export function createEngine({ routers, holding, standings = {}, first = false }: EngineOptions): Engine {
  const work: Work = { slots: new Map(), leaving: new Set(), ports: new Map(), outputs: [], stopping: false }
  for (const router of routers) {
    const standing = standings[router.name] ?? plainStanding(router)
    add(work, newSlot(router, { standing, holding: holding?.has(router.name) ?? false, first }))
  }
  return {
    handle(input, now) {
      work.outputs.push(...handle(work, input, now))
      forgetThoseWhoLeft(work)
    },
    tick(now) {
      for (const slot of work.slots.values()) expire(work, slot, now)
      for (const slot of work.leaving) expire(work, slot, now)
      forgetThoseWhoLeft(work)
    },
    takeOutputs() {
      const taken = work.outputs
      work.outputs = []
      return taken
    },
    nextDeadline() {
      let first = Number.POSITIVE_INFINITY
      for (const slot of work.slots.values()) if (slot.deadline < first) first = slot.deadline
      for (const slot of work.leaving) if (slot.deadline < first) first = slot.deadline
      return first === Number.POSITIVE_INFINITY ? undefined : (first as Instant)
    },
    routers: () => everySlot(work).map(({ router }) => router),
    isLeaving: () => work.leaving.size > 0,
    finished: () =>
      work.stopping && work.leaving.size === 0 && [...work.slots.values()].every(({ state }) => isOut(state)),
    services: (names) => {
      const entries: [string, ServiceStatus][] = []
      for (const [name, slot] of work.slots) if (names?.has(name) ?? true) entries.push([name, statusOf(slot)])
      return Object.fromEntries(entries)
    },
    discards: () => Object.fromEntries([...work.ports].map(([name, { discards }]) => [name, { ...discards }])),
  }
}

function isOut({ kind }: Slot['state']): boolean {
  return kind === 'initialize'
}

function add(work: Work, slot: Slot): void {
  const { name, interface: on, family, vrid } = slot.router
  work.slots.set(name, slot)
  portOf(work.ports, on).slots.set(keyOf(family, vrid), slot)
}

/** A virtual router is one of an interface by its family and VRID together. */
function keyOf(family: Family, vrid: number): number {
  return family === 'ipv4' ? vrid : 256 + vrid
}

function handle(work: Work, input: Input, now: Instant): Output[] {
  const { slots, stopping } = work
  switch (input.kind) {
    case 'datagram':
      return receive(portOf(work.ports, input.interface), input.bytes, now)
    case 'interface':
      return changeInterface(portOf(work.ports, input.interface), input.status, stopping, now)
    case 'address-removed':
      return [...portOf(work.ports, input.interface).slots.values()].flatMap((slot) => loseAddress(slot, input, now))
    case 'take-over':
    case 'lower':
      return command(slots.get(input.service), input, now)
    case 'standing':
      return changeStanding(slots.get(input.service), input, stopping, now)
    case 'slept':
      return everySlot(work).flatMap((slot) => advance(slot, input, now))
    case 'reconfigure':
      return reconfigure(work, input, now)
    case 'stop':
      work.stopping = true
      return everySlot(work).flatMap((slot) => advance(slot, { kind: 'shutdown' }, now))
  }
}

function everySlot({ slots, leaving }: Work): Slot[] {
  return [...slots.values(), ...leaving]
}

function advance(slot: Slot, event: Event, now: Instant): Output[] {
  return slot.running === undefined ? [] : advanceSlot(slot, slot.running, event, now)
}

function expire(work: Work, slot: Slot, now: Instant): void {
  if (now < slot.deadline) return
  work.outputs.push(...noteLateness(slot, now), ...advance(slot, { kind: 'tick' }, now))
}

function loseAddress(slot: Slot, { address }: Input & { kind: 'address-removed' }, now: Instant): Output[] {
  if (!allAddresses(slot.router).some((prefix) => sameAddress(prefix.address, address))) return []
  const outputs = advance(slot, { kind: 'address-lost' }, now)
  return outputs.length === 0 ? [] : [...outputs, { kind: 'restored', service: slot.router.name, address }]
}

type Reconfigure = Input & { readonly kind: 'reconfigure' }

/** Those that stay are changed in place; the others leave first, so that nobody holds two places at once. */
function reconfigure(work: Work, { routers, standings }: Reconfigure, now: Instant): Output[] {
  const outputs: Output[] = []
  const next = new Map(routers.map((router) => [router.name, router]))
  for (const [name, slot] of work.slots) {
    const router = next.get(name)
    if (router !== undefined && isSameRouter(slot.router, router)) continue
    work.slots.delete(name)
    outputs.push(...leave(work, slot, now))
  }
  forgetThoseWhoLeft(work)
  for (const router of routers) {
    const standing = standings[router.name] ?? plainStanding(router)
    const slot = work.slots.get(router.name)
    if (slot === undefined) add(work, newSlot(router, { standing }))
    else outputs.push(...changeSlot(slot, { router, standing }, work.stopping, now))
  }
  // What is known of their interfaces starts those that are new, and tells the others where they send from.
  for (const port of work.ports.values())
    if (port.status !== undefined) outputs.push(...changeInterface(port, port.status, work.stopping, now))
  for (const { name } of routers) outputs.push({ kind: 'standing', service: name })
  return outputs
}

function leave(work: Work, slot: Slot, now: Instant): Output[] {
  work.leaving.add(slot)
  return advance(slot, { kind: 'shutdown' }, now)
}

/** One that leaves goes on listening for its successor, unless another has its place already. */
function forgetThoseWhoLeft({ leaving, ports }: Work): void {
  for (const slot of leaving) {
    if (!isOut(slot.state)) continue
    leaving.delete(slot)
    const { interface: on, family, vrid } = slot.router
    const { slots } = portOf(ports, on)
    if (slots.get(keyOf(family, vrid)) === slot) slots.delete(keyOf(family, vrid))
  }
}

function receive(port: Port, bytes: Uint8Array, now: Instant): Output[] {
  const admission = admit(port.receiver, bytes)
  if (admission.kind === 'discard') {
    port.discards[admission.reason] += 1
    return []
  }
  const slot = port.slots.get(keyOf(admission.router.family, admission.router.vrid))
  if (slot?.running === undefined) return []
  slot.received += 1
  return [
    ...noteOddities(slot, admission.odd, admission.event.source),
    ...advanceSlot(slot, slot.running, admission.event, now),
  ]
}

/** The interface came, went, or changed its addresses: routers on it start, leave, or go on with another source. */
function changeInterface(port: Port, status: InterfaceStatus | undefined, stopping: boolean, now: Instant): Output[] {
  port.status = status
  const own = status === undefined ? [] : ownAddressesOf(port, status)
  return [...port.slots.values()].flatMap((slot) => {
    const { router } = slot
    const primaryAddress = status === undefined ? undefined : primaryAddressOf(router, own, status)
    const fault = faultOf(router, status, primaryAddress)
    const from = wordOf(slot)
    if (fault === null && primaryAddress !== undefined) {
      const before = slot.running
      // The same object while it is the same router: what is made once for each is kept by it.
      if (before !== undefined && sameAddress(before.primaryAddress, primaryAddress)) return []
      slot.running = { ...router, ...slot.standing, primaryAddress }
      if (before !== undefined || stopping) return []
      slot.interfaceFault = null
      return startSlot(slot, slot.running, from, now)
    }
    const left = slot.running === undefined ? [] : advanceSlot(slot, slot.running, { kind: 'fault' }, now)
    slot.running = undefined
    slot.interfaceFault = fault
    return [...left.filter(({ kind }) => kind !== 'transition'), ...intoFault(slot, from)]
  })
}

type StandingInput = Input & { readonly kind: 'standing' }

function changeStanding(slot: Slot | undefined, input: StandingInput, stopping: boolean, now: Instant): Output[] {
  const answer = (reason?: string): Output[] =>
    input.id === null
      ? []
      : [{ kind: 'answer', id: input.id, ...(reason === undefined ? { ok: true } : { ok: false, reason }) }]
  if (slot === undefined) return answer(`this node has no service ${input.service}`)
  const outputs = takeStanding(slot, input, stopping, now)
  return [...outputs, { kind: 'standing', service: input.service }, ...answer()]
}

function faultOf(
  router: VirtualRouter,
  status: InterfaceStatus | undefined,
  primaryAddress: Address | undefined,
): string | null {
  if (status === undefined) return `there is no interface ${router.interface}`
  if (!status.up) return `interface ${router.interface} is down`
  if (primaryAddress !== undefined) return null
  const { transport, family } = router
  if (transport.kind === 'unicast' && transport.source !== null)
    return `interface ${router.interface} does not have ${formatAddress(transport.source)}, the configured source`
  return `interface ${router.interface} has no ${family === 'ipv4' ? 'IPv4' : 'link-local IPv6'} address of its own`
}

/**
 * Where its advertisements come from: the first of the interface's `own` addresses that fits. Over IPv6 it is link-local
 * (§7.2), unless peers are told of another.
 */
function primaryAddressOf(
  { transport, family }: VirtualRouter,
  own: readonly Address[],
  status: InterfaceStatus,
): Address | undefined {
  if (transport.kind === 'unicast' && transport.source !== null) {
    const source = transport.source
    return status.addresses.find(({ address }) => sameAddress(address, source))?.address
  }
  const wantsGlobal = transport.kind === 'unicast' && !transport.peers.some(isLinkLocal)
  return own.find(
    (address) => familyOf(address) === family && (family === 'ipv4' || isLinkLocal(address) !== wantsGlobal),
  )
}

/** Those that are not virtual ones; an address owner's may be both. */
function ownAddressesOf({ slots }: Port, { addresses }: InterfaceStatus): Address[] {
  const virtual = new Set<string>()
  for (const { router } of slots.values())
    if (router.priority !== 255) for (const { address } of allAddresses(router)) virtual.add(String(address))
  return addresses.map(({ address }) => address).filter((address) => !virtual.has(String(address)))
}

function command(slot: Slot | undefined, input: Input & { kind: 'take-over' | 'lower' }, now: Instant): Output[] {
  const refuse = (reason: string): Output[] => [{ kind: 'answer', id: input.id, ok: false, reason }]
  if (slot === undefined) return refuse(`this node has no service ${input.service}`)
  if (slot.running === undefined || slot.standing.fault !== null) return refuse(faultIn(slot) ?? 'not started yet')
  if (input.kind === 'take-over' && slot.standing.yielding)
    return refuse(`this node yields ${input.service}: it takes no part until it is told to again`)
  if (slot.state.kind === 'resigning' || slot.state.kind === 'initialize') return refuse('this node is leaving')
  const event: Event = input.kind === 'take-over' ? { kind: 'take-over', priority: input.priority } : { kind: 'lower' }
  return [...advanceSlot(slot, slot.running, event, now), { kind: 'answer', id: input.id, ok: true }]
}

const noAddresses: readonly Prefix[] = []

function portOf(ports: Map<string, Port>, name: string): Port {
  const known = ports.get(name)
  if (known !== undefined) return known
  const discards = Object.fromEntries(discardReasons.map((reason) => [reason, 0])) as Record<DiscardReason, number>
  const slots: Port['slots'] = new Map()
  const receiver: Port['receiver'] = {
    routerOf: (family, vrid) => slots.get(keyOf(family, vrid))?.router,
    ownAddresses: () => port.status?.addresses ?? noAddresses,
  }
  const port: Port = { slots, receiver, status: undefined, discards }
  ports.set(name, port)
  return port
}
