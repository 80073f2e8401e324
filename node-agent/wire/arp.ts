/**
 * Gratuitous ARP (RFC 826, RFC 9568 §6.4.2 with errata 7947 and 7949), as a whole Ethernet frame.
 *
 * A request whose sender and target protocol address are both the announced one; the target hardware address
 * repeats the sender's. Hosts rewrite an entry they have, switches learn the port.
 */
import type { Address } from './address.ts'
import { encodeEthernet, ethernetHeaderLength, etherType } from './ethernet.ts'

const broadcast = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff)

export function encodeGratuitousArp({
  mac,
  address,
}: {
  readonly mac: Uint8Array
  readonly address: Address
}): Uint8Array {
  const frame = new Uint8Array(42)
  frame.set(encodeEthernet({ destination: broadcast, source: mac, type: etherType.arp }), 0)
  // Hardware Ethernet, protocol IPv4, lengths 6 and 4, operation request.
  frame.set([0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01], ethernetHeaderLength)
  frame.set(mac, 22)
  frame.set(address, 28)
  frame.set(mac, 32)
  frame.set(address, 38)
  return frame
}
