/**
 * One turn of the real-time process, and how its outputs become calls on ports.
 *
 *   drain ──▶ handle, handle, … ──▶ tick ──▶ perform ──▶ publish
 *
 * All that was received is handled before any timer expires. Outputs of all routers that are due together leave in
 * three sweeps: every advertisement, then every address in one batch, then every announcement. Each router's own
 * order (advertisement, addresses, announcement: F-33) is kept by that.
 */
import type { AddressChange, Announcement, FromVrrp, VrrpPorts } from './ports.ts'
import { datagramsOf, type Outgoing, placeOf } from './vrrp/datagrams.ts'
import type { Engine } from './vrrp/engine.ts'
import { allAddresses } from './vrrp/router.ts'
import type { Output } from './vrrp/slot.ts'
import type { Instant } from './vrrp/time.ts'
import { formatAddress } from './wire/address.ts'

export function turn(engine: Engine, ports: VrrpPorts): void {
  for (const input of ports.drain()) engine.handle(input, ports.now())
  engine.tick(ports.now())
  const outputs = engine.takeOutputs()
  if (outputs.length > 0) perform(outputs, engine, ports)
}

function perform(outputs: readonly Output[], engine: Engine, ports: VrrpPorts): void {
  const outgoing: Outgoing[] = []
  const changes: AddressChange[] = []
  const announcements: Announcement[] = []
  let isNews = false
  for (const output of outputs) {
    switch (output.kind) {
      case 'send-advertisement':
        outgoing.push(...datagramsOf(output.router, output.priority))
        break
      case 'install-addresses':
      case 'remove-addresses':
        changes.push(...addressChanges(output))
        break
      case 'announce-addresses':
        announcements.push(...announcementsOf(output))
        break
      default:
        isNews = true
    }
  }
  if (outgoing.length > 0) ports.sendAdvertisements(outgoing)
  if (changes.length > 0) ports.changeAddresses(changes)
  if (announcements.length > 0) ports.announce(announcements)
  // People and control hear of it when the LAN has moved.
  if (isNews) publish(outputs, engine, ports)
}

type Addressed = Output & { kind: 'install-addresses' | 'remove-addresses' | 'announce-addresses' }

function addressChanges({ kind, router, only = allAddresses(router) }: Addressed): AddressChange[] {
  // An owner's addresses are the machine's own: they were there before us and stay. On a device with the virtual
  // router's MAC address they come and go all the same.
  if (router.priority === 255 && !router.virtualMac) return []
  const place = placeOf(router)
  const change = kind === 'install-addresses' ? 'add' : 'delete'
  return only.map((prefix) => ({ ...place, kind: change, prefix }))
}

function announcementsOf({ router, only = allAddresses(router) }: Addressed): Announcement[] {
  const place = placeOf(router)
  return only.map(({ address }) => ({ ...place, address }))
}

function publish(outputs: readonly Output[], engine: Engine, ports: VrrpPorts): void {
  const at = ports.now()
  const announced = announcedIn(outputs)
  for (const output of outputs) for (const message of describe(output, announced, at)) ports.publish(message)
  // Only of those that have changed: hundreds of others would be repeated hundreds of times in a mass take-over.
  const changed = new Set(outputs.flatMap((output) => ('service' in output ? [output.service] : [])))
  ports.publish({ kind: 'status', id: null, services: engine.services(changed), discards: engine.discards() })
}

/** How many addresses of each service hosts were told of. */
function announcedIn(outputs: readonly Output[]): ReadonlyMap<string, number> {
  const announced = new Map<string, number>()
  for (const output of outputs)
    if (output.kind === 'announce-addresses') announced.set(output.router.name, allAddresses(output.router).length)
  return announced
}

function describe(output: Output, announced: ReadonlyMap<string, number>, at: Instant): FromVrrp[] {
  switch (output.kind) {
    case 'transition': {
      // Only the first announcement of a stay in Active is news.
      const addresses = output.to === 'active' ? announced.get(output.service) : undefined
      const news: FromVrrp[] = [{ ...output, at }]
      if (addresses !== undefined) news.push({ kind: 'announced', service: output.service, addresses, at })
      return news
    }
    case 'answer':
      return [output]
    case 'restored':
      return [{ ...output, address: formatAddress(output.address) }]
    case 'odd':
      return [{ ...output, source: formatAddress(output.source) }]
    case 'late':
      return [{ kind: 'late', service: output.service, byMs: Math.round(output.byMicroseconds / 1000) }]
    default:
      return []
  }
}
