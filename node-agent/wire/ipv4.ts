/**
 * The IPv4 header (RFC 791), as far as a raw socket needs it.
 *
 *    0                   1                   2                   3
 *   |Version|  IHL  |      TOS      |          Total Length         |
 *   |         Identification        |Flags|      Fragment Offset    |
 *   |      TTL      |    Protocol   |         Header Checksum       |
 *   |                         Source Address                        |
 *   |                      Destination Address                      |
 *   |                    Options, up to 40 octets                   |
 */
import { internetChecksum } from './checksum.ts'
import type { IpDatagram } from './ip.ts'

const minimumHeader = 20

/** Network control (RFC 2474 class selector 6): what routers customarily mark VRRP with (P-09). */
export const networkControl = 0xc0

/**
 * Not checked: the header checksum (the kernel did), options (skipped), fragments (the kernel reassembled them).
 * Octets after the total length are padding and are cut. Undefined when a length does not fit the bytes.
 */
export function decodeIpv4(bytes: Uint8Array): IpDatagram | undefined {
  if (bytes.length < minimumHeader || bytes[0]! >> 4 !== 4) return undefined
  const headerLength = (bytes[0]! & 0x0f) * 4
  const totalLength = (bytes[2]! << 8) | bytes[3]!
  if (headerLength < minimumHeader || totalLength < headerLength || totalLength > bytes.length) return undefined
  return {
    source: bytes.subarray(12, 16),
    destination: bytes.subarray(16, 20),
    ttl: bytes[8]!,
    protocol: bytes[9]!,
    payload: bytes.subarray(headerLength, totalLength),
  }
}

/** A datagram with a 20-octet header. Identification stays zero: the kernel fills it in on a raw socket. */
export function encodeIpv4(datagram: IpDatagram): Uint8Array {
  const bytes = new Uint8Array(minimumHeader + datagram.payload.length)
  bytes[0] = 0x45
  bytes[1] = networkControl
  bytes[2] = bytes.length >> 8
  bytes[3] = bytes.length & 0xff
  bytes[8] = datagram.ttl
  bytes[9] = datagram.protocol
  bytes.set(datagram.source, 12)
  bytes.set(datagram.destination, 16)
  const checksum = internetChecksum(bytes.subarray(0, minimumHeader))
  bytes[10] = checksum >> 8
  bytes[11] = checksum & 0xff
  bytes.set(datagram.payload, minimumHeader)
  return bytes
}
