/** The keys of a service that speaks VRRP. What they refuse of each other is in `combinations.ts`. */
import { z } from 'zod'
import { duration } from '../../control/config/config-file.ts'
import { hostSchema, prefixSchema } from './addresses.ts'
import { serviceCheckSchema } from './checks.ts'
import { refuseCombinations } from './combinations.ts'
import { interfaceSchema, onLostSchema } from './fields.ts'

/** What its keys say, before they are known to go together. */
export type RouterKeys = z.output<ReturnType<typeof keysSchema>>

export type RouterService = RouterKeys & { readonly mode: 'vrrp' }

const checksumForm = z.enum(['rfc9568', 'rfc5798'])

const unicastSchema = z.strictObject({
  source: hostSchema.optional(),
  peers: z.array(hostSchema).min(1).max(64),
  ttl: z.int().min(1).max(255).default(255),
  minTtl: z.int().min(1).max(255).default(255).describe('the least that is accepted from a peer'),
})

const authenticationSchema = z.strictObject({
  type: z
    .literal('pass')
    .or(
      refused('ah', {
        message: 'AH is not supported: RFC 3768 took it out of VRRP, and its HMAC-MD5 keeps out nobody on the LAN',
        hint: 'write type: pass on all nodes, or leave authentication out and keep strangers off the network',
      }),
    )
    .or(
      refused('hmac', {
        message: 'an HMAC trailer is not supported: it is a draft whose format still changes between releases',
        hint: 'take auth_hmac out on the keepalived nodes, and keep strangers off the network',
      }),
    ),
  password: z.string().min(1).max(255).meta({ secret: true }),
})

const announceSchema = z.strictObject({
  repeat: z.int().min(1).max(60).default(5),
  again: duration({ max: '1h' }).default(5_000),
  refresh: duration({ max: '24h' }).default(60_000),
})

export function routerSchema(interfaces: readonly string[] | undefined) {
  return keysSchema(interfaces)
    .superRefine(refuseCombinations)
    .transform((keys): RouterService => ({ ...keys, mode: 'vrrp' }))
}

function keysSchema(interfaces: readonly string[] | undefined) {
  return z.strictObject({
    mode: z.literal('vrrp').optional(),
    interface: interfaceSchema(interfaces),
    vrid: z.int().min(1).max(255).describe('a virtual router id, the same on all nodes of a service'),
    priority: z.int().min(1).max(255).default(100).describe('255 is the address owner'),
    addresses: z.array(prefixSchema).min(1).max(1_024),
    interval: duration({ min: '10ms', max: '255s' }).default(1_000),
    down: z.int().min(1).max(100).default(3).describe('so many silent intervals make the active node down'),
    version: z.literal(3).or(z.literal(2)).default(3),
    checksum: checksumForm.optional(),
    acceptChecksum: z.enum(['auto', ...checksumForm.options]).optional(),
    profile: z.enum(['interop', 'strict']).default('interop'),
    preempt: z.union([z.boolean(), z.strictObject({ delay: duration({ max: '1h' }) })]).default(true),
    startDelay: duration({ max: '1h' }).default(0),
    announce: announceSchema.prefault({}),
    resign: z.enum(['handover', 'now']).default('handover'),
    accept: z.boolean().default(true),
    virtualMac: z.boolean().default(false),
    unicast: unicastSchema.optional(),
    authentication: authenticationSchema.optional(),
    checks: z.array(serviceCheckSchema).max(32).default([]),
    onLost: onLostSchema,
    split: z.enum(['keep', 'yield']).default('keep'),
  })
}

function refused(value: string, { message, hint }: { readonly message: string; readonly hint: string }) {
  return z
    .literal(value)
    .refine(() => false, { message, params: { hint } })
    .meta({ refused: true })
}
