/** The rtnetlink messages Holdfast sends and hears (rtnetlink(7)): links, and addresses to add, delete, list and watch. */
import type { Address, Prefix } from './address.ts'
import {
  concatenate,
  decodeAttributes,
  encodeAttribute,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
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

const AF_INET = 2
const IFF_UP = 0x1
const IFF_RUNNING = 0x40
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFA_ADDRESS = 1
const IFA_LOCAL = 2

export type Link = {
  readonly index: number
  readonly name: string
  readonly mac: Uint8Array
  /** Administratively up and with a carrier. */
  readonly up: boolean
}

/** An address that an interface has. */
export type InterfaceAddress = Prefix & { readonly index: number }

/** `struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index; }` and the address twice, as `ip addr` does. */
function addressPayload({ address, prefixLength, index }: InterfaceAddress): Uint8Array {
  const header = new Uint8Array(8)
  header[0] = AF_INET
  header[1] = prefixLength
  new DataView(header.buffer).setUint32(4, index, true)
  return concatenate([header, encodeAttribute(IFA_LOCAL, address), encodeAttribute(IFA_ADDRESS, address)])
}

/** Adds, or does nothing when it is there. */
export function encodeAddAddress(address: InterfaceAddress, sequence: number): Uint8Array {
  const flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
  return encodeMessage({ type: RTM_NEWADDR, flags, sequence, payload: addressPayload(address) })
}

export function encodeDeleteAddress(address: InterfaceAddress, sequence: number): Uint8Array {
  return encodeMessage({
    type: RTM_DELADDR,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    sequence,
    payload: addressPayload(address),
  })
}

/** Asks for all links (RTM_GETLINK) or all IPv4 addresses (RTM_GETADDR). */
export function encodeDump(type: typeof RTM_GETLINK | typeof RTM_GETADDR, sequence: number): Uint8Array {
  const payload = new Uint8Array(type === RTM_GETLINK ? 16 : 8)
  if (type === RTM_GETADDR) payload[0] = AF_INET
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence, payload })
}

/** `struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags, change; }` */
export function decodeLink({ payload }: NetlinkMessage): Link | undefined {
  if (payload.length < 16) return undefined
  const view = viewOf(payload)
  const attributes = decodeAttributes(payload, 16)
  const flags = view.getUint32(8, true)
  return {
    index: view.getInt32(4, true),
    name: cString(attributes.get(IFLA_IFNAME)),
    mac: attributes.get(IFLA_ADDRESS) ?? new Uint8Array(6),
    up: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
  }
}

export function decodeAddress({ payload }: NetlinkMessage): InterfaceAddress | undefined {
  if (payload.length < 8) return undefined
  const attributes = decodeAttributes(payload, 8)
  // On a point-to-point link IFA_ADDRESS is the peer; IFA_LOCAL is ours.
  const address: Address | undefined = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
  if (address === undefined) return undefined
  return { address, prefixLength: payload[1]!, index: viewOf(payload).getUint32(4, true) }
}

function cString(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return ''
  const end = bytes.indexOf(0)
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)))
}
