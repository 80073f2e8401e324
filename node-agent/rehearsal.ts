/**
 * Takes over a few hundred times on no network before the first real one, so that the code of a take-over is compiled
 * and in memory when it counts: cold, it costs some 3 ms more, a tenth of an outage at 10 ms advertisements.
 */
import { turn } from './perform.ts'
import type { VrrpPorts } from './ports.ts'
import { datagramsOf } from './vrrp/datagrams.ts'
import { createEngine, type Input } from './vrrp/engine.ts'
import type { Transport, VirtualRouter } from './vrrp/router.ts'
import type { Instant } from './vrrp/time.ts'
import { type Address, type Family, familyOf, parseIpv6 } from './wire/address.ts'
import { encodeGratuitousArp } from './wire/arp.ts'
import { encodeUnsolicitedAdvertisement } from './wire/ndp.ts'
import { encodeAddAddress } from './wire/rtnetlink.ts'

const rounds = 300

/** Of the interface; a unicast router over IPv6 may want a global one. */
const ownAddresses: Record<Family, readonly Address[]> = {
  ipv4: [Uint8Array.of(192, 0, 2, 1)],
  ipv6: ['fe80::1', '2001:db8::1'].map((text) => parseIpv6(text)!),
}
const rivalAddress: Record<Family, Address> = { ipv4: Uint8Array.of(192, 0, 2, 2), ipv6: parseIpv6('fe80::2')! }

/** How often it took over or stepped back. */
export function rehearse(router: VirtualRouter): number {
  const rival = encodeRival(router)
  let now = 0 as Instant
  let queue: Input[] = []
  const ports: VrrpPorts = {
    now: () => now,
    drain: () => queue.splice(0),
    wait: () => {},
    sendAdvertisements: () => {},
    changeAddresses: (changes) => {
      for (const { prefix } of changes) encodeAddAddress({ ...prefix, index: 1 }, 1)
    },
    announce: (announcements) => {
      for (const { address } of announcements) {
        const told = { mac: new Uint8Array(6), address }
        if (familyOf(address) === 'ipv4') encodeGratuitousArp(told)
        else encodeUnsolicitedAdvertisement(told)
      }
    },
    publish: () => {},
  }
  const engine = createEngine({ routers: [router] })
  const addresses = addressesFor(router).map((address) => ({ address, prefixLength: 24 }))
  const status = { up: true, addresses }
  queue = [{ kind: 'interface', interface: router.interface, status }]
  for (let round = 0; round < rounds; round += 1) {
    turn(engine, ports)
    // Every fourth time a rival outranks us, so that the way back is rehearsed too.
    now = engine.nextDeadline() ?? now
    if (round % 4 === 3) queue.push({ kind: 'datagram', interface: router.interface, bytes: rival })
  }
  return engine.services()[router.name]!.transitions
}

function addressesFor({ transport, family }: VirtualRouter): Address[] {
  const configured = transport.kind === 'unicast' ? transport.source : null
  return configured === null ? [...ownAddresses[family]] : [configured, ...ownAddresses[family]]
}

/** An advertisement that outranks everybody, from a documentation address or a configured peer. */
function encodeRival(router: VirtualRouter): Uint8Array {
  const { transport, family } = router
  const [rival, reached]: [Address, Transport] =
    transport.kind === 'unicast'
      ? [transport.peers[0] ?? rivalAddress[family], { ...transport, peers: ownAddresses[family] }]
      : [rivalAddress[family], transport]
  const [outgoing] = datagramsOf({ ...router, transport: reached, primaryAddress: rival, yielding: false }, 255)
  return outgoing!.datagram
}
