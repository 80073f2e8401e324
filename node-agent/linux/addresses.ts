/** Puts addresses on interfaces and takes them off: a whole turn's worth in one netlink batch. */
import type { AddressChange } from '../ports.ts'
import { formatAddress } from '../wire/address.ts'
import { encodeAddAddress, encodeDeleteAddress } from '../wire/rtnetlink.ts'
import { errno } from './constants.ts'
import type { Interfaces } from './interfaces.ts'
import type { VirtualMacs } from './macvlan.ts'
import type { NetlinkSocket } from './netlink-socket.ts'

/** A change that the kernel refused; anything else than being done already. */
export type RefusedChange = { readonly change: AddressChange; readonly errno: number }

type Batch = { readonly request: NetlinkSocket; readonly interfaces: Interfaces; readonly virtualMacs: VirtualMacs }

export function changeAddresses(
  { request, interfaces, virtualMacs }: Batch,
  changes: readonly AddressChange[],
): RefusedChange[] {
  const possible = changes.flatMap((change) => {
    const device = change.mac === null ? interfaces.get(change.interface) : virtualMacs.deviceOf(change)
    // An interface that is gone took its addresses along.
    return device === undefined ? [] : [{ change, address: { ...change.prefix, index: device.index } }]
  })
  // What a device is told is not told of: an address that it then does not take is.
  const links = virtualMacs.before(changes)
  const results = request.batch([
    ...links,
    ...possible.map(
      ({ change, address }) =>
        (sequence: number) =>
          change.kind === 'add' ? encodeAddAddress(address, sequence) : encodeDeleteAddress(address, sequence),
    ),
  ])
  return possible.flatMap(({ change }, i) => {
    const result = results[links.length + i]!
    const done = result === 0 || result === (change.kind === 'add' ? errno.EEXIST : errno.EADDRNOTAVAIL)
    return done ? [] : [{ change, errno: result }]
  })
}

export function describeRefusal({ change, errno: number }: RefusedChange): string {
  const name = Object.entries(errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`
  return `could not ${change.kind} ${formatAddress(change.prefix.address)} on ${change.interface}: ${name}`
}
