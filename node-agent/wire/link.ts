/**
 * The rtnetlink messages about devices with a MAC address of their own on an interface: Linux calls them macvlan.
 *
 *   IFLA_LINK parent   IFLA_ADDRESS mac   IFLA_IFNAME name   IFLA_LINKINFO { kind "macvlan", data { mode private } }
 */
import {
  concatenate,
  decodeAttributes,
  encodeAttribute,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  viewOf,
} from './netlink.ts'
import { IFF_UP, IFLA_ADDRESS, IFLA_IFNAME, RTM_DELLINK, RTM_NEWLINK } from './rtnetlink.ts'

const NLM_F_EXCL = 0x200

const IFLA_LINK = 5
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_MACVLAN_MODE = 1

/** Nothing passes between devices of one parent, and frames from its own address are its own alone. */
const MACVLAN_MODE_PRIVATE = 1

/** What is on a parent interface and has a MAC address of its own. */
export type Macvlan = {
  readonly index: number
  readonly name: string
  readonly mac: Uint8Array
  /** The parent's index. */
  readonly parent: number
  readonly private: boolean
  /** Administratively, whatever its carrier. */
  readonly up: boolean
  /** What `ip link` shows as `alias`; empty when nobody has set it. */
  readonly alias: string
}

/** Makes the device, down. It fails where the name is taken. */
export function encodeCreateMacvlan(
  { name, mac, parent }: Pick<Macvlan, 'name' | 'mac' | 'parent'>,
  sequence: number,
): Uint8Array {
  const mode = encodeAttribute(IFLA_MACVLAN_MODE, u32(MACVLAN_MODE_PRIVATE))
  const info = [encodeAttribute(IFLA_INFO_KIND, text('macvlan')), encodeAttribute(IFLA_INFO_DATA, mode)]
  return encodeMessage({
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    sequence,
    payload: concatenate([
      linkHeader({}),
      encodeAttribute(IFLA_LINK, u32(parent)),
      encodeAttribute(IFLA_ADDRESS, mac),
      encodeAttribute(IFLA_IFNAME, text(`${name}\0`)),
      encodeAttribute(IFLA_LINKINFO, concatenate(info)),
    ]),
  })
}

/** Says whose it is; the kernel takes no alias when it makes a device. */
export function encodeAlias({ name, alias }: Pick<Macvlan, 'name' | 'alias'>, sequence: number): Uint8Array {
  const payload = [
    linkHeader({}),
    encodeAttribute(IFLA_IFNAME, text(`${name}\0`)),
    encodeAttribute(IFLA_IFALIAS, text(alias)),
  ]
  return encodeMessage({
    type: RTM_NEWLINK,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    sequence,
    payload: concatenate(payload),
  })
}

export function encodeSetUp(index: number, up: boolean, sequence: number): Uint8Array {
  const payload = linkHeader({ index, flags: up ? IFF_UP : 0, change: IFF_UP })
  return encodeMessage({ type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_ACK, sequence, payload })
}

/** Removes the device with all its addresses. */
export function encodeDeleteLink(index: number, sequence: number): Uint8Array {
  const payload = linkHeader({ index })
  return encodeMessage({ type: RTM_DELLINK, flags: NLM_F_REQUEST | NLM_F_ACK, sequence, payload })
}

/** Undefined for a link of any other kind. */
export function decodeMacvlan({ payload }: NetlinkMessage): Macvlan | undefined {
  if (payload.length < linkHeaderLength) return undefined
  const attributes = decodeAttributes(payload, linkHeaderLength)
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array(0), 0)
  if (textOf(info.get(IFLA_INFO_KIND)) !== 'macvlan') return undefined
  const data = decodeAttributes(info.get(IFLA_INFO_DATA) ?? new Uint8Array(0), 0)
  return {
    index: viewOf(payload).getInt32(4, true),
    up: (viewOf(payload).getUint32(8, true) & IFF_UP) !== 0,
    name: textOf(attributes.get(IFLA_IFNAME)),
    mac: attributes.get(IFLA_ADDRESS) ?? new Uint8Array(6),
    parent: numberOf(attributes.get(IFLA_LINK)),
    private: numberOf(data.get(IFLA_MACVLAN_MODE)) === MACVLAN_MODE_PRIVATE,
    alias: textOf(attributes.get(IFLA_IFALIAS)),
  }
}

const linkHeaderLength = 16

/** `struct ifinfomsg { u8 family, pad; u16 type; i32 index; u32 flags, change; }` */
function linkHeader({ index = 0, flags = 0, change = 0 }): Uint8Array {
  const header = new Uint8Array(linkHeaderLength)
  const view = new DataView(header.buffer)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return header
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function numberOf(bytes: Uint8Array | undefined): number {
  return bytes === undefined || bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0, true)
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder().decode(bytes).replace(/\0.*$/s, '')
}
