import { expect, test } from 'vitest'
import { rehearse } from '../../node-agent/rehearsal.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import { address, virtualRouter } from '../support/routers.ts'
import { vipsOf } from '../support/vrrp.ts'

const six = {
  family: 'ipv6',
  addresses: vipsOf.ipv6.map((vip) => ({ address: address(vip), prefixLength: 64 })),
} as const

function unicast(source: string | null, peer: string): Pick<VirtualRouter, 'transport'> {
  const peers = [address(peer)]
  return {
    transport: { kind: 'unicast', source: source === null ? null : address(source), peers, ttl: 255, minTtl: 255 },
  }
}

test.each<readonly [string, Partial<VirtualRouter>]>([
  ['version 3', {}],
  ['version 2 with a password', { version: 2, password: new Uint8Array(8).fill(0x61) }],
  ['IPv6', six],
  ['a rider of the other family', { riders: six.addresses }],
  ['unicast', unicast(null, '198.51.100.7')],
  ['unicast from a configured source', unicast('198.51.100.6', '198.51.100.7')],
  ['unicast over global IPv6', { ...six, ...unicast(null, '2001:db8:1::7') }],
  ['no preemption', { preemptMode: false }],
])('a rehearsal takes over and steps back many times: %s', (_, changes) => {
  expect(rehearse(virtualRouter(changes))).toBeGreaterThan(100)
})
