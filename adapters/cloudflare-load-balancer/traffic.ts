/**
 * Where a load balancer sends its traffic, as far as its configuration says: to the first of its default pools that is
 * enabled. Whether Cloudflare finds that one healthy is not looked at, since no health of Cloudflare's decides who owns.
 *
 *   by enabled   default_pools  n1 n2   enabled  –  n2     ▶ n2
 *                                       enabled  n1 n2     ▶ foreign: Cloudflare may choose between two nodes
 *   by order     default_pools  n2 n1   enabled  n1 n2     ▶ n2
 */
import { z } from 'zod'
import type { Observation, Raw } from '../adapter.ts'
import type { CloudflareLoadBalancerConfig, CloudflareLoadBalancerTarget } from './schema.ts'

/** What is used of a load balancer. Settings of which Cloudflare says nothing are as they are by default. */
export const loadBalancerSchema = z.object({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean().default(true),
  default_pools: z.array(z.string()),
  fallback_pool: z.string().nullish(),
  steering_policy: z.string().nullish(),
  session_affinity: z.string().nullish(),
  region_pools: z.record(z.string(), z.unknown()).nullish(),
  country_pools: z.record(z.string(), z.unknown()).nullish(),
  pop_pools: z.record(z.string(), z.unknown()).nullish(),
  rules: z.array(z.unknown()).nullish(),
  pool_sets: z.array(z.object({ disabled: z.boolean().optional() })).nullish(),
})
export type LoadBalancer = z.output<typeof loadBalancerSchema>

export const poolSchema = z.object({ id: z.string(), name: z.string(), enabled: z.boolean().default(true) })
export type Pool = z.output<typeof poolSchema>

const tokenSchema = z.strictObject({
  /** The load balancer's pools as they were, in order. */
  order: z.array(z.string()),
  /** Those of nodes that were enabled. */
  enabled: z.array(z.string()),
  /** Nodes to which nothing can be pointed until a person has acted, and why. */
  blocked: z.record(z.string(), z.string()),
})
export type Seen = z.output<typeof tokenSchema>

/** Null: nothing is known. */
export function parseToken(token: string | null): Seen | null {
  try {
    return token === null ? null : (tokenSchema.safeParse(JSON.parse(token)).data ?? null)
  } catch {
    return null
  }
}

export type About = {
  readonly config: Pick<CloudflareLoadBalancerConfig, 'by'>
  readonly targets: Readonly<Record<string, CloudflareLoadBalancerTarget>>
}

export type Found = { readonly balancer: LoadBalancer; readonly pools: readonly Pool[] }

export function observationOf(found: Found, about: About): Observation {
  const { balancer, pools } = found
  const ours = Object.entries(about.targets).map(([node, { pool }]) => ({ node, pool }))
  const isEnabled = (id: string): boolean => pools.some((pool) => pool.id === id && pool.enabled)
  const nameOf = (id: string): string => namedPool(id, found, about)
  const enabled = ours.filter(({ pool }) => isEnabled(pool))
  const blocked = Object.fromEntries(
    ours.flatMap(({ node, pool }) => {
      const why = blockOf(pool, found, about)
      return why === null ? [] : [[node, why] as const]
    }),
  )
  const seen: Seen = { order: [...balancer.default_pools], enabled: enabled.map(({ pool }) => pool).sort(), blocked }
  const raw: Raw = {
    loadBalancer: balancer.name,
    order: balancer.default_pools.map(nameOf).join(', ') || null,
    enabled: balancer.default_pools.filter(isEnabled).map(nameOf).join(', ') || null,
    fallback: balancer.fallback_pool ? nameOf(balancer.fallback_pool) : null,
  }
  const shared = { token: JSON.stringify(seen), raw }
  if (!balancer.enabled) return { kind: 'foreign', what: disabled(balancer), ...shared }
  const first = balancer.default_pools.find(isEnabled)
  if (about.config.by === 'enabled' && enabled.length > 1) {
    return { kind: 'foreign', what: `${enabled.map(({ pool }) => nameOf(pool)).join(' and ')} are enabled`, ...shared }
  }
  if (first === undefined) return { kind: 'none', ...shared }
  const owner = ours.find(({ pool }) => pool === first)
  return owner === undefined
    ? { kind: 'foreign', what: nameOf(first), ...shared }
    : { kind: 'node', node: owner.node, ...shared }
}

/** Why traffic cannot be sent to a pool by what this adapter changes; null when nothing stands in the way. */
export function blockOf(pool: string, found: Found, { config, targets }: About): string | null {
  const { balancer, pools } = found
  if (!balancer.enabled) return disabled(balancer)
  const state = pools.find(({ id }) => id === pool)
  if (state === undefined) return `the account has no pool ${pool}: correct the target`
  const named = namedPool(pool, found, { targets })
  if (config.by === 'order') return state.enabled ? null : `${named} is disabled: enable it, or use by: enabled`
  const place = balancer.default_pools.indexOf(pool)
  if (place < 0) return `${named} is none of the default pools of ${balancer.name}: add it there`
  const nodes = new Set(Object.values(targets).map((target) => target.pool))
  const stranger = balancer.default_pools
    .slice(0, place)
    .find((id) => !nodes.has(id) && pools.some((each) => each.id === id && each.enabled))
  if (stranger === undefined) return null
  return `${namedPool(stranger, found, { targets })} stands before ${named} and is no node's: put it behind`
}

function disabled({ name }: LoadBalancer): string {
  return `the load balancer ${name} is disabled: enable it`
}

/** `pool-a (n1)`. */
export function namedPool(id: string, { pools }: Pick<Found, 'pools'>, { targets }: Pick<About, 'targets'>): string {
  const name = pools.find((pool) => pool.id === id)?.name ?? id
  const owner = Object.entries(targets).find(([, { pool }]) => pool === id)?.[0]
  return owner === undefined ? `the pool ${name}` : `the pool ${name} (${owner})`
}
