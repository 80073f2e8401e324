/** The world of the cloudflare-load-balancer adapter: a load balancer and pools of the strict Cloudflare. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createCloudflareLoadBalancer } from '../../../adapters/cloudflare-load-balancer/adapter.ts'
import { cloudflareLoadBalancerSchema } from '../../../adapters/cloudflare-load-balancer/schema.ts'
import { type Cloudflare, type CloudflareOptions, createCloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import type { LoadBalancer } from '../../../infra/lab/clouds/cloudflare-lb-rules.ts'
import type { Place, World } from '../adapter-cases.ts'
import { accountId, faults, zoneId } from '../cloudflare-dns/worlds.ts'
import { createManualTimers } from '../manual-timers.ts'

export const names = { service: 'web', binding: 'lb' }
export const loadBalancerId = '699d98642c564d2e855e9661899b7252'
/** `apology` is no node's, and enabled; `unused` is no node's, and is not. */
export const pool = {
  n1: '17b5962d775c646f3f9725cbc7a53df4',
  n2: '9290f38c5d07c2e2f4df57b1f61d4196',
  apology: '00920f38ce07c2e2f4df50b1f61d4194',
  unused: 'f2ae3ba51f27b6ac8bd6f41ecf23ab91',
} as const

export type Mode = 'enabled' | 'order'

export function adapterAt(endpoint: string, by: Mode, more: object = {}, callTimeoutMs?: number): Adapter {
  const token = { env: 'CLOUDFLARE_TOKEN_UNDER_TEST' }
  const given = { accountId, zoneId, loadBalancerId, by, token, endpoint, ...more }
  const config = cloudflareLoadBalancerSchema.config.parse(given)
  const input = { ...names, config, targets: { n1: { pool: pool.n1 }, n2: { pool: pool.n2 } } }
  return createCloudflareLoadBalancer(input, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

/** Three origins of different weights, which nobody but their owner may touch. */
const origins = [
  { name: 'a', address: '192.0.2.10', enabled: true, weight: 0.5 },
  { name: 'b', address: '192.0.2.11', enabled: true, weight: 0.25 },
  { name: 'c', address: '192.0.2.12', enabled: false, weight: 0.25 },
]

export type WorldOptions = Pick<CloudflareOptions, 'clock' | 'tokens' | 'limit'> & {
  readonly by: Mode
  readonly balancer?: Partial<LoadBalancer>
  readonly callTimeoutMs?: number
}

export async function loadBalancerWorld({ by, balancer, callTimeoutMs, ...more }: WorldOptions): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly cloudflare: Cloudflare
}> {
  const timers = createManualTimers()
  // It begins at no node.
  const order = by === 'enabled' ? [pool.n1, pool.n2] : [pool.unused]
  const balancers = [{ id: loadBalancerId, default_pools: order, fallback_pool: pool.apology, ...balancer }]
  const cloudflare = await createCloudflare({
    accountId,
    zones: [{ id: zoneId, name: 'example.com', loadBalancers: balancers }],
    pools: Object.entries(pool).map(([name, id]) => ({
      id,
      name: `pool-${name}`,
      origins,
      enabled: name !== 'unused',
    })),
    timers,
    ...more,
  })
  const actionOf = { observe: 'GET load_balancers', apply: by === 'enabled' ? 'PATCH pool' : 'PATCH load_balancers' }
  const hung = () => cloudflare.requests.filter(({ outcome }) => outcome.includes('not answered')).length
  let hangs = 0
  const world: World = {
    owner: async () => ownerAt(cloudflare, by),
    setOutOfBand: async (place) => (by === 'enabled' ? enable(cloudflare, place) : putInOrder(cloudflare, place)),
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      cloudflare.faults.add({ ...faults[fault], action: actionOf[action], next: 1 })
    },
    lag: (what, ms) => {
      cloudflare.faults.clear()
      if (what === 'late-write') cloudflare.faults.add({ kind: what, action: actionOf.apply, ms })
      if (what === 'stale-reads') cloudflare.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(hung()).toBe(hangs)),
    unreachable: async () => {
      const gone = await createCloudflare({ accountId, zones: [] })
      await gone.close()
      return adapterAt(gone.endpoint, by)
    },
    secrets: [labToken.value, 'Bearer'],
    end: () => cloudflare.close(),
  }
  return { adapter: adapterAt(cloudflare.endpoint, by, {}, callTimeoutMs), world, cloudflare }
}

export function balancerOf(cloudflare: Cloudflare): LoadBalancer {
  return cloudflare.state().zones[0]!.loadBalancers[0]!
}

export function enabledAt(cloudflare: Cloudflare): readonly string[] {
  return cloudflare
    .state()
    .pools.filter(({ enabled }) => enabled)
    .map(({ id }) => id)
}

function ownerAt(cloudflare: Cloudflare, by: Mode): Place {
  const enabled = enabledAt(cloudflare)
  const nodes = (['n1', 'n2'] as const).filter((node) => enabled.includes(pool[node]))
  if (by === 'enabled' && nodes.length > 1) return 'foreign'
  const first = balancerOf(cloudflare).default_pools.find((id) => enabled.includes(id))
  if (first === undefined) return null
  return (['n1', 'n2'] as const).find((node) => pool[node] === first) ?? 'foreign'
}

/** Foreign: both are enabled, so that Cloudflare may choose. */
function enable(cloudflare: Cloudflare, place: Place): void {
  const wanted = place === 'foreign' ? [pool.n1, pool.n2] : place === null ? [] : [pool[place]]
  const isNodes = (id: string) => id === pool.n1 || id === pool.n2
  cloudflare.change((state) => ({
    ...state,
    pools: state.pools.map((each) =>
      isNodes(each.id) ? { ...each, enabled: wanted.includes(each.id as never) } : each,
    ),
  }))
}

/** Foreign: a pool that is no node's comes first. Nothing: the only pool there is disabled. */
function putInOrder(cloudflare: Cloudflare, place: Place): void {
  const orders = {
    n1: [pool.n1, pool.n2],
    n2: [pool.n2, pool.n1],
    foreign: [pool.apology, pool.n1, pool.n2],
    nothing: [pool.unused],
  }
  setBalancer(cloudflare, { default_pools: orders[place ?? 'nothing'] })
}

/** Somebody else changes the load balancer. */
export function setBalancer(cloudflare: Cloudflare, change: Partial<LoadBalancer>): void {
  cloudflare.change((state) => ({
    ...state,
    zones: state.zones.map((zone) => ({
      ...zone,
      loadBalancers: zone.loadBalancers.map((each) => ({ ...each, ...change })),
    })),
  }))
}
