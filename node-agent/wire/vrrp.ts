/**
 * The VRRPv3 advertisement (RFC 9568 §5.1), IPv4.
 *
 *    0                   1                   2                   3
 *   |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
 *   |Reserve|  Max Advertise Interval |          Checksum           |
 *   |                       IPvX Address(es)                        |
 */
import type { Address } from './address.ts'
import { internetChecksum, onesComplementSum, pseudoHeaderSum } from './checksum.ts'

export const vrrpProtocol = 112
export const vrrpMulticastGroup: Address = Uint8Array.of(224, 0, 0, 18)
export const advertisementType = 1
export const headerLength = 8

/** How the IPv4 checksum is made: over the message alone, or with RFC 5798's pseudo-header before it. */
export type ChecksumForm = 'rfc9568' | 'rfc5798'

/** The source and destination of the IP datagram around a message. */
export type Envelope = { readonly source: Address; readonly destination: Address }

export type Advertisement = {
  readonly vrid: number
  readonly priority: number
  /** In centiseconds, 12 bits. */
  readonly maxAdvertiseInterval: number
  readonly addresses: readonly Address[]
}

export function encodeAdvertisement(advertisement: Advertisement, envelope: Envelope, form: ChecksumForm): Uint8Array {
  const { vrid, priority, maxAdvertiseInterval, addresses } = advertisement
  const bytes = new Uint8Array(headerLength + 4 * addresses.length)
  bytes[0] = (3 << 4) | advertisementType
  bytes[1] = vrid
  bytes[2] = priority
  bytes[3] = addresses.length
  bytes[4] = maxAdvertiseInterval >> 8
  bytes[5] = maxAdvertiseInterval & 0xff
  for (const [i, address] of addresses.entries()) bytes.set(address, headerLength + 4 * i)
  const checksum = internetChecksum(bytes, form === 'rfc5798' ? pseudoHeader(bytes, envelope) : 0)
  bytes[6] = checksum >> 8
  bytes[7] = checksum & 0xff
  return bytes
}

/** The fixed fields of a message, as they stand. Nothing is checked but that there are eight octets to read. */
export type Header = {
  readonly version: number
  readonly type: number
  readonly vrid: number
  readonly priority: number
  readonly addressCount: number
  /** In centiseconds; the four reserved bits before it are ignored (§5.2.6). */
  readonly maxAdvertiseInterval: number
}

export function decodeHeader(message: Uint8Array): Header | undefined {
  if (message.length < headerLength) return undefined
  return {
    version: message[0]! >> 4,
    type: message[0]! & 0x0f,
    vrid: message[1]!,
    priority: message[2]!,
    addressCount: message[3]!,
    maxAdvertiseInterval: ((message[4]! & 0x0f) << 8) | message[5]!,
  }
}

/** The addresses behind the header. The caller has checked that the length fits the count. */
export function decodeAddresses(message: Uint8Array, addressCount: number): Address[] {
  return Array.from({ length: addressCount }, (_, i) => message.slice(headerLength + 4 * i, headerLength + 4 * (i + 1)))
}

/** Which form of checksum a message carries. A message may be right in one form only; undefined when in neither. */
export function checksumForm(message: Uint8Array, envelope: Envelope): ChecksumForm | undefined {
  if (onesComplementSum(message) === 0xffff) return 'rfc9568'
  if (onesComplementSum(message, pseudoHeader(message, envelope)) === 0xffff) return 'rfc5798'
  return undefined
}

function pseudoHeader(message: Uint8Array, { source, destination }: Envelope): number {
  return pseudoHeaderSum({ source, destination, protocol: vrrpProtocol, length: message.length })
}
