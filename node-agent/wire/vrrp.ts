/**
 * The VRRP advertisement: version 3 over IPv4 and IPv6 (RFC 9568 §5.1), and version 2 (RFC 3768 §5.1), whose fourth
 * octet and trailer still carry the authentication of RFC 2338.
 *
 *    0                   1                   2                   3
 *   |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
 *   |Reserve|  Max Advertise Interval |          Checksum           |   version 3, centiseconds
 *   |   Auth Type   |   Adver Int     |          Checksum           |   version 2, seconds
 *   |                       IPvX Address(es)                        |
 *   |                Authentication Data, 8 octets                  |   version 2
 */
import type { Address, Family } from './address.ts'
import { internetChecksum, onesComplementSum, pseudoHeaderSum } from './checksum.ts'

export const vrrpProtocol = 112
export const vrrpMulticastGroup: Address = Uint8Array.of(224, 0, 0, 18)
/** ff02::12 */
export const vrrpMulticastGroupIpv6: Address = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12)
export const advertisementType = 1
export const headerLength = 8
export const authenticationLength = 8

/** RFC 2338 §5.3.6. Type 2, its authentication header, is not spoken. */
export const authenticationTypes = { none: 0, password: 1 } as const

export function multicastGroupOf(family: Family): Address {
  return family === 'ipv4' ? vrrpMulticastGroup : vrrpMulticastGroupIpv6
}

/**
 * How the checksum of version 3 over IPv4 is made: over the message alone, or with RFC 5798's pseudo-header before
 * it (keepalived's and FRR's default). Version 2 never has one, IPv6 always.
 */
export type ChecksumForm = 'rfc9568' | 'rfc5798'

/** The source and destination of the IP datagram around a message. */
export type Envelope = { readonly source: Address; readonly destination: Address }

type Fields = {
  readonly vrid: number
  readonly priority: number
  /** In centiseconds: 12 bits of them in version 3; whole seconds, 8 bits of them, in version 2. */
  readonly maxAdvertiseInterval: number
  readonly addresses: readonly Address[]
}

export type Advertisement =
  | (Fields & { readonly version: 3 })
  /** `password`: eight octets, in clear. Null: no authentication. */
  | (Fields & { readonly version: 2; readonly password: Uint8Array | null })

/** `form` matters to version 3 over IPv4 only. */
export function encodeAdvertisement(advertisement: Advertisement, envelope: Envelope, form: ChecksumForm): Uint8Array {
  const { version, vrid, priority, maxAdvertiseInterval, addresses } = advertisement
  const size = envelope.source.length
  const bytes = new Uint8Array(messageLength(version, size, addresses.length))
  bytes[0] = (version << 4) | advertisementType
  bytes[1] = vrid
  bytes[2] = priority
  bytes[3] = addresses.length
  for (const [i, address] of addresses.entries()) bytes.set(address, headerLength + size * i)
  if (advertisement.version === 3) {
    bytes[4] = maxAdvertiseInterval >> 8
    bytes[5] = maxAdvertiseInterval & 0xff
  } else {
    bytes[4] = advertisement.password === null ? authenticationTypes.none : authenticationTypes.password
    bytes[5] = maxAdvertiseInterval / 100
    if (advertisement.password !== null) bytes.set(advertisement.password, bytes.length - authenticationLength)
  }
  const checksum = internetChecksum(bytes, sumBefore(bytes, envelope, form))
  bytes[6] = checksum >> 8
  bytes[7] = checksum & 0xff
  return bytes
}

/** How long a message is that has so many addresses of `size` octets. */
export function messageLength(version: number, size: number, addressCount: number): number {
  return headerLength + size * addressCount + (version === 2 ? authenticationLength : 0)
}

/** The fixed fields of a message, as they stand. Nothing is checked but that there are eight octets to read. */
export type Header = {
  readonly version: number
  readonly type: number
  readonly vrid: number
  readonly priority: number
  readonly addressCount: number
  /** In centiseconds in both versions; the four reserved bits before version 3's are ignored (§5.2.6). */
  readonly maxAdvertiseInterval: number
  /** Version 2's; zero in version 3. */
  readonly authenticationType: number
}

export function decodeHeader(message: Uint8Array): Header | undefined {
  if (message.length < headerLength) return undefined
  const version = message[0]! >> 4
  return {
    version,
    type: message[0]! & 0x0f,
    vrid: message[1]!,
    priority: message[2]!,
    addressCount: message[3]!,
    maxAdvertiseInterval: version === 2 ? message[5]! * 100 : ((message[4]! & 0x0f) << 8) | message[5]!,
    authenticationType: version === 2 ? message[4]! : 0,
  }
}

/** The address with this index behind the header, as a view. The caller has checked that the length fits the count. */
export function addressAt(message: Uint8Array, size: number, index: number): Address {
  return message.subarray(headerLength + size * index, headerLength + size * (index + 1))
}

/** The addresses behind the header, of `size` octets each. The caller has checked that the length fits the count. */
export function decodeAddresses(message: Uint8Array, addressCount: number, size = 4): Address[] {
  return Array.from({ length: addressCount }, (_, i) => new Uint8Array(addressAt(message, size, i)))
}

/** Version 2's last eight octets, as a view. The caller has checked the length. */
export function authenticationData(message: Uint8Array): Uint8Array {
  return message.subarray(message.length - authenticationLength)
}

/** Whether the checksum is right. 0x0000 and 0xffff both say zero (P-25), so the sum is verified, not compared. */
export function checksumHolds(message: Uint8Array, envelope: Envelope, form: ChecksumForm): boolean {
  return onesComplementSum(message, sumBefore(message, envelope, form)) === 0xffff
}

/** Which form of checksum a message carries; the first when it is right in both. Undefined when it is in neither. */
export function checksumForm(message: Uint8Array, envelope: Envelope): ChecksumForm | undefined {
  if (checksumHolds(message, envelope, 'rfc9568')) return 'rfc9568'
  return checksumHolds(message, envelope, 'rfc5798') ? 'rfc5798' : undefined
}

/** What is summed before the message: the pseudo-header, where there is one. */
function sumBefore(message: Uint8Array, { source, destination }: Envelope, form: ChecksumForm): number {
  const version = message[0]! >> 4
  const pseudoHeader = source.length === 16 || (version !== 2 && form === 'rfc5798')
  return pseudoHeader ? pseudoHeaderSum({ source, destination, protocol: vrrpProtocol, length: message.length }) : 0
}
