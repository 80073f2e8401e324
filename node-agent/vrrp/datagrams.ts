/**
 * The datagrams that carry an advertisement of a router: one to the group, or one to each peer.
 *
 * They are the same each time while nothing about the router changes, so they are made once for each priority.
 */
import { type Address, virtualMacOf } from '../wire/address.ts'
import { encodeIp } from '../wire/ip.ts'
import { type Advertisement, encodeAdvertisement, multicastGroupOf, vrrpProtocol } from '../wire/vrrp.ts'
import type { VirtualRouter } from './router.ts'
import type { RunningRouter } from './step.ts'

/** An interface, or the device on it that has a virtual router's own MAC address. */
export type Place = { readonly interface: string; readonly mac: Uint8Array | null }

/** A whole IP datagram. It leaves by the interface itself; `mac`: from that address instead of the interface's. */
export type Outgoing = Place & { readonly destination: Address; readonly datagram: Uint8Array }

export function placeOf({ interface: name, virtualMac, family, vrid }: VirtualRouter): Place {
  return { interface: name, mac: virtualMac ? virtualMacOf(family, vrid) : null }
}

/** By what is fixed while `router` is the same object. */
const made = new WeakMap<RunningRouter, Map<number, readonly Outgoing[]>>()

export function datagramsOf(router: RunningRouter, priority: number): readonly Outgoing[] {
  const known = made.get(router) ?? new Map<number, readonly Outgoing[]>()
  made.set(router, known)
  const datagrams = known.get(priority) ?? encode(router, priority)
  known.set(priority, datagrams)
  return datagrams
}

function encode(router: RunningRouter, priority: number): Outgoing[] {
  const { transport, family } = router
  const destinations = transport.kind === 'unicast' ? transport.peers : [multicastGroupOf(family)]
  const ttl = transport.kind === 'unicast' ? transport.ttl : 255
  const place = placeOf(router)
  const advertisement = advertisementOf(router, priority)
  return destinations.map((destination) => {
    const envelope = { source: router.primaryAddress, destination }
    const payload = encodeAdvertisement(advertisement, envelope, router.checksum)
    return { ...place, destination, datagram: encodeIp({ ...envelope, ttl, protocol: vrrpProtocol, payload }) }
  })
}

function advertisementOf(router: VirtualRouter, priority: number): Advertisement {
  const { version, vrid, password, advertisementInterval } = router
  const addresses = router.addresses.map(({ address }) => address)
  const fields = { vrid, priority, maxAdvertiseInterval: advertisementInterval, addresses }
  return version === 2 ? { ...fields, version, password } : { ...fields, version }
}
