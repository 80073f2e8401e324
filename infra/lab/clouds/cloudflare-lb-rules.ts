/**
 * What Cloudflare does with load balancers and pools, by its rules: functions of the state.
 *
 * A PATCH changes the fields that it has and no others; a list in it, as the origins of a pool, replaces the whole list.
 * Nothing is ever refused for being late: there is no precondition.
 */
import { z } from 'zod'
import { type Refusal, refusal } from './cloudflare-wire.ts'

export type Origin = {
  readonly name: string
  readonly address: string
  readonly enabled: boolean
  readonly weight: number
}

export type Pool = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly enabled: boolean
  /** Only while it is disabled. */
  readonly disabled_at?: string
  readonly minimum_origins: number
  readonly monitor?: string
  readonly origins: readonly Origin[]
  readonly created_on: string
  readonly modified_on: string
}

export type LoadBalancer = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly enabled: boolean
  readonly proxied: boolean
  readonly ttl?: number
  /** In the order in which they are tried. */
  readonly default_pools: readonly string[]
  /** Where traffic goes when no other pool takes it, healthy or not. */
  readonly fallback_pool: string
  readonly region_pools: Readonly<Record<string, readonly string[]>>
  readonly country_pools: Readonly<Record<string, readonly string[]>>
  readonly pop_pools: Readonly<Record<string, readonly string[]>>
  readonly rules: readonly { readonly name: string; readonly condition: string }[]
  readonly pool_sets?: readonly { readonly name: string; readonly disabled?: boolean }[]
  readonly steering_policy: SteeringPolicy
  readonly session_affinity: 'none' | 'cookie' | 'ip_cookie' | 'header'
  readonly created_on: string
  readonly modified_on: string
}

const steeringPolicies = [
  ...(['off', 'geo', 'random', 'dynamic_latency', 'proximity'] as const),
  ...(['least_outstanding_requests', 'least_connections', ''] as const),
] as const
type SteeringPolicy = (typeof steeringPolicies)[number]

const originSchema = z.strictObject({
  name: z.string().min(1),
  address: z.string().min(1),
  enabled: z.boolean().default(true),
  weight: z.number().min(0).max(1).default(1),
})

const poolPatchSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .optional(),
  description: z.string().optional(),
  enabled: z.boolean().optional(),
  minimum_origins: z.int().min(1).optional(),
  monitor: z.string().optional(),
  origins: z.array(originSchema).min(1).optional(),
})

const id = z.string().regex(/^[0-9a-f]{32}$/)
const loadBalancerPatchSchema = z.strictObject({
  description: z.string().optional(),
  enabled: z.boolean().optional(),
  default_pools: z.array(id).min(1).optional(),
  fallback_pool: id.optional(),
  steering_policy: z.enum(steeringPolicies).optional(),
  session_affinity: z.enum(['none', 'cookie', 'ip_cookie', 'header']).optional(),
})

const validation = (error: z.ZodError): Refusal => refusal(1002, z.prettifyError(error))

export function patchPool(pool: Pool, body: unknown, now: Date): Pool | Refusal {
  const parsed = poolPatchSchema.safeParse(body)
  if (!parsed.success) return validation(parsed.error)
  const { disabled_at, ...rest } = pool
  const enabled = parsed.data.enabled ?? pool.enabled
  const at = now.toISOString()
  return {
    ...rest,
    ...given(parsed.data),
    ...(enabled ? {} : { disabled_at: disabled_at ?? at }),
    modified_on: at,
  }
}

/** `pools`: those of the account. */
export function patchLoadBalancer(
  balancer: LoadBalancer,
  body: unknown,
  { pools, now }: { readonly pools: readonly Pool[]; readonly now: Date },
): LoadBalancer | Refusal {
  const parsed = loadBalancerPatchSchema.safeParse(body)
  if (!parsed.success) return validation(parsed.error)
  const { default_pools: order = [], fallback_pool: fallback } = parsed.data
  if (new Set(order).size < order.length) return refusal(1002, 'default_pools: a pool may stand there once')
  const unknown = [...order, ...(fallback === undefined ? [] : [fallback])].find(
    (each) => !pools.some((pool) => pool.id === each),
  )
  if (unknown !== undefined) return refusal(1002, `there is no pool ${unknown}`)
  return { ...balancer, ...given(parsed.data), modified_on: now.toISOString() }
}

function given(patch: object): object {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}
