/**
 * What the keys of one VRRP service refuse of each other: each by its place, and with what to write instead.
 *
 * | key            | is not for                                             |
 * |----------------|--------------------------------------------------------|
 * | version: 2     | IPv6                                                   |
 * | checksum       | version 2, IPv6: each has one form only                |
 * | authentication | version 3                                              |
 * | virtualMac     | unicast, addresses of both families                    |
 * | preempt, accept, checks, onLost, split | an address owner               |
 */
import type { z } from 'zod'
import {
  type Address,
  type Family,
  familyOf,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  sameAddress,
} from '../wire/address.ts'
import type { RouterKeys } from './router-service.ts'

type Refuse = (path: readonly (string | number)[], message: string, hint: string) => void

const names: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' }

export function refuseCombinations(service: RouterKeys, context: z.RefinementCtx): void {
  const refuse: Refuse = (path, message, hint) =>
    context.addIssue({ code: 'custom', path: [...path], message, params: { hint } })
  const [first] = service.addresses
  // That there is none is said by the schema already, which goes on looking.
  if (first === undefined) return
  const family = familyOf(first.address)
  refuseAddresses(service, family, refuse)
  refuseInterval(service, refuse)
  refuseVersion(service, family, refuse)
  refuseVirtualMac(service, family, refuse)
  refuseUnicast(service, family, refuse)
  if (service.priority === 255) refuseForOwner(service, refuse)
}

/** As many as an advertisement has room for: its count is an octet, and a packet of 1500 octets is never cut up. */
const mostAddresses: Readonly<Record<Family, number>> = { ipv4: 255, ipv6: 90 }

function refuseAddresses({ addresses, vrid }: RouterKeys, family: Family, refuse: Refuse): void {
  const spoken = addresses.filter(({ address }) => familyOf(address) === family)
  const most = mostAddresses[family]
  if (spoken.length > most) {
    const message = `has ${spoken.length} ${names[family]} addresses, and an advertisement has room for ${most}`
    refuse(['addresses'], message, 'move the rest to another service with a vrid of its own')
  }
  if (family === 'ipv4' || spoken.some(({ address }) => isLinkLocal(address))) return
  // One that we made up would be no one's choice, and has to be the same on every node.
  const written = addresses.slice(0, 3).map((prefix) => `"${formatPrefix(prefix)}"`)
  const list = [`"fe80::${vrid}/64"`, ...written, ...(addresses.length > 3 ? ['…'] : [])].join(', ')
  refuse(
    ['addresses'],
    'needs a link-local address: IPv6 routers advertise one first (RFC 9568 §5.2.9)',
    `write the same on all nodes, such as addresses: [${list}]`,
  )
}

function refuseInterval({ interval, version }: RouterKeys, refuse: Refuse): void {
  if (version === 2 && interval % 1_000 !== 0)
    refuse(['interval'], 'must be whole seconds in version 2', 'write 1s to 255s, or version: 3 on all nodes')
  if (version === 3 && interval > 40_950)
    refuse(['interval'], 'must be 10ms..40.95s in version 3', 'write at most 40.95s, the most that it can say')
  if (version === 3 && interval % 10 !== 0)
    refuse(['interval'], 'must be whole hundredths of a second', 'write 10ms, 20ms, …')
}

function refuseVersion(service: RouterKeys, family: Family, refuse: Refuse): void {
  const { version, authentication } = service
  if (version === 2 && family === 'ipv6')
    refuse(['version'], '2 speaks IPv4 only', 'write version: 3, or put an IPv4 address first and IPv6 rides along')
  if (version === 3 && authentication !== undefined) {
    const hint = 'leave it out; or write version: 2, where it keeps out a slip in configuration and no attacker'
    refuse(['authentication'], 'is not in version 3', hint)
  }
  for (const key of ['checksum', 'acceptChecksum'] as const) {
    if (service[key] === undefined) continue
    if (version === 2) refuse([key], 'is for version 3 only', 'leave it out: version 2 has one form')
    else if (family === 'ipv6') refuse([key], 'is for IPv4 only', 'leave it out: IPv6 has one form')
  }
}

function refuseVirtualMac(service: RouterKeys, family: Family, refuse: Refuse): void {
  const { virtualMac, unicast, addresses, interface: name, vrid, priority } = service
  if (!virtualMac) return
  if (priority === 255 && family === 'ipv6') {
    const message = 'is not for an IPv6 address owner: its interface would answer beside the virtual MAC address'
    refuse(['virtualMac'], message, 'leave it out, or give it a priority of 1..254')
  }
  if (unicast !== undefined) {
    const hint = 'leave one of them out: peers find unicast advertisements by IP address, not by a MAC address'
    refuse(['virtualMac'], 'is not for unicast', hint)
  }
  const rider = addresses.findIndex(({ address }) => familyOf(address) !== family)
  if (rider === -1) return
  const { address } = addresses[rider]!
  const text = `"${formatPrefix(addresses[rider]!)}"`
  const own = familyOf(address) === 'ipv6' && !isLinkLocal(address) ? `"fe80::${vrid}/64", ${text}` : text
  const keys = `{interface: ${name}, vrid: ${vrid}, addresses: [${own}], virtualMac: true}`
  refuse(
    ['addresses', rider],
    `${formatAddress(address)} can’t ride along with virtualMac: each family has a MAC address of its own`,
    `give it a service of its own, which may have the same vrid: ${keys}`,
  )
}

function refuseUnicast({ unicast, addresses }: RouterKeys, family: Family, refuse: Refuse): void {
  if (unicast === undefined) return
  const { source, peers } = unicast
  const isVirtual = (address: Address): boolean => addresses.some((virtual) => sameAddress(virtual.address, address))
  const refuseOne = (path: readonly (string | number)[], address: Address): void => {
    const text = formatAddress(address)
    const own = 'write an address that stays on its node whatever is active'
    if (familyOf(address) !== family) {
      const message = `${text} is not ${names[family]}, and the first of addresses is`
      refuse(path, message, `write ${names[family]} addresses, or put another address first`)
    } else if (isVirtual(address)) refuse(path, `${text} is an address of the service itself`, own)
  }
  if (source !== undefined) refuseOne(['unicast', 'source'], source)
  for (const [i, peer] of peers.entries()) {
    const path = ['unicast', 'peers', i]
    const text = formatAddress(peer)
    refuseOne(path, peer)
    if (source !== undefined && sameAddress(peer, source))
      refuse(path, `${text} is this node’s own source`, 'name the other nodes of the service only')
    if (peers.findIndex((other) => sameAddress(other, peer)) < i)
      refuse(path, `names ${text} a second time`, 'leave one of them out')
  }
}

/** The addresses of an address owner are the machine's own and stay on it, so it can't stand back for anybody. */
function refuseForOwner({ checks, onLost, split, preempt, accept }: RouterKeys, refuse: Refuse): void {
  const hint = 'its addresses stay on this machine whatever happens; give it a priority of 1..254, or leave this out'
  const meaningless = {
    checks: checks.length > 0,
    onLost: onLost !== 'hold',
    split: split !== 'keep',
    preempt: preempt !== true,
    accept: !accept,
  }
  for (const [key, isWritten] of Object.entries(meaningless)) {
    if (isWritten) refuse([key], 'is not for an address owner', hint)
  }
}
