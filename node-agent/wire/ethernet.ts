/** The Ethernet header, and the MAC addresses of multicast groups (RFC 1112 §6.4, RFC 2464 §7). */
import type { Address } from './address.ts'

export const etherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const

export const ethernetHeaderLength = 14

export type EthernetHeader = {
  readonly destination: Uint8Array
  readonly source: Uint8Array
  readonly type: number
}

export function encodeEthernet({ destination, source, type }: EthernetHeader): Uint8Array {
  const bytes = new Uint8Array(ethernetHeaderLength)
  bytes.set(destination, 0)
  bytes.set(source, 6)
  bytes[12] = type >> 8
  bytes[13] = type & 0xff
  return bytes
}

/** Where frames to a multicast group of either family go. */
export function groupMac(group: Address): Uint8Array {
  return group.length === 4
    ? Uint8Array.of(0x01, 0x00, 0x5e, group[1]! & 0x7f, group[2]!, group[3]!)
    : Uint8Array.of(0x33, 0x33, ...group.subarray(12))
}
