/**
 * What a new configuration makes of the routers that run: those that are the same go on undisturbed, one whose numbers
 * or addresses have changed takes them on where it is, and one that has become another router leaves and begins anew.
 */
import { type Prefix, sameAddress } from '../wire/address.ts'
import { allAddresses, type Standing, type VirtualRouter } from './router.ts'
import { type Output, rearm, type Slot, takeStanding } from './slot.ts'
import { after, type Instant, ofCentiseconds } from './time.ts'

/** Whether `next` is the virtual router that `before` was, so that it can be changed in place. */
export function isSameRouter(before: VirtualRouter, next: VirtualRouter): boolean {
  return (
    before.interface === next.interface &&
    before.family === next.family &&
    before.vrid === next.vrid &&
    before.virtualMac === next.virtualMac &&
    // An owner's addresses are the machine's own: nobody may remove them on the way in or out.
    (before.priority === 255) === (next.priority === 255)
  )
}

/** Takes on `next`, and says what that changes on the LAN. Nothing that stays is touched. */
export function changeSlot(
  slot: Slot,
  { router: next, standing }: { readonly router: VirtualRouter; readonly standing: Standing },
  stopping: boolean,
  now: Instant,
): Output[] {
  const before = slot.router
  slot.router = next
  if (slot.running !== undefined) {
    // Where the interface has it from, unless this router is told where to send from.
    const { primaryAddress } = slot.running
    slot.running = { ...next, ...slot.standing, primaryAddress }
  }
  const outputs = [...moveAddresses(slot, before), ...takeStanding(slot, { standing }, stopping, now)]
  // It does not wait out an interval that was longer.
  const { state } = slot
  if (state.kind === 'active') {
    const latest = after(now, ofCentiseconds(next.advertisementInterval))
    if (state.adverAt > latest) slot.state = { ...state, adverAt: latest }
  }
  rearm(slot)
  return outputs
}

/** The addresses that it has gained and lost, where it holds addresses at all. */
function moveAddresses({ router, state }: Slot, before: VirtualRouter): Output[] {
  const holds = state.kind === 'active' || state.kind === 'resigning' || 'answersUntil' in state
  if (!holds) return []
  const gained = without(allAddresses(router), allAddresses(before))
  const lost = without(allAddresses(before), allAddresses(router))
  const outputs: Output[] = []
  if (gained.length > 0) outputs.push({ kind: 'install-addresses', router, only: gained })
  if (lost.length > 0) outputs.push({ kind: 'remove-addresses', router: before, only: lost })
  if (gained.length > 0) outputs.push({ kind: 'announce-addresses', router, only: gained })
  return outputs
}

function without(prefixes: readonly Prefix[], others: readonly Prefix[]): Prefix[] {
  const same = (a: Prefix, b: Prefix): boolean => sameAddress(a.address, b.address) && a.prefixLength === b.prefixLength
  return prefixes.filter((prefix) => !others.some((other) => same(prefix, other)))
}
