/** `services:` of the agent's configuration: virtual routers, and solo services that are active whenever healthy. */
import { z } from 'zod'
import { duration, notInThisVersion } from '../../control/config/config-file.ts'
import { formatAddress, type Prefix, parseIpv4 } from '../wire/address.ts'
import { serviceCheckSchema } from './checks.ts'
import { interfaceSchema } from './fields.ts'

export type Service = z.output<ReturnType<typeof serviceSchema>>
export type RouterService = Exclude<Service, { readonly mode: 'solo' }>

export function serviceSchema(interfaces: readonly string[] | undefined) {
  return z.discriminatedUnion('mode', [routerSchema(interfaces), soloSchema])
}

const onLostSchema = z.enum(['hold', 'release', 'failsafe']).default('hold')

/** No VRRP. */
const soloSchema = z.strictObject({
  mode: z.literal('solo'),
  priority: z.int().min(1).max(254).default(100),
  checks: z.array(serviceCheckSchema).max(32).default([]),
  onLost: onLostSchema,
})

function routerSchema(interfaces: readonly string[] | undefined) {
  return z
    .strictObject({
      mode: z.literal('vrrp').optional(),
      interface: interfaceSchema(interfaces),
      vrid: z.int().min(1).max(255).describe('a virtual router id, the same on all nodes of a service'),
      priority: z.int().min(1).max(255).default(100).describe('255 is the address owner'),
      addresses: z.array(addressSchema).min(1).max(255),
      interval: duration({ min: '10ms', max: '40.95s' })
        .refine((length) => length % 10 === 0, {
          message: 'must be whole hundredths of a second',
          params: { hint: 'write 10ms, 20ms, …' },
        })
        .default(1_000),
      version: z
        .literal(3)
        .or(notYet(2, 'VRRP version 2 is', 'write 3, and set version 3 on the other nodes'))
        .default(3),
      checksum: z.enum(['rfc9568', 'rfc5798']).default('rfc9568'),
      preempt: z.union([z.boolean(), z.strictObject({ delay: duration({ max: '1h' }) })]).default(true),
      announce: announceSchema.prefault({}),
      resign: z.enum(['handover', 'now']).default('handover'),
      accept: z
        .literal(true)
        .or(notYet(false, 'accept: false is', 'leave it out: the active node accepts packets'))
        .default(true),
      virtualMac: z
        .literal(false)
        .or(notYet(true, 'a virtual MAC is', 'leave it out: gratuitous ARP moves hosts'))
        .default(false),
      checks: z.array(serviceCheckSchema).max(32).default([]),
      onLost: onLostSchema,
      split: z.enum(['keep', 'yield']).default('keep'),
      unicast: notInThisVersion('unicast is', 'leave it out: advertisements go to 224.0.0.18'),
      authentication: notInThisVersion('authentication is', 'leave it out; VRRP version 3 has none'),
    })
    .superRefine(keepOwner)
    .transform(({ version: _, accept: __, virtualMac: ___, mode: ____, ...service }) => ({
      ...service,
      mode: 'vrrp' as const,
    }))
}

type OwnerKeys = { readonly priority: number; readonly [key: string]: unknown }

/** The addresses of an address owner are the machine's own and stay on it, so it can't stand back for anybody. */
function keepOwner({ priority, checks, onLost, split }: OwnerKeys, context: z.RefinementCtx): void {
  if (priority !== 255) return
  const hint = 'its addresses stay on this machine whatever happens; give it a priority of 1..254, or leave this out'
  const refuse = (key: string): void =>
    context.addIssue({ code: 'custom', path: [key], message: 'is not for an address owner', params: { hint } })
  if ((checks as readonly unknown[]).length > 0) refuse('checks')
  if (onLost !== 'hold') refuse('onLost')
  if (split !== 'keep') refuse('split')
}

const addressHint = 'write an IPv4 address with the length of its network, such as 10.77.0.50/24'

const addressSchema = z.string().transform((text, context): Prefix => {
  const problem = (message: string, hint: string): never => {
    context.issues.push({ code: 'custom', input: text, message, params: { hint } })
    return z.NEVER
  }
  if (text.includes(':')) return problem('IPv6 is not in this version', addressHint)
  const [address, length, ...rest] = text.split('/')
  const octets = parseIpv4(address ?? '')
  if (octets === undefined || rest.length > 0) return problem(`must be an address; got "${text}"`, addressHint)
  if (length === undefined || !/^\d{1,2}$/.test(length) || Number(length) < 1 || Number(length) > 32) {
    return problem(`needs a prefix length of 1..32; got "${text}"`, addressHint)
  }
  if (octets[0] === 0 || octets[0] === 127 || octets[0]! >= 224)
    return problem(`${address} is no address of a host`, addressHint)
  return { address: octets, prefixLength: Number(length) }
})

const announceSchema = z.strictObject({
  repeat: z.int().min(1).max(60).default(5),
  again: duration({ max: '1h' }).default(5_000),
  refresh: duration({ max: '24h' }).default(60_000),
})

function notYet(value: number | boolean, what: string, hint: string) {
  return z.literal(value).refine(() => false, { message: `${what} not in this version`, params: { hint } })
}

/** Two services of one interface with one VRID would be one virtual router; two with one address would fight. */
export function refuseClashes(services: Readonly<Record<string, Service>>, context: z.RefinementCtx): void {
  const routers = new Map<string, string>()
  const addresses = new Map<string, string>()
  for (const [name, service] of Object.entries(services)) {
    if (service.mode === 'solo') continue
    const router = `${service.interface} ${service.vrid}`
    const other = routers.get(router)
    if (other !== undefined) {
      const hint = 'give each service of an interface its own vrid'
      context.addIssue({
        code: 'custom',
        path: [name, 'vrid'],
        message: `is the vrid of ${other} already`,
        params: { hint },
      })
    }
    routers.set(router, name)
    for (const [i, { address }] of service.addresses.entries()) {
      const text = formatAddress(address)
      const owner = addresses.get(text)
      if (owner !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [name, 'addresses', i],
          message: `${text} is an address of ${owner} already`,
        })
      }
      addresses.set(text, name)
    }
  }
}
