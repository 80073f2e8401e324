/**
 * The unsolicited neighbour advertisement (RFC 4861 §4.4, RFC 9568 §6.4.2), as a whole Ethernet frame.
 *
 *   Ethernet, IPv6 to ff02::1 with hop limit 255, and
 *    0                   1                   2                   3
 *   |   Type 136    |    Code 0     |          Checksum             |
 *   |R|S|O|                     Reserved                            |
 *   |                 Target Address, 16 octets                     |
 *   |  Option 2     |   Length 1    |  Target Link-Layer Address    |
 */
import type { Address } from './address.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import { encodeEthernet, ethernetHeaderLength, etherType, groupMac } from './ethernet.ts'

const allNodes: Address = Uint8Array.of(0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
const icmpv6 = 58
const ipv6HeaderLength = 40
const messageLength = 32

/** Router and override: hosts that know the address rewrite their entry, and go on taking it for a router. */
const routerAndOverride = 0xa0

export function encodeUnsolicitedAdvertisement({
  mac,
  address,
}: {
  readonly mac: Uint8Array
  readonly address: Address
}): Uint8Array {
  const frame = new Uint8Array(ethernetHeaderLength + ipv6HeaderLength + messageLength)
  frame.set(encodeEthernet({ destination: groupMac(allNodes), source: mac, type: etherType.ipv6 }), 0)
  const header = frame.subarray(ethernetHeaderLength)
  header[0] = 0x60
  header[5] = messageLength
  header[6] = icmpv6
  header[7] = 255
  header.set(address, 8)
  header.set(allNodes, 24)
  const message = header.subarray(ipv6HeaderLength)
  message[0] = 136
  message[4] = routerAndOverride
  message.set(address, 8)
  message[24] = 2
  message[25] = 1
  message.set(mac, 26)
  const envelope = { source: address, destination: allNodes, protocol: icmpv6, length: messageLength }
  const checksum = internetChecksum(message, pseudoHeaderSum(envelope))
  message[2] = checksum >> 8
  message[3] = checksum & 0xff
  return frame
}
