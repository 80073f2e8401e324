/** Whole advertisements, read back and made: `admit` only looks at what its rules name. */
import { familyOf, formatAddress } from '../../node-agent/wire/address.ts'
import { internetChecksum, pseudoHeaderSum } from '../../node-agent/wire/checksum.ts'
import { encodeIp, type IpDatagram } from '../../node-agent/wire/ip.ts'
import {
  type Advertisement,
  advertisementType,
  authenticationData,
  authenticationTypes,
  type ChecksumForm,
  decodeAddresses,
  decodeHeader,
  type Envelope,
  encodeAdvertisement,
  messageLength,
  multicastGroupOf,
  vrrpProtocol,
} from '../../node-agent/wire/vrrp.ts'
import { address } from './routers.ts'

/** Undefined when it is none, or not exactly one. Checksum, TTL and destination are not looked at. */
export function decodeAdvertisement({ source, payload }: IpDatagram): Advertisement | undefined {
  const header = decodeHeader(payload)
  if (header === undefined || header.type !== advertisementType) return undefined
  const { version, vrid, priority, addressCount, maxAdvertiseInterval, authenticationType } = header
  if (payload.length !== messageLength(version, source.length, addressCount)) return undefined
  const addresses = decodeAddresses(payload, addressCount, source.length)
  const fields = { vrid, priority, maxAdvertiseInterval, addresses }
  if (version === 3) return { ...fields, version }
  if (version !== 2 || source.length !== 4) return undefined
  if (authenticationType === authenticationTypes.none) return { ...fields, version, password: null }
  return { ...fields, version, password: new Uint8Array(authenticationData(payload)) }
}

/** What differs from an advertisement that every router of these tests admits. */
export type DatagramChanges = {
  readonly version?: 2 | 3
  readonly vrid?: number
  readonly priority?: number
  /** Centiseconds. */
  readonly interval?: number
  readonly addresses?: readonly string[]
  readonly password?: Uint8Array | null
  readonly source?: string
  readonly destination?: string
  readonly ttl?: number
  readonly form?: ChecksumForm
  /** Octets of the message, changed before its checksum is made right again. */
  readonly message?: Readonly<Record<number, number>>
}

/** A whole datagram, of the family that its source has. Default: VRID 51, priority 100, 1 s, from a neighbour to the group. */
export function datagramOf(changes: DatagramChanges = {}): Uint8Array {
  const { version = 3, vrid = 51, priority = 100, interval = 100, password = null, ttl = 255 } = changes
  const { form = 'rfc9568', source = '192.0.2.3' } = changes
  const family = familyOf(address(source))
  const addresses = (changes.addresses ?? vipsOf[family]).map(address)
  const destination = address(changes.destination ?? formatAddress(multicastGroupOf(family)))
  const envelope = { source: address(source), destination }
  const fields = { vrid, priority, maxAdvertiseInterval: interval, addresses }
  const payload = encodeAdvertisement(
    version === 2 ? { ...fields, version, password } : { ...fields, version },
    envelope,
    form,
  )
  for (const [at, octet] of Object.entries(changes.message ?? {})) payload[Number(at)] = octet
  repairChecksum(payload, envelope, form)
  return encodeIp({ ...envelope, ttl, protocol: vrrpProtocol, payload })
}

/** What the routers of these tests have; of IPv6 the first is link-local. */
export const vipsOf = { ipv4: ['192.0.2.100'], ipv6: ['fe80::100', '2001:db8::100'] } as const

/** Makes the checksum right for the message as it is, whatever version it says it has. */
export function repairChecksum(message: Uint8Array, { source, destination }: Envelope, form: ChecksumForm): void {
  if (message.length < 8) return
  message.set([0, 0], 6)
  const pseudo = source.length === 16 || (message[0]! >> 4 !== 2 && form === 'rfc5798')
  const before = pseudo ? pseudoHeaderSum({ source, destination, protocol: vrrpProtocol, length: message.length }) : 0
  const sum = internetChecksum(message, before)
  message.set([sum >> 8, sum & 0xff], 6)
}
