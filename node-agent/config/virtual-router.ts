/** A service that speaks VRRP, as the VRRP process runs it: every default is settled, and units are types. */
import type { Transport, VirtualRouter } from '../vrrp/router.ts'
import { type Centiseconds, type Microseconds, milliseconds } from '../vrrp/time.ts'
import { type Family, familyOf, isLinkLocal, type Prefix } from '../wire/address.ts'
import type { RouterService } from './router-service.ts'

/** What version 2 has room for (RFC 2338 §5.3.6.1). */
export const passwordOctets = 8

export function toRouter(name: string, service: RouterService): VirtualRouter {
  const { preempt, interval, announce, authentication } = service
  const family = spokenFamily(service)
  return {
    name,
    interface: service.interface,
    family,
    version: service.version,
    vrid: service.vrid,
    priority: service.priority,
    ...split(service.addresses, family),
    checksum: service.checksum ?? 'rfc9568',
    acceptChecksum: service.acceptChecksum ?? 'auto',
    profile: service.profile,
    password: authentication === undefined ? null : passwordField(authentication.password),
    transport: transportOf(service),
    virtualMac: service.virtualMac,
    startDelay: milliseconds(service.startDelay),
    downMultiplier: service.down,
    resign: service.resign,
    preemptMode: preempt !== false,
    preemptDelay: typeof preempt === 'object' ? milliseconds(preempt.delay) : (0 as Microseconds),
    advertisementInterval: Math.round(interval / 10) as Centiseconds,
    announce: { repeat: announce.repeat, again: milliseconds(announce.again), refresh: milliseconds(announce.refresh) },
  }
}

/** The family of the first address speaks VRRP. */
export function spokenFamily({ addresses }: Pick<RouterService, 'addresses'>): Family {
  return familyOf(addresses[0]!.address)
}

/** RFC 9568 §5.2.9: of IPv6, a link-local address is the first that is advertised, wherever it was written. */
function split(all: readonly Prefix[], family: Family): Pick<VirtualRouter, 'addresses' | 'riders'> {
  const spoken = all.filter(({ address }) => familyOf(address) === family)
  const first = family === 'ipv6' ? spoken.find(({ address }) => isLinkLocal(address)) : undefined
  return {
    addresses: first === undefined ? spoken : [first, ...spoken.filter((prefix) => prefix !== first)],
    riders: all.filter(({ address }) => familyOf(address) !== family),
  }
}

function transportOf({ unicast }: RouterService): Transport {
  if (unicast === undefined) return { kind: 'multicast' }
  const { source = null, peers, ttl, minTtl } = unicast
  return { kind: 'unicast', source, peers, ttl, minTtl }
}

/** The first eight octets, filled up with zeros: as keepalived reads it. */
function passwordField(password: string): Uint8Array {
  const field = new Uint8Array(passwordOctets)
  field.set(new TextEncoder().encode(password).subarray(0, passwordOctets))
  return field
}
