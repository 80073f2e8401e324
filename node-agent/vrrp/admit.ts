/**
 * Which datagrams become events: the receive rules of RFC 9568 §7.1, in a fixed order with one counter each.
 *
 * A discarded datagram changes no timer, no learned value and no state. The order is that of the conformance list
 * so that the counter which moves says exactly what was wrong first.
 */
import { type Address, sameAddress } from '../wire/address.ts'
import { decodeIpv4, type Ipv4Datagram } from '../wire/ipv4.ts'
import {
  advertisementType,
  checksumForm,
  decodeAddresses,
  decodeHeader,
  type Header,
  headerLength,
  vrrpMulticastGroup,
  vrrpProtocol,
} from '../wire/vrrp.ts'
import type { Event, VirtualRouter } from './router.ts'
import type { Centiseconds } from './time.ts'

/** Why a datagram was discarded. Each is a counter in the status. */
export const discardReasons = [
  'length',
  'ttl',
  'version',
  'type',
  'vrid',
  'checksum',
  'count',
  'interval',
  'peer',
  'self',
] as const
export type DiscardReason = (typeof discardReasons)[number]

/** What is odd but no reason to discard. Each is a counter too, and is logged when it begins. */
export const oddities = ['interval-differs', 'address-list-differs', 'second-owner'] as const
export type Oddity = (typeof oddities)[number]

/** The receiving interface: its virtual routers by VRID, and the addresses that are its own. */
export type Receiver<Router extends VirtualRouter> = {
  readonly routerOf: (vrid: number) => Router | undefined
  readonly isOwnAddress: (address: Address) => boolean
}

export type Admission<Router extends VirtualRouter> =
  | { readonly kind: 'discard'; readonly reason: DiscardReason }
  | {
      readonly kind: 'event'
      readonly router: Router
      readonly event: Event & { readonly kind: 'advertisement' }
      readonly odd: readonly Oddity[]
    }

export function admit<Router extends VirtualRouter>(receiver: Receiver<Router>, bytes: Uint8Array): Admission<Router> {
  const datagram = decodeIpv4(bytes)
  if (datagram === undefined || datagram.protocol !== vrrpProtocol) return discard('length')
  const message = datagram.payload
  const header = decodeHeader(message)
  if (header === undefined) return discard('length')
  if (datagram.ttl !== 255) return discard('ttl') // R-02, §5.1.1.3
  if (header.version !== 3) return discard('version')
  if (header.type !== advertisementType) return discard('type')
  const router = receiver.routerOf(header.vrid)
  if (router === undefined) return discard('vrid')
  if (message.length !== headerLength + 4 * header.addressCount) return discard('length')
  if (checksumForm(message, datagram) === undefined) return discard('checksum') // R-07, §5.2.8 or RFC 5798's form
  if (header.addressCount === 0) return discard('count')
  if (header.maxAdvertiseInterval === 0) return discard('interval') // R-09, erratum 8301
  if (!sameAddress(datagram.destination, vrrpMulticastGroup)) return discard('peer')
  if (receiver.isOwnAddress(datagram.source)) return discard('self')
  return {
    kind: 'event',
    router,
    event: {
      kind: 'advertisement',
      source: datagram.source,
      priority: header.priority,
      maxAdvertiseInterval: header.maxAdvertiseInterval as Centiseconds,
    },
    odd: oddIn(router, header, datagram),
  }
}

function oddIn(router: VirtualRouter, header: Header, { payload }: Ipv4Datagram): Oddity[] {
  const odd: Oddity[] = []
  if (header.maxAdvertiseInterval !== router.advertisementInterval) odd.push('interval-differs')
  if (!sameList(router, decodeAddresses(payload, header.addressCount))) odd.push('address-list-differs') // R-18, D7
  if (header.priority === 255 && router.priority === 255) odd.push('second-owner') // R-20, §8.3.2
  return odd
}

function sameList(router: VirtualRouter, heard: readonly Address[]): boolean {
  return (
    heard.length === router.addresses.length &&
    router.addresses.every(({ address }) => heard.some((other) => sameAddress(address, other)))
  )
}

function discard(reason: DiscardReason): { readonly kind: 'discard'; readonly reason: DiscardReason } {
  return { kind: 'discard', reason }
}
