/** Puts addresses on interfaces and takes them off: a whole turn's worth in one netlink batch. */
import type { AddressChange } from '../ports.ts'
import type { Place } from '../vrrp/datagrams.ts'
import { familyOf, formatAddress, formatMac, isLinkLocal, type Prefix } from '../wire/address.ts'
import { encodeAddAddress, encodeDeleteAddress } from '../wire/rtnetlink.ts'
import { errno } from './constants.ts'
import type { Interfaces } from './interfaces.ts'
import type { VirtualMacs } from './macvlan.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

/** A change that the kernel refused; anything else than being done already. */
export type RefusedChange = { readonly change: AddressChange; readonly errno: number }

/** The device that is a place, if it is there. */
export type DeviceOf = (place: Place) => { readonly index: number } | undefined

type Batch = {
  readonly request: NetlinkSocket
  readonly interfaces: Interfaces
  readonly deviceOf: DeviceOf
  readonly virtualMacs: Pick<VirtualMacs, 'before'>
}

export function changeAddresses(
  { request, interfaces, deviceOf, virtualMacs }: Batch,
  changes: readonly AddressChange[],
): RefusedChange[] {
  const possible = changes.flatMap((change) => {
    const device = deviceOf(change)
    // A device that is gone took its addresses along.
    return device === undefined ? [] : [{ change, address: { ...change.prefix, index: device.index } }]
  })
  // Where a device does not come up, its address says so: it is refused, or found missing.
  const links = virtualMacs.before(changes)
  const results = request.batch([
    ...links,
    ...possible.map(
      ({ change, address }) =>
        (sequence: number) =>
          change.kind === 'add'
            ? encodeAddAddress(address, sequence, { prefixRoute: !hasRoute(interfaces, change) })
            : encodeDeleteAddress(address, sequence),
    ),
  ])
  return possible.flatMap(({ change }, i) => {
    const result = results[links.length + i]!
    const done = result === 0 || result === (change.kind === 'add' ? errno.EEXIST : errno.EADDRNOTAVAIL)
    return done ? [] : [{ change, errno: result }]
  })
}

/**
 * On a virtual MAC's device beside an interface that is in the same network already, a second route to that network
 * would take the machine's own traffic through the virtual MAC, and drop it with the address.
 */
function hasRoute(interfaces: Interfaces, { interface: name, mac, prefix }: AddressChange): boolean {
  // A link-local network is each device's own: what comes from there by the device is answered by it.
  if (mac === null || isLinkLocal(prefix.address)) return false
  return interfaces.get(name)?.addresses.some((own) => isSameNetwork(own, prefix)) ?? false
}

function isSameNetwork(a: Prefix, b: Prefix): boolean {
  if (familyOf(a.address) !== familyOf(b.address) || a.prefixLength !== b.prefixLength) return false
  return a.address.every((octet, i) => {
    const bits = Math.min(8, Math.max(0, a.prefixLength - 8 * i))
    return (octet ^ b.address[i]!) >> (8 - bits) === 0
  })
}

export function describeRefusal({ change, errno: number }: RefusedChange): string {
  const name = Object.entries(errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`
  const { kind, prefix, interface: interface_, mac } = change
  const where = mac === null ? interface_ : `${interface_} (${formatMac(mac)})`
  return `could not ${kind} ${formatAddress(prefix.address)} on ${where}: ${name}`
}
