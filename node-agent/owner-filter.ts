/**
 * An address owner with a virtual MAC address: its interface has the very address that the device answers for, so the
 * interface would answer too, and ask in its name, from its own MAC address. Pure: the commands for nft.
 *
 *   ARP in,  by the interface: who asks for the address is not answered here, the device hears it as well
 *   ARP out, by the interface: what says the address says the virtual MAC address with it
 */
import type { VirtualRouter } from './vrrp/router.ts'
import { familyOf, formatAddress, formatMac, virtualMacOf } from './wire/address.ts'

/** To be done in one transaction with the agent's other table, whose name it may have: an arp table is another one. */
export function ownerRules(table: string, routers: readonly VirtualRouter[]): string[] {
  // To delete what is not there is an error, and to add what is there is none.
  const replace = [`add table arp ${table}`, `delete table arp ${table}`]
  const owned = routers
    .filter(({ priority, virtualMac }) => priority === 255 && virtualMac)
    .flatMap(({ interface: name, family, vrid, addresses }) =>
      addresses
        .filter(({ address }) => familyOf(address) === 'ipv4')
        .map(({ address }) => ({ name, address: formatAddress(address), mac: formatMac(virtualMacOf(family, vrid)) })),
    )
  if (owned.length === 0) return replace
  return [
    ...replace,
    `table arp ${table} {`,
    '  chain input {',
    '    type filter hook input priority 0; policy accept;',
    ...owned.map(({ name, address }) => `    iifname "${name}" arp operation request arp daddr ip ${address} drop`),
    '  }',
    '  chain output {',
    '    type filter hook output priority 0; policy accept;',
    ...owned.map(
      ({ name, address, mac }) => `    oifname "${name}" arp saddr ip ${address} arp saddr ether set ${mac}`,
    ),
    '  }',
    '}',
  ]
}
