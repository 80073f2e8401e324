/** An IP datagram of either family, by what both have: IPv4's TTL is IPv6's Hop Limit, its protocol their Next Header. */
import type { Address } from './address.ts'
import { decodeIpv4, encodeIpv4 } from './ipv4.ts'
import { decodeIpv6, encodeIpv6 } from './ipv6.ts'

export type IpDatagram = {
  readonly source: Address
  readonly destination: Address
  readonly ttl: number
  readonly protocol: number
  readonly payload: Uint8Array
}

/** Addresses and payload are views of `bytes`. Undefined when it is no datagram, or not a whole one. */
export function decodeIp(bytes: Uint8Array): IpDatagram | undefined {
  return bytes.length > 0 && bytes[0]! >> 4 === 6 ? decodeIpv6(bytes) : decodeIpv4(bytes)
}

/** Of the family that its addresses have. */
export function encodeIp(datagram: IpDatagram): Uint8Array {
  return datagram.source.length === 4 ? encodeIpv4(datagram) : encodeIpv6(datagram)
}
