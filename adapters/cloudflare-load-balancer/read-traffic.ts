/** Reads a load balancer, and the pools of its account. */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import type { Binding, Client } from './adapter.ts'
import { type Found, type LoadBalancer, loadBalancerSchema, poolSchema } from './traffic.ts'

type Read<What> = { readonly kind: 'read'; readonly found: What } | Failure

/** Both at once, since a move waits for it. All pools of the account are one call, however many nodes there are. */
export async function readTraffic(binding: Binding, signal: AbortSignal): Promise<Read<Found>> {
  const { config, call } = binding
  const send = (client: Client) => client.loadBalancers.pools.list({ account_id: config.accountId })
  const [balancer, pools] = await Promise.all([
    readBalancer(binding, signal),
    call({ send, result: z.array(poolSchema) }, signal),
  ])
  if (balancer.kind !== 'read') return balancer
  if (pools.kind !== 'answered') return pools
  return { kind: 'read', found: { balancer: balancer.found, pools: pools.result } }
}

export async function readBalancer({ config, call }: Binding, signal: AbortSignal): Promise<Read<LoadBalancer>> {
  const send = (client: Client) => client.loadBalancers.get(config.loadBalancerId, { zone_id: config.zoneId })
  const called = await call({ send, result: loadBalancerSchema }, signal)
  return called.kind === 'answered' ? { kind: 'read', found: called.result } : called
}
