/**
 * The IPv6 header (RFC 8200 §3).
 *
 *    0                   1                   2                   3
 *   |Version| Traffic Class |           Flow Label                  |
 *   |         Payload Length        |  Next Header  |   Hop Limit   |
 *   |                     Source Address, 16 octets                 |
 *   |                  Destination Address, 16 octets               |
 */
import type { IpDatagram } from './ip.ts'
import { networkControl } from './ipv4.ts'

export const ipv6HeaderLength = 40

/**
 * Extension headers are not walked: the kernel takes them off before a raw socket sees the payload.
 * Octets after the payload length are padding and are cut. Undefined when the length does not fit the bytes.
 */
export function decodeIpv6(bytes: Uint8Array): IpDatagram | undefined {
  if (bytes.length < ipv6HeaderLength || bytes[0]! >> 4 !== 6) return undefined
  const end = ipv6HeaderLength + ((bytes[4]! << 8) | bytes[5]!)
  if (end > bytes.length) return undefined
  return {
    source: bytes.subarray(8, 24),
    destination: bytes.subarray(24, 40),
    ttl: bytes[7]!,
    protocol: bytes[6]!,
    payload: bytes.subarray(ipv6HeaderLength, end),
  }
}

export function encodeIpv6(datagram: IpDatagram): Uint8Array {
  const { length } = datagram.payload
  const bytes = new Uint8Array(ipv6HeaderLength + length)
  bytes[0] = 0x60 | (networkControl >> 4)
  bytes[1] = (networkControl & 0x0f) << 4
  bytes[4] = length >> 8
  bytes[5] = length & 0xff
  bytes[6] = datagram.protocol
  bytes[7] = datagram.ttl
  bytes.set(datagram.source, 8)
  bytes.set(datagram.destination, 24)
  bytes.set(datagram.payload, ipv6HeaderLength)
  return bytes
}
