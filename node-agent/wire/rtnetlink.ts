/** The rtnetlink messages Holdfast sends and hears (rtnetlink(7)): links, and addresses to add, delete, list and watch. */
import { type Address, familyOf, type Prefix } from './address.ts'
import {
  concatenate,
  decodeAttributes,
  encodeAttribute,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  viewOf,
} from './netlink.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22

/** Multicast groups to watch, as bits of `sockaddr_nl.nl_groups`. */
export const RTMGRP_LINK = 0x01
export const RTMGRP_IPV4_IFADDR = 0x10
export const RTMGRP_IPV6_IFADDR = 0x100

const AF_UNSPEC = 0
const AF_INET = 2
const AF_INET6 = 10
export const IFF_UP = 0x1
const IFF_RUNNING = 0x40
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_NODAD = 0x02
const IFA_F_DADFAILED = 0x08
const IFA_F_TENTATIVE = 0x40
const IFA_F_NOPREFIXROUTE = 0x200

export type Link = {
  readonly index: number
  readonly name: string
  readonly mac: Uint8Array
  /** Administratively up and with a carrier. */
  readonly up: boolean
}

/** An address that an interface has. */
export type InterfaceAddress = Prefix & { readonly index: number }

/** One that the kernel tells of. Not `ready`: nobody may send from it before the link has been asked for duplicates. */
export type KnownAddress = Prefix & { readonly ready: boolean }

/** `struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index; }` and the address twice, as `ip addr` does. */
function addressPayload({ address, prefixLength, index }: InterfaceAddress, flags = 0): Uint8Array {
  const header = new Uint8Array(8)
  header[0] = familyOf(address) === 'ipv4' ? AF_INET : AF_INET6
  header[1] = prefixLength
  new DataView(header.buffer).setUint32(4, index, true)
  const parts = [header, encodeAttribute(IFA_LOCAL, address), encodeAttribute(IFA_ADDRESS, address)]
  return concatenate(flags === 0 ? parts : [...parts, encodeAttribute(IFA_FLAGS, uint32(flags))])
}

/**
 * Adds, or does nothing when it is there. An IPv6 address answers at once: VRRP has found out that nobody else has it,
 * and asking the link for duplicates would take a second. `prefixRoute`: with a route to its network.
 */
export function encodeAddAddress(
  address: InterfaceAddress,
  sequence: number,
  { prefixRoute = true }: { readonly prefixRoute?: boolean } = {},
): Uint8Array {
  const addressFlags =
    (familyOf(address.address) === 'ipv6' ? IFA_F_NODAD : 0) | (prefixRoute ? 0 : IFA_F_NOPREFIXROUTE)
  const flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
  return encodeMessage({ type: RTM_NEWADDR, flags, sequence, payload: addressPayload(address, addressFlags) })
}

export function encodeDeleteAddress(address: InterfaceAddress, sequence: number): Uint8Array {
  return encodeMessage({ type: RTM_DELADDR, flags: NLM_F_REQUEST, sequence, payload: addressPayload(address) })
}

/** Asks for all links (RTM_GETLINK) or all addresses (RTM_GETADDR). */
export function encodeDump(type: typeof RTM_GETLINK | typeof RTM_GETADDR, sequence: number): Uint8Array {
  const payload = new Uint8Array(type === RTM_GETLINK ? 16 : 8)
  payload[0] = AF_UNSPEC
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence, payload })
}

/** `struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags, change; }` */
export function decodeLink({ payload }: NetlinkMessage): Link | undefined {
  // A bridge tells of its ports in messages of its own family: one that it lost is still a link.
  if (payload.length < 16 || payload[0] !== AF_UNSPEC) return undefined
  const view = viewOf(payload)
  const attributes = decodeAttributes(payload, 16)
  // News of a radio come without a name, and say nothing that we want to know.
  if (!attributes.has(IFLA_IFNAME)) return undefined
  const flags = view.getUint32(8, true)
  return {
    index: view.getInt32(4, true),
    name: cString(attributes.get(IFLA_IFNAME)),
    mac: attributes.get(IFLA_ADDRESS) ?? new Uint8Array(6),
    up: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
  }
}

/** Undefined when it is of neither family. */
export function decodeAddress({ payload }: NetlinkMessage): (InterfaceAddress & KnownAddress) | undefined {
  if (payload.length < 8 || (payload[0] !== AF_INET && payload[0] !== AF_INET6)) return undefined
  const attributes = decodeAttributes(payload, 8)
  // On a point-to-point link IFA_ADDRESS is the peer; IFA_LOCAL is ours.
  const address: Address | undefined = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
  if (address === undefined) return undefined
  const flags = uint32From(attributes.get(IFA_FLAGS)) ?? payload[2]!
  return {
    address,
    prefixLength: payload[1]!,
    index: viewOf(payload).getUint32(4, true),
    ready: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0,
  }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function uint32From(bytes: Uint8Array | undefined): number | undefined {
  return bytes?.length === 4 ? viewOf(bytes).getUint32(0, true) : undefined
}

function cString(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return ''
  const end = bytes.indexOf(0)
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)))
}
