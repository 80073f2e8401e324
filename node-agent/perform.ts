/**
 * One turn of the real-time process, and how its outputs become calls on ports.
 *
 *   drain ──▶ handle, handle, … ──▶ tick ──▶ perform ──▶ publish
 *
 * All that was received is handled before any timer expires. Outputs of all routers that are due together leave in
 * three sweeps: every advertisement, then every address in one batch, then every gratuitous ARP. Each router's own
 * order (advertisement, addresses, announcement: F-33) is kept by that.
 */
import type { AddressChange, FromVrrp, VrrpPorts } from './ports.ts'
import type { Engine } from './vrrp/engine.ts'
import type { Output } from './vrrp/slot.ts'
import type { Instant } from './vrrp/time.ts'
import { formatAddress } from './wire/address.ts'
import { encodeIpv4 } from './wire/ipv4.ts'
import { encodeAdvertisement, vrrpMulticastGroup, vrrpProtocol } from './wire/vrrp.ts'

export function turn(engine: Engine, ports: VrrpPorts): void {
  for (const input of ports.drain()) engine.handle(input, ports.now())
  engine.tick(ports.now())
  const outputs = engine.takeOutputs()
  if (outputs.length > 0) perform(outputs, engine, ports)
}

function perform(outputs: readonly Output[], engine: Engine, ports: VrrpPorts): void {
  for (const output of outputs) if (output.kind === 'send-advertisement') sendAdvertisement(output, ports)
  const changes = outputs.flatMap(addressChanges)
  if (changes.length > 0) ports.changeAddresses(changes)
  for (const output of outputs) if (output.kind === 'announce-addresses') announce(output, ports)

  // People and control hear of it when the LAN has moved.
  const at = ports.now()
  const news = outputs.flatMap((output) => describe(output, outputs, at))
  for (const message of news) ports.publish(message)
  if (news.length > 0 || outputs.some(({ kind }) => kind === 'priority' || kind === 'standing')) {
    ports.publish({ kind: 'status', id: null, services: engine.services(), discards: engine.discards() })
  }
}

function sendAdvertisement({ router, priority }: Output & { kind: 'send-advertisement' }, ports: VrrpPorts): void {
  const envelope = { source: router.primaryAddress, destination: vrrpMulticastGroup }
  const message = encodeAdvertisement(
    {
      vrid: router.vrid,
      priority,
      maxAdvertiseInterval: router.advertisementInterval,
      addresses: router.addresses.map(({ address }) => address),
    },
    envelope,
    router.checksum,
  )
  ports.sendAdvertisement(
    router.interface,
    encodeIpv4({ ...envelope, ttl: 255, protocol: vrrpProtocol, payload: message }),
  )
}

function addressChanges(output: Output): AddressChange[] {
  if (output.kind !== 'install-addresses' && output.kind !== 'remove-addresses') return []
  const kind = output.kind === 'install-addresses' ? 'add' : 'delete'
  // An owner's addresses are the machine's own: they were there before us and stay.
  if (output.router.priority === 255) return []
  return output.router.addresses.map((prefix) => ({ kind, interface: output.router.interface, prefix }))
}

function announce(
  { router }: Output & { kind: 'announce-addresses' | 'install-addresses' | 'remove-addresses' },
  ports: VrrpPorts,
): void {
  for (const { address } of router.addresses) ports.announce(router.interface, address)
}

function describe(output: Output, all: readonly Output[], at: Instant): FromVrrp[] {
  switch (output.kind) {
    case 'transition':
      return [{ ...output, at }, ...(output.to === 'active' ? announcements(output.service, all, at) : [])]
    case 'answer':
      return [output]
    case 'odd':
      return [{ ...output, source: formatAddress(output.source) }]
    case 'late':
      return [{ kind: 'late', service: output.service, byMs: Math.round(output.byMicroseconds / 1000) }]
    default:
      return []
  }
}

/** Only the first announcement of a stay in Active is news. */
function announcements(service: string, all: readonly Output[], at: Instant): FromVrrp[] {
  return all.flatMap((output) =>
    output.kind === 'announce-addresses' && output.router.name === service
      ? [{ kind: 'announced' as const, service, addresses: output.router.addresses.length, at }]
      : [],
  )
}
