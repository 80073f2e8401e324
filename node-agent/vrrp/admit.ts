/**
 * Which datagrams become events: the receive rules of RFC 9568 §7.1 and RFC 3768 §7.1, in a fixed order with one
 * counter each.
 *
 * A discarded datagram changes no timer, no learned value and no state. The order is that of the conformance
 * list, so that the counter which moves says exactly what was wrong first.
 */
import { type Address, type Family, isLinkLocal, type Prefix, sameAddress } from '../wire/address.ts'
import { decodeIp, type IpDatagram } from '../wire/ip.ts'
import {
  addressAt,
  advertisementType,
  authenticationData,
  authenticationTypes,
  type ChecksumForm,
  checksumHolds,
  decodeHeader,
  type Header,
  messageLength,
  multicastGroupOf,
  vrrpProtocol,
} from '../wire/vrrp.ts'
import { recall, remember } from './again.ts'
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
  'auth',
  'addr',
  'peer',
  'self',
  'owner',
  'addr-list',
] as const
export type DiscardReason = (typeof discardReasons)[number]

/** What is odd but no reason to discard. Logged when it begins. */
export const oddities = [
  /** The peer may discard what we send: it makes the IPv4 checksum in the other form. */
  'checksum-form-differs',
  'interval-differs',
  'first-not-link-local',
  'source-not-link-local',
  'address-list-differs',
  'second-owner',
] as const
export type Oddity = (typeof oddities)[number]

/**
 * The receiving interface: its virtual routers by family and VRID, and the addresses that are its own. Neither a
 * router nor the list of addresses is ever changed in place: what is different is another object.
 */
export type Receiver<Router extends VirtualRouter> = {
  readonly routerOf: (family: Family, vrid: number) => Router | undefined
  readonly ownAddresses: () => readonly Prefix[]
}

export type Discard = { readonly kind: 'discard'; readonly reason: DiscardReason }

export type Admitted<Router extends VirtualRouter> = {
  readonly kind: 'event'
  readonly router: Router
  readonly event: Event & { readonly kind: 'advertisement' }
  readonly odd: readonly Oddity[]
}

export type Admission<Router extends VirtualRouter> = Discard | Admitted<Router>

/** `bytes`: a whole IPv4 or IPv6 datagram. Nothing of it is kept by reference. */
export function admit<Router extends VirtualRouter>(receiver: Receiver<Router>, bytes: Uint8Array): Admission<Router> {
  const again = recall(receiver, bytes)
  if (again !== undefined) return again
  const admission = judge(receiver, bytes)
  if (admission.kind === 'event') remember(receiver, admission, bytes)
  return admission
}

function judge<Router extends VirtualRouter>(receiver: Receiver<Router>, bytes: Uint8Array): Admission<Router> {
  const datagram = decodeIp(bytes)
  if (datagram === undefined || datagram.protocol !== vrrpProtocol) return discards.length
  const header = decodeHeader(datagram.payload)
  if (header === undefined) return discards.length
  const family = datagram.source.length === 4 ? 'ipv4' : 'ipv6'
  const router = receiver.routerOf(family, header.vrid)
  if (datagram.ttl < minTtlOf(router, datagram)) return discards.ttl // R-02, §5.1.1.3
  if (!speaks(router, family, header.version)) return discards.version
  if (header.type !== advertisementType) return discards.type
  if (router === undefined) return discards.vrid
  const odd: Oddity[] = []
  const wrong = inMessage(router, header, datagram, odd) ?? inSender(receiver, router, header, datagram, odd)
  if (wrong !== undefined) return discards[wrong]
  const { priority, maxAdvertiseInterval } = header
  return {
    kind: 'event',
    router,
    event: {
      kind: 'advertisement',
      source: new Uint8Array(datagram.source),
      priority,
      maxAdvertiseInterval: maxAdvertiseInterval as Centiseconds,
    },
    odd,
  }
}

/** 255 says that nobody forwarded it. What a unicast peer sends may have been forwarded, if configured so. */
function minTtlOf(router: VirtualRouter | undefined, { destination }: IpDatagram): number {
  return router?.transport.kind === 'unicast' && !isMulticast(destination) ? router.transport.minTtl : 255
}

/** Where no router is configured, a version that exists is not what is wrong. */
function speaks(router: VirtualRouter | undefined, family: Family, version: number): boolean {
  if (router !== undefined) return version === router.version
  return version === 3 || (version === 2 && family === 'ipv4')
}

/** what is wrong in the message itself. */
function inMessage(
  router: VirtualRouter,
  header: Header,
  { source, destination, payload }: IpDatagram,
  odd: Oddity[],
): DiscardReason | undefined {
  if (payload.length !== messageLength(header.version, source.length, header.addressCount)) return 'length'
  const form = checksumFormOf(router, payload, { source, destination })
  if (form === undefined) return 'checksum' // R-07, §5.2.8, D1
  if (router.acceptChecksum === 'auto' && form !== router.checksum) odd.push('checksum-form-differs')
  if (header.addressCount === 0) return 'count' // R-08, erratum 8299
  if (header.maxAdvertiseInterval === 0) return 'interval' // R-09, erratum 8301
  if (header.version === 2 && !authentic(router, header, payload)) return 'auth'
  if (header.maxAdvertiseInterval !== router.advertisementInterval) {
    if (header.version === 2) return 'interval'
    odd.push('interval-differs')
  }
  return undefined
}

/** Our own form first: a message may happen to be right in both. */
function checksumFormOf(
  { checksum, acceptChecksum }: VirtualRouter,
  message: Uint8Array,
  envelope: { readonly source: Address; readonly destination: Address },
): ChecksumForm | undefined {
  const first = acceptChecksum === 'auto' ? checksum : acceptChecksum
  if (checksumHolds(message, envelope, first)) return first
  const other = first === 'rfc9568' ? 'rfc5798' : 'rfc9568'
  return acceptChecksum === 'auto' && checksumHolds(message, envelope, other) ? other : undefined
}

/** RFC 2338 §5.3.6: the type that is configured here and, of a password, all its octets. What type 0 carries is ignored. */
function authentic({ password }: VirtualRouter, { authenticationType }: Header, message: Uint8Array): boolean {
  if (password === null) return authenticationType === authenticationTypes.none
  if (authenticationType !== authenticationTypes.password) return false
  const heard = authenticationData(message)
  // Every octet is looked at, so that the time taken says nothing of how many were right.
  let difference = 0
  for (let i = 0; i < heard.length; i += 1) difference |= heard[i]! ^ password[i]!
  return difference === 0
}

/** what is wrong with who says it to whom, and of what. */
function inSender(
  receiver: Receiver<VirtualRouter>,
  router: VirtualRouter,
  header: Header,
  { source, destination, payload }: IpDatagram,
  odd: Oddity[],
): DiscardReason | undefined {
  const strict = router.profile === 'strict'
  if (router.family === 'ipv6') {
    if (!isLinkLocal(addressAt(payload, 16, 0))) {
      if (strict) return 'addr' // R-13, erratum 8300, D3
      odd.push('first-not-link-local')
    }
    // A unicast peer is configured by its address, of whatever scope.
    if (!isLinkLocal(source) && router.transport.kind === 'multicast') {
      if (strict) return 'addr' // R-14, §5.1.2.1
      odd.push('source-not-link-local')
    }
  }
  if (!isMeant(router, source, destination)) return 'peer'
  if (receiver.ownAddresses().some(({ address }) => sameAddress(address, source))) return 'self'
  if (header.version === 2 && router.priority === 255) return 'owner' // R-17; version 3 goes on: D4, erratum 8298
  if (!sameList(router, payload, header.addressCount)) {
    if (header.version === 2 && strict && header.priority !== 255) return 'addr-list' // R-18, RFC 3768 §7.1, D7
    odd.push('address-list-differs')
  }
  if (header.priority === 255 && router.priority === 255) odd.push('second-owner') // R-20, §8.3.2
  return undefined
}

/** To the group from anybody, or to us alone from a configured peer. */
function isMeant({ transport, family }: VirtualRouter, source: Address, destination: Address): boolean {
  if (transport.kind === 'multicast') return sameAddress(destination, multicastGroupOf(family))
  return !isMulticast(destination) && transport.peers.some((peer) => sameAddress(peer, source))
}

/** 224.0.0.0/4 and ff00::/8. */
function isMulticast(address: Address): boolean {
  return address.length === 4 ? address[0]! >> 4 === 0xe : address[0] === 0xff
}

/** In any order, as peers may be configured in another one. */
function sameList({ addresses }: VirtualRouter, message: Uint8Array, count: number): boolean {
  if (count !== addresses.length) return false
  return addresses.every(({ address }) => {
    for (let i = 0; i < count; i += 1) if (sameAddress(address, addressAt(message, address.length, i))) return true
    return false
  })
}

/** Made once: a flood of bad datagrams leaves no garbage of ours. */
const discards = Object.fromEntries(
  discardReasons.map((reason) => [reason, { kind: 'discard', reason } satisfies Discard]),
) as Record<DiscardReason, Discard>
