/** `services:` of the agent's configuration: virtual routers, and solo services that are active whenever healthy. */
import { z } from 'zod'
import { formatAddress, isLinkLocal } from '../wire/address.ts'
import { serviceCheckSchema } from './checks.ts'
import { onLostSchema } from './fields.ts'
import { type RouterService, routerSchema } from './router-service.ts'
import { spokenFamily } from './virtual-router.ts'

export type Service = RouterService | z.output<typeof soloSchema>

export function serviceSchema(interfaces: readonly string[] | undefined) {
  return z.discriminatedUnion('mode', [routerSchema(interfaces), soloSchema])
}

/** No VRRP. */
const soloSchema = z.strictObject({
  mode: z.literal('solo'),
  priority: z.int().min(1).max(254).default(100),
  checks: z.array(serviceCheckSchema).max(32).default([]),
  onLost: onLostSchema,
})

/**
 * Two services of one interface with one VRID are one virtual router, unless their families differ; two with one address
 * would fight, unless it is a link-local one on links of its own.
 */
export function refuseClashes(services: Readonly<Record<string, Service>>, context: z.RefinementCtx): void {
  const routers = new Map<string, string>()
  const addresses = new Map<string, string>()
  for (const [name, service] of Object.entries(services)) {
    if (service.mode === 'solo' || service.addresses.length === 0) continue
    const router = `${service.interface} ${service.vrid} ${spokenFamily(service)}`
    const other = routers.get(router)
    if (other !== undefined) {
      const message = `is the vrid of ${other} already`
      const params = { hint: 'give each service of an interface its own vrid' }
      context.addIssue({ code: 'custom', path: [name, 'vrid'], message, params })
    }
    routers.set(router, name)
    for (const [i, { address }] of service.addresses.entries()) {
      const text = formatAddress(address)
      const place = isLinkLocal(address) ? `${text} ${service.interface}` : text
      const owner = addresses.get(place)
      if (owner !== undefined) {
        const message = `${text} is an address of ${owner} already`
        const params = { hint: 'leave it to one of them' }
        context.addIssue({ code: 'custom', path: [name, 'addresses', i], message, params })
      }
      addresses.set(place, name)
    }
  }
}
