/** Whole advertisements read back: what tests want, where `admit` only looks at what its rules name. */
import type { IpDatagram } from '../../node-agent/wire/ip.ts'
import {
  type Advertisement,
  advertisementType,
  authenticationData,
  authenticationTypes,
  decodeAddresses,
  decodeHeader,
  messageLength,
} from '../../node-agent/wire/vrrp.ts'

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
