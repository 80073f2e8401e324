/** The packet filter of `accept: false`, as nft is told. What it does to packets is for the lab. */
import { expect, test } from 'vitest'
import { filtered, filterRules, filterTable } from '../../node-agent/accept-filter.ts'
import { read } from '../support/agent-config.ts'

const file = (accept: boolean) =>
  read(`
services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24, 10.77.0.51/24, "fd77::50/64"], accept: ${accept}}
  six: {interface: eth1, vrid: 51, addresses: ["fe80::51/64", "fd78::50/64"], accept: ${accept}}
  mac: {interface: eth1, vrid: 52, addresses: ["fe80::52/64"], virtualMac: true, accept: ${accept}}
  open: {interface: eth0, vrid: 53, addresses: [10.77.0.53/24]}
  api: {mode: solo}
`)

const noOwners = (table: string): string[] => [`add table arp ${table}`, `delete table arp ${table}`]

test('everything for the addresses is dropped, but neighbour discovery and what is one’s own', () => {
  const config = file(false)
  const table = filterTable(config)
  expect(table).toMatch(/^holdfast-[0-9a-f]{8}$/)
  const drops = [
    'ip daddr { 10.77.0.50, 10.77.0.51 } drop',
    'ip6 daddr { fd77::50 } drop',
    'ip6 daddr { fd78::50 } drop',
    'iifname "eth1" ip6 daddr { fe80::51 } drop',
    'ip6 daddr { fe80::52 } drop',
  ]
  expect(filterRules(config).trim().split(/\n */)).toEqual([
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    'chain input {',
    'type filter hook input priority -10; policy accept;',
    'iif lo accept',
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
    ...drops,
    '}',
    'chain forward {',
    'type filter hook forward priority -10; policy accept;',
    ...drops,
    '}',
    '}',
    ...noOwners(table),
  ])
  expect(filtered(config)).toEqual(['web', 'six', 'mac'].map((name) => `accept: false of ${name}`))
})

test('where everybody accepts, only what a killed agent left goes', () => {
  const table = filterTable(file(true))
  const gone = [`add table inet ${table}`, `delete table inet ${table}`, ...noOwners(table)]
  expect(filterRules(file(true)).trim().split('\n')).toEqual(gone)
  expect(filtered(file(true))).toEqual([])
})

test('an address owner with a virtual MAC address answers from that alone', () => {
  const config = read(`
services:
  web: {interface: eth0, vrid: 51, priority: 255, addresses: [10.77.0.50/24], virtualMac: true}
`)
  const rules = filterRules(config)
  expect(rules).toContain('iifname "eth0" arp operation request arp daddr ip 10.77.0.50 drop')
  expect(rules).toContain('oifname "eth0" arp saddr ip 10.77.0.50 arp saddr ether set 00:00:5e:00:01:33')
  expect(filtered(config)).toEqual(['virtualMac of web, an address owner'])
})

test('each agent of a machine has a table of its own', () => {
  expect(filterTable({ socket: '/run/a.sock' })).not.toBe(filterTable({ socket: '/run/b.sock' }))
})
