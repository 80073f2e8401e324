/**
 * Takes over a few hundred times on no network before the first real one, so that the code of a take-over is compiled
 * and in memory when it counts: cold, it costs some 3 ms more, a tenth of an outage at 10 ms advertisements.
 */
import { turn } from './perform.ts'
import type { VrrpPorts } from './ports.ts'
import { createEngine, type Input } from './vrrp/engine.ts'
import type { VirtualRouter } from './vrrp/router.ts'
import type { Instant } from './vrrp/time.ts'
import { encodeGratuitousArp } from './wire/arp.ts'
import { encodeIpv4 } from './wire/ipv4.ts'
import { encodeAddAddress } from './wire/rtnetlink.ts'
import { encodeAdvertisement, vrrpMulticastGroup, vrrpProtocol } from './wire/vrrp.ts'

const rounds = 300

export function rehearse(router: VirtualRouter): void {
  const source = Uint8Array.of(192, 0, 2, 1)
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
      for (const { address } of announcements) encodeGratuitousArp({ mac: new Uint8Array(6), address })
    },
    publish: () => {},
  }
  const engine = createEngine({ routers: [router] })
  const status = { up: true, addresses: [{ address: source, prefixLength: 24 }] }
  queue = [{ kind: 'interface', interface: router.interface, status }]
  for (let round = 0; round < rounds; round += 1) {
    turn(engine, ports)
    // Every fourth time a rival outranks us, so that the way back is rehearsed too.
    now = engine.nextDeadline() ?? now
    if (round % 4 === 3) queue.push({ kind: 'datagram', interface: router.interface, bytes: rival })
  }
}

/** An advertisement that outranks everybody, from a documentation address. */
function encodeRival({ vrid, advertisementInterval, addresses }: VirtualRouter): Uint8Array {
  const envelope = { source: Uint8Array.of(192, 0, 2, 2), destination: vrrpMulticastGroup }
  const fields = {
    vrid,
    priority: 255,
    maxAdvertiseInterval: advertisementInterval,
    addresses: addresses.map(({ address }) => address),
  }
  return encodeIpv4({
    ...envelope,
    ttl: 255,
    protocol: vrrpProtocol,
    payload: encodeAdvertisement(fields, envelope, 'rfc9568'),
  })
}
