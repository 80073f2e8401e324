/**
 * All virtual routers of a node together: what `step` and `admit` do for one, for many.
 *
 *   Input ──▶ handle(input, now) ─┐
 *             tick(now) ──────────┴──▶ takeOutputs() ──▶ performed by the process, in list order
 *
 * No clock, socket or log: the real-time process and the simulator drive the very same engine.
 */
import { type Address, familyOf, isLinkLocal, type Prefix, sameAddress } from '../wire/address.ts'
import { type Admission, admit, type DiscardReason, discardReasons } from './admit.ts'
import type { Event, Standing, VirtualRouter } from './router.ts'
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
import { nextDeadline } from './step.ts'
import { earliest, type Instant } from './time.ts'

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
  /** `id`: of the command that it is the answer to; null when nobody waits for one. */
  | {
      readonly kind: 'standing'
      readonly id: string | null
      readonly service: string
      readonly standing: Standing
      /** It yields, and there is no time left to wait for a successor. */
      readonly atOnce?: boolean
    }
  | { readonly kind: 'stop' }

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
  /** What was said of routers before they started. Default: the plain standing. */
  readonly standings?: Readonly<Record<string, Standing>>
}

type Port = {
  readonly byVrid: Map<number, Slot>
  status: InterfaceStatus | undefined
  readonly discards: Record<DiscardReason, number>
}

export function createEngine({ routers, holding = new Set(), standings = {} }: EngineOptions): Engine {
  const slots = new Map(
    routers.map((router) => {
      const standing = standings[router.name] ?? plainStanding(router)
      return [router.name, newSlot(router, standing, holding.has(router.name))]
    }),
  )
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
        case 'standing':
          outputs.push(...changeStanding(slots.get(input.service), input, stopping, now))
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
    const primaryAddress = status === undefined ? undefined : primaryAddressOf(router, port, status)
    const fault = faultOf(router, status, primaryAddress)
    const from = wordOf(slot)
    if (fault === null && primaryAddress !== undefined) {
      const wasRunning = slot.running !== undefined
      slot.running = { ...router, ...slot.standing, primaryAddress }
      if (wasRunning || stopping) return []
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
  return primaryAddress === undefined ? `interface ${router.interface} has no IPv4 address of its own` : null
}

/** The first address of the router's family that is not a virtual one; an address owner's may be both. IPv6: link-local. */
function primaryAddressOf({ family }: VirtualRouter, port: Port, status: InterfaceStatus): Address | undefined {
  const virtual = [...port.byVrid.values()]
    .filter(({ router }) => router.priority !== 255)
    .flatMap(({ router }) => router.addresses)
  return status.addresses.find(
    ({ address }) =>
      familyOf(address) === family &&
      (family === 'ipv4' || isLinkLocal(address)) &&
      !virtual.some((other) => sameAddress(other.address, address)),
  )?.address
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

function portOf(ports: Map<string, Port>, name: string): Port {
  const known = ports.get(name)
  if (known !== undefined) return known
  const discards = Object.fromEntries(discardReasons.map((reason) => [reason, 0])) as Record<DiscardReason, number>
  const port: Port = { byVrid: new Map(), status: undefined, discards }
  ports.set(name, port)
  return port
}
