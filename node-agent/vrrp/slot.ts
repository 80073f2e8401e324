/**
 * One virtual router at work: what it is, what is said of it, and everything that changes about it.
 *
 *   interface ──▶ running ──┐
 *   standing (checks, control) ──▶ step ──▶ state, outputs
 *
 * A fault is of its interface, which can't carry it and is left at once, or of its standing, which it obeys politely.
 */
import type { Address, Prefix } from '../wire/address.ts'
import type { Oddity } from './admit.ts'
import type { Event, Standing, State, VirtualRouter } from './router.ts'
import { nextDeadline, priorityNow, type RunningRouter, step } from './step.ts'
import { after, type Instant, milliseconds, ofCentiseconds } from './time.ts'

export type StateWord = 'initialize' | 'backup' | 'active' | 'fault'

export type Output =
  | { readonly kind: 'send-advertisement'; readonly router: RunningRouter; readonly priority: number }
  /** `only`: these of its addresses, when it has gained or lost some. */
  | {
      readonly kind: 'install-addresses' | 'remove-addresses' | 'announce-addresses'
      readonly router: VirtualRouter
      readonly only?: readonly Prefix[]
    }
  | {
      readonly kind: 'transition'
      readonly service: string
      readonly from: StateWord
      readonly to: StateWord
      readonly reason: string
    }
  /** The advertised priority changed without a change of state. */
  | { readonly kind: 'priority'; readonly service: string; readonly priority: number }
  /** What is said of the router has changed, and with it its status. */
  | { readonly kind: 'standing'; readonly service: string }
  | { readonly kind: 'answer'; readonly id: string; readonly ok: boolean; readonly reason?: string }
  /** Somebody else had removed one of its addresses; it is put back. */
  | { readonly kind: 'restored'; readonly service: string; readonly address: Address }
  /** Reported when it begins; the counters tell how often. */
  | { readonly kind: 'odd'; readonly service: string; readonly oddity: Oddity; readonly source: Address }
  | { readonly kind: 'late'; readonly service: string; readonly byMicroseconds: number }

export type ServiceStatus = {
  readonly state: StateWord
  readonly priority: number
  readonly basePriority: number
  readonly yielding: boolean
  /** Why the state is `fault`; null otherwise. */
  readonly fault: string | null
  readonly sent: number
  readonly received: number
  readonly transitions: number
  /** Times a timer fired more than an advertisement interval late: this machine is too slow for its interval. */
  readonly late: number
}

/** A router and everything that changes about it. */
export type Slot = {
  router: VirtualRouter
  state: State
  /** When `step` next wants a tick: infinity while it does not. Kept, since it is asked for many times a second. */
  deadline: number
  /** Undefined while the interface can't carry it; then `interfaceFault` says why. */
  running: RunningRouter | undefined
  interfaceFault: string | null
  standing: Standing
  holding: boolean
  /** It has not started yet, and its start delay counts. */
  first: boolean
  sent: number
  received: number
  transitions: number
  late: number
  /** When that was last told. */
  saidLateAt?: Instant
  readonly odd: Set<Oddity>
}

/** Nothing is said against the router: it takes part, at its configured priority. */
export function plainStanding({ priority }: VirtualRouter): Standing {
  return { priority, yielding: false, fault: null }
}

/** `from` and `why`, where they are not what the state machine alone would say. */
export function advanceSlot(
  slot: Slot,
  router: RunningRouter,
  event: Event,
  now: Instant,
  { from = wordOf(slot), why }: { readonly from?: StateWord; readonly why?: string } = {},
): Output[] {
  const priority = priorityNow(router, slot.state)
  const { state, effects, reason } = step(router, slot.state, event, now)
  slot.state = state
  rearm(slot)
  const outputs: Output[] = effects.map((effect) => ({ ...effect, router }))
  slot.sent += effects.filter(({ kind }) => kind === 'send-advertisement').length
  const to = wordOf(slot)
  if (to !== from || reason !== undefined) {
    if (to !== from) slot.transitions += 1
    outputs.push({ kind: 'transition', service: router.name, from, to, reason: why ?? reason ?? event.kind })
  } else if (priorityNow(router, state) !== priority) {
    outputs.push({ kind: 'priority', service: router.name, priority: priorityNow(router, state) })
  }
  return outputs
}

export function rearm(slot: Slot): void {
  slot.deadline = nextDeadline(slot.router, slot.state) ?? Number.POSITIVE_INFINITY
}

/** What may not carry the service does not start; but what a crashed process of ours still holds, it hands over. */
export function startSlot(slot: Slot, running: RunningRouter, from: StateWord, now: Instant): Output[] {
  const { holding, standing, first } = slot
  slot.holding = false
  slot.first = false
  if (standing.fault === null) return advanceSlot(slot, running, { kind: 'startup', holding, first }, now, { from })
  if (!holding) return intoFault(slot, from)
  const left = [
    ...advanceSlot(slot, running, { kind: 'startup', holding }, now),
    ...advanceSlot(slot, running, { kind: 'shutdown' }, now),
  ]
  return [...left.filter(({ kind }) => kind !== 'transition'), ...intoFault(slot, from)]
}

/** The transition into a fault that has just begun; none while it only goes on. */
export function intoFault(slot: Slot, from: StateWord): Output[] {
  if (from === 'fault') return []
  slot.transitions += 1
  return [{ kind: 'transition', service: slot.router.name, from, to: 'fault', reason: faultIn(slot) ?? 'fault' }]
}

/** A fault makes the router leave politely, its end makes it start; priority and part in the election change in place. */
export function takeStanding(
  slot: Slot,
  { standing: next, atOnce = false }: { readonly standing: Standing; readonly atOnce?: boolean },
  stopping: boolean,
  now: Instant,
): Output[] {
  const from = wordOf(slot)
  const before = slot.standing
  slot.standing = next
  if (slot.running === undefined) return []
  const running: RunningRouter = { ...slot.running, ...next }
  slot.running = running
  const obeyYield = (): Output[] => advanceSlot(slot, running, { kind: 'yield', atOnce }, now)
  if (next.fault !== null) {
    const left = advanceSlot(slot, running, { kind: 'shutdown' }, now, { from, why: next.fault })
    return atOnce ? [...left, ...obeyYield()] : left
  }
  if (before.fault !== null) return stopping ? [] : advanceSlot(slot, running, { kind: 'startup' }, now, { from })
  return [
    ...(before.priority === next.priority
      ? []
      : advanceSlot(slot, running, { kind: 'priority', was: before.priority }, now)),
    ...(before.yielding === next.yielding && !atOnce ? [] : obeyYield()),
  ]
}

/** A machine that is too slow is too slow for a log of each time as well (F-34). */
const saysLateEach = milliseconds(10_000)

export function noteLateness(slot: Slot, now: Instant): Output[] {
  const byMicroseconds = now - slot.deadline
  if (byMicroseconds <= ofCentiseconds(slot.router.advertisementInterval)) return []
  slot.late += 1
  if (slot.saidLateAt !== undefined && now < after(slot.saidLateAt, saysLateEach)) return []
  slot.saidLateAt = now
  return [{ kind: 'late', service: slot.router.name, byMicroseconds }]
}

/** Says each kind of oddity once, until an advertisement without it has been heard. */
export function noteOddities(slot: Slot, odd: readonly Oddity[], source: Address): Output[] {
  for (const known of slot.odd) if (!odd.includes(known)) slot.odd.delete(known)
  const news = odd.filter((oddity) => !slot.odd.has(oddity))
  for (const oddity of news) slot.odd.add(oddity)
  return news.map((oddity) => ({ kind: 'odd', service: slot.router.name, oddity, source }))
}

export function wordOf(slot: Slot): StateWord {
  // Until its interface has been heard of it has not begun, whatever is said of it.
  const begun = slot.running !== undefined || slot.interfaceFault !== null
  if (begun && faultIn(slot) !== null) return 'fault'
  return slot.state.kind === 'resigning' ? 'initialize' : slot.state.kind
}

export function faultIn({ interfaceFault, standing }: Slot): string | null {
  return interfaceFault ?? standing.fault
}

export function statusOf(slot: Slot): ServiceStatus {
  const { router, standing, state, sent, received, transitions, late } = slot
  const priority = priorityNow({ ...router, ...standing }, state)
  const { yielding } = standing
  const fault = faultIn(slot)
  const word = wordOf(slot)
  return { state: word, priority, basePriority: router.priority, yielding, fault, sent, received, transitions, late }
}

type Beginning = { readonly standing: Standing; readonly holding?: boolean; readonly first?: boolean }

export function newSlot(router: VirtualRouter, { standing, holding = false, first = false }: Beginning): Slot {
  const counters = { sent: 0, received: 0, transitions: 0, late: 0 }
  return {
    router,
    standing,
    state: { kind: 'initialize' },
    deadline: Number.POSITIVE_INFINITY,
    running: undefined,
    interfaceFault: null,
    holding,
    first,
    ...counters,
    odd: new Set(),
  }
}
