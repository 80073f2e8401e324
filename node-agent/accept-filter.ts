/**
 * `accept: false`: nobody is answered at the addresses, except whoever asks for their MAC addresses: pure.
 *
 *   a table of the agent's own ──▶ input:   neighbour discovery passes, everything else is dropped without a word
 *                             └──▶ forward: nothing for the addresses is passed on either (RFC 9568 §8.3.1)
 *
 * It holds whether the node is active or backup, so that no transition waits for it. ARP is below it, and what the
 * machine sends to itself never was on the LAN. With it go the rules of address owners with a virtual MAC address.
 */
import { createHash } from 'node:crypto'
import type { AgentConfig } from './config.ts'
import { ownerRules } from './owner-filter.ts'
import { allAddresses, type VirtualRouter } from './vrrp/router.ts'
import { familyOf, formatAddress, isLinkLocal } from './wire/address.ts'

/** One for each agent of a machine: no two listen on the same socket, and one that is started again finds its own. */
export function filterTable({ socket }: Pick<AgentConfig, 'socket'>): string {
  return `holdfast-${createHash('sha256').update(socket).digest('hex').slice(0, 8)}`
}

/** What nft is to do, in one transaction: the former table goes and the new one comes. */
export function filterRules(config: AgentConfig): string {
  const table = filterTable(config)
  // To delete what is not there is an error, and to add what is there is none.
  const replace = [`add table inet ${table}`, `delete table inet ${table}`]
  const owned = ownerRules(table, config.routers)
  const guarded = guardedRouters(config)
  if (guarded.length === 0) return `${[...replace, ...owned].join('\n')}\n`
  const tests = guarded.flatMap(testsOf)
  const drop = tests.map((test) => `    ${test} drop`)
  const lines = [
    ...replace,
    `table inet ${table} {`,
    '  chain input {',
    '    type filter hook input priority -10; policy accept;',
    '    iif lo accept',
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
    ...drop,
    '  }',
    '  chain forward {',
    '    type filter hook forward priority -10; policy accept;',
    ...drop,
    '  }',
    '}',
    ...owned,
  ]
  return `${lines.join('\n')}\n`
}

/** What it is for, in the words of the configuration; nothing where it is not needed. */
export function filtered(config: AgentConfig): string[] {
  const owners = config.routers.filter(({ priority, virtualMac }) => priority === 255 && virtualMac)
  return [
    ...guardedRouters(config).map(({ name }) => `accept: false of ${name}`),
    ...owners.map(({ name }) => `virtualMac of ${name}, an address owner`),
  ]
}

function guardedRouters({ routers, services }: AgentConfig): VirtualRouter[] {
  const guarded = new Set(services.flatMap(({ name, accept }) => (accept ? [] : [name])))
  return routers.filter(({ name }) => guarded.has(name))
}

function testsOf(router: VirtualRouter): string[] {
  const addresses = allAddresses(router).map(({ address }) => address)
  const set = (list: typeof addresses): string => `{ ${list.map(formatAddress).join(', ')} }`
  const ipv4 = addresses.filter((address) => familyOf(address) === 'ipv4')
  const ipv6 = addresses.filter((address) => familyOf(address) === 'ipv6' && !isLinkLocal(address))
  const local = addresses.filter(isLinkLocal)
  // Another link of this machine may have the same one. A virtual router's own device has no name that is known here.
  const link = router.virtualMac ? '' : `iifname "${router.interface}" `
  return [
    ...(ipv4.length === 0 ? [] : [`ip daddr ${set(ipv4)}`]),
    ...(ipv6.length === 0 ? [] : [`ip6 daddr ${set(ipv6)}`]),
    ...(local.length === 0 ? [] : [`${link}ip6 daddr ${set(local)}`]),
  ]
}
