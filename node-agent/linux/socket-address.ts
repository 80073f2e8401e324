/** The kernel's socket address structures, as bytes. */
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET } from './constants.ts'

/**
 * `struct sockaddr_in` or `sockaddr_in6`; the port has no meaning on a raw socket. The interface is the scope of a
 * link-local or multicast address; the kernel takes no notice of it with others.
 */
export function internetAddress(address: Uint8Array, interfaceIndex: number): Uint8Array {
  if (address.length === 16) return internetAddress6(address, interfaceIndex)
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setUint16(0, AF_INET, true)
  bytes.set(address, 4)
  return bytes
}

function internetAddress6(address: Uint8Array, interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(28)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_INET6, true)
  bytes.set(address, 8)
  view.setUint32(24, interfaceIndex, true)
  return bytes
}

/** The address in a `struct sockaddr_in6`. */
export const sockaddrIn6AddressAt = 8

/** `struct sockaddr_ll`: a whole frame leaves `interfaceIndex` as it is. */
export function linkLayerAddress(interfaceIndex: number, etherType: number): Uint8Array {
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, etherType, false)
  view.setInt32(4, interfaceIndex, true)
  bytes[11] = 6
  return bytes
}

/** `struct sockaddr_nl` of this socket, listening to `groups`. */
export function netlinkAddress(groups: number): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_NETLINK, true)
  view.setUint32(8, groups, true)
  return bytes
}

/** A C `int`, as socket options take it. */
export function int(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  return bytes
}

/** `struct ip_mreqn`: a multicast group on one interface. */
export function membership(group: Uint8Array, interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes.set(group, 0)
  new DataView(bytes.buffer).setInt32(8, interfaceIndex, true)
  return bytes
}

/** `struct ipv6_mreq`: the same of IPv6. */
export function membership6(group: Uint8Array, interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(20)
  bytes.set(group, 0)
  new DataView(bytes.buffer).setInt32(16, interfaceIndex, true)
  return bytes
}
