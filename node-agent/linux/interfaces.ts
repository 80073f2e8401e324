/**
 * The machine's interfaces and their addresses of both families: listed once, then kept true by rtnetlink's events.
 *
 * Where the kernel dropped events, all is listed again, and what disappeared meanwhile is found by comparing.
 */
import { type Address, sameAddress } from '../wire/address.ts'
import type { NetlinkMessage } from '../wire/netlink.ts'
import {
  decodeAddress,
  decodeLink,
  encodeDump,
  type InterfaceAddress,
  type KnownAddress,
  type Link,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV6_IFADDR,
  RTMGRP_LINK,
} from '../wire/rtnetlink.ts'
import { type NetlinkSocket, openNetlinkSocket } from './netlink-socket.ts'

export type Interface = Link & { readonly addresses: readonly KnownAddress[] }

export type InterfaceChange =
  | { readonly kind: 'interface'; readonly name: string }
  | { readonly kind: 'address-removed'; readonly name: string; readonly address: Address }

export type Interfaces = {
  /** Readable when something changed. */
  readonly fd: number
  readonly get: (name: string) => Interface | undefined
  readonly names: () => string[]
  /** What changed since the last call. */
  readonly drain: () => InterfaceChange[]
  readonly close: () => void
}

/** Watches before it lists, so that nothing can slip between. */
export function watchInterfaces(request: NetlinkSocket): Interfaces {
  const events = openNetlinkSocket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
  let table = list(request)
  return {
    fd: events.fd,
    get(name) {
      for (const known of table.values()) if (known.name === name) return known
      return undefined
    },
    names: () => [...table.values()].map(({ name }) => name),
    drain() {
      const messages = events.drain()
      if (messages !== undefined) return messages.flatMap((message) => apply(table, message))
      const before = table
      table = list(request)
      return differences(before, table)
    },
    close: () => events.close(),
  }
}

function list(request: NetlinkSocket): Map<number, Interface> {
  const table = new Map<number, Interface>()
  for (const message of request.dump((sequence) => encodeDump(RTM_GETLINK, sequence))) apply(table, message)
  for (const message of request.dump((sequence) => encodeDump(RTM_GETADDR, sequence))) apply(table, message)
  return table
}

function apply(table: Map<number, Interface>, message: NetlinkMessage): InterfaceChange[] {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = decodeLink(message)
      return link === undefined ? [] : applyLink(table, link, message.type === RTM_DELLINK)
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(message)
      return address === undefined ? [] : applyAddress(table, address, message.type === RTM_DELADDR)
    }
    default:
      return []
  }
}

function applyLink(table: Map<number, Interface>, link: Link, gone: boolean): InterfaceChange[] {
  const before = table.get(link.index)
  if (gone) table.delete(link.index)
  else table.set(link.index, { ...link, addresses: before?.addresses ?? [] })
  const names = new Set([link.name, ...(before === undefined ? [] : [before.name])])
  return [...names].map((name) => ({ kind: 'interface', name }))
}

function applyAddress(
  table: Map<number, Interface>,
  { index, address, prefixLength, ready }: InterfaceAddress & KnownAddress,
  gone: boolean,
): InterfaceChange[] {
  const known = table.get(index)
  if (known === undefined) return []
  const change: InterfaceChange = { kind: 'interface', name: known.name }
  const at = known.addresses.findIndex((other) => sameAddress(other.address, address))
  const now = { address, prefixLength, ready }
  if (gone) {
    if (at >= 0) table.set(index, { ...known, addresses: known.addresses.toSpliced(at, 1) })
    return [{ kind: 'address-removed', name: known.name, address }, change]
  }
  // A repeated RTM_NEWADDR must not move an address to the end: the first one is the primary.
  const addresses = at >= 0 ? known.addresses.with(at, now) : [...known.addresses, now]
  table.set(index, { ...known, addresses })
  return at >= 0 && known.addresses[at]!.ready === ready ? [] : [change]
}

function differences(before: Map<number, Interface>, now: Map<number, Interface>): InterfaceChange[] {
  const removed = [...before].flatMap(([index, { name, addresses }]) => {
    const left = now.get(index)?.addresses ?? []
    return addresses
      .filter(({ address }) => !left.some((other) => sameAddress(other.address, address)))
      .map(({ address }): InterfaceChange => ({ kind: 'address-removed', name, address }))
  })
  const names = new Set([...before.values(), ...now.values()].map(({ name }) => name))
  return [...removed, ...[...names].map((name): InterfaceChange => ({ kind: 'interface', name }))]
}
