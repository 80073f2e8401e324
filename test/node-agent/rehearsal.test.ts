import { expect, test } from 'vitest'
import { rehearse } from '../../node-agent/rehearsal.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import { address, virtualRouter } from '../support/routers.ts'

const ipv6 = [
  { address: address('fe80::50'), prefixLength: 64 },
  { address: address('fd77::50'), prefixLength: 64 },
]
const peers = (source: string, peer: string): VirtualRouter['transport'] => ({
  kind: 'unicast',
  source: address(source),
  peers: [address(peer)],
  ttl: 255,
  minTtl: 255,
})

test.each<{ name: string; changes: Partial<VirtualRouter> }>([
  { name: 'IPv4', changes: {} },
  { name: 'an address owner', changes: { priority: 255 } },
  { name: 'version 2 with a password', changes: { version: 2, password: new Uint8Array(8) } },
  { name: 'IPv6 with a rider', changes: { family: 'ipv6', addresses: ipv6, riders: virtualRouter().addresses } },
  { name: 'peers', changes: { transport: peers('192.0.2.1', '192.0.2.2') } },
  { name: 'peers over IPv6', changes: { family: 'ipv6', addresses: ipv6, transport: peers('fe80::1', 'fe80::2') } },
  { name: 'a virtual MAC address', changes: { virtualMac: true } },
])('a take-over of every sort of router can be rehearsed: $name', ({ changes }) => {
  expect(() => rehearse(virtualRouter(changes))).not.toThrow()
})
