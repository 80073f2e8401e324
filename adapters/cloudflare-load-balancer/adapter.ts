/**
 * The traffic of a load balancer of Cloudflare that follows a service. Each node has a pool of its own.
 *
 *   observe              GET   zones/{zone}/load_balancers/{id} and accounts/{account}/load_balancers/pools
 *   apply, by enabled    PATCH accounts/{account}/load_balancers/pools/{pool} {enabled}
 *                              true for the new owner's pool, and once that is certain, false for every other
 *   apply, by order      PATCH zones/{zone}/load_balancers/{id} {default_pools}
 *                              the new owner's pool first, the others behind it as they were
 *
 * Each write has one field. Origins are never sent: a list in a PATCH replaces the whole list.
 *
 * Nothing here can refuse a late write: Cloudflare has no precondition and keeps no epoch for us. So commands live
 * shortly, what was written is read back, and looked at once more when nothing can be on its way any longer.
 *
 * By `enabled`, a move is several writes. In between, two nodes are enabled and never none. A write whose answer was lost
 * is looked at before the next one, since going on blindly could end with no pool at all; whatever is left half done is
 * seen by the next observation, and made whole.
 *
 * What the token must allow: `permissions` in `schema.ts`.
 */
import type { ClientOptions } from 'cloudflare'
import { BaseLoadBalancers } from 'cloudflare/resources/load-balancers/load-balancers'
import { BasePools } from 'cloudflare/resources/load-balancers/pools'
import { BaseZones } from 'cloudflare/resources/zones/zones'
import { createClient } from 'cloudflare/tree-shakable'
import type { z } from 'zod'
import type { Adapter, AdapterInput, Move, Observation, Outcome } from '../adapter.ts'
import { type Called, call as callCloudflare, type Request } from '../cloudflare/call.ts'
import { noTarget, timedOut } from '../failures.ts'
import { callMs } from '../http.ts'
import { targetOf } from '../targets.ts'
import { preflight } from './preflight.ts'
import { readBalancer, readTraffic } from './read-traffic.ts'
import type { CloudflareLoadBalancerConfig, CloudflareLoadBalancerTarget } from './schema.ts'
import { loadBalancerSchema, observationOf, parseToken, poolSchema } from './traffic.ts'

const connect = (options: ClientOptions) => {
  return createClient({ ...options, resources: [BaseLoadBalancers, BasePools, BaseZones] })
}
export type Client = ReturnType<typeof connect>

export type Binding = AdapterInput<CloudflareLoadBalancerConfig, CloudflareLoadBalancerTarget> & {
  call<Schema extends z.ZodType>(
    request: Pick<Request<Client, Schema>, 'send' | 'result'>,
    signal: AbortSignal,
  ): Promise<Called<z.output<Schema>>>
}

export function createCloudflareLoadBalancer(
  input: AdapterInput<CloudflareLoadBalancerConfig, CloudflareLoadBalancerTarget>,
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const timeoutMs = options.callTimeoutMs ?? callMs
  const binding: Binding = {
    ...input,
    call: (request, signal) => callCloudflare(input.config, { connect, ...request, timeoutMs }, signal),
  }
  return {
    capabilities: {
      cas: 'none',
      dryRun: false,
      ipv6: true,
      // Reads come from the database that is written. Nothing is promised; should one lag, this is generous.
      settleMs: 30_000,
      // A move is given up after 8 s; the rest is for a request still on its way.
      maxInFlightMs: 35_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, { signal, timeoutMs }),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const read = await readTraffic(binding, signal)
  return read.kind === 'read' ? observationOf(read.found, binding) : { kind: 'unknown', failure: read }
}

/** All writes of a move share the time of one call: what is not written by then is for the next move. */
async function apply(
  binding: Binding,
  move: Move,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Outcome> {
  const target = targetOf(binding.targets, move.node)
  if (target === undefined) return noTarget(move.node)
  const blocked = parseToken(move.token)?.blocked[move.node]
  if (blocked !== undefined) return { kind: 'permanent', code: 'OutOfReach', message: blocked }
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, deadline])
  const byMode = binding.config.by === 'enabled' ? enableOnly : putFirst
  const outcome = await byMode(binding, { pool: target.pool, token: move.token }, either)
  return deadline.aborted && !signal.aborted && outcome.kind === 'unknown' ? timedOut(timeoutMs) : outcome
}

type Wanted = { readonly pool: string; readonly token: string | null }

/** Every pool is written, also one that was seen to be right: a write of the past may have come after that look. */
async function enableOnly(binding: Binding, { pool }: Wanted, signal: AbortSignal): Promise<Outcome> {
  const others = Object.values(binding.targets).filter((target) => target.pool !== pool)
  let lost: Outcome = { kind: 'done' }
  for (const [each, enabled] of [[pool, true], ...others.map((other) => [other.pool, false] as const)] as const) {
    const outcome = await setEnabled(binding, { pool: each, enabled }, signal)
    if (outcome.kind === 'done') continue
    const known = outcome.kind === 'unknown' && (await isEnabled(binding, each, signal)) === enabled
    if (!known) return outcome
    lost = outcome
  }
  return lost
}

type PoolState = { readonly pool: string; readonly enabled: boolean }

async function setEnabled({ config, call }: Binding, state: PoolState, signal: AbortSignal): Promise<Outcome> {
  const { pool, enabled } = state
  const send = (client: Client) => client.loadBalancers.pools.edit(pool, { account_id: config.accountId, enabled })
  const called = await call({ send, result: poolSchema }, signal)
  return called.kind === 'answered' ? { kind: 'done' } : called
}

/** Undefined: could not be learned. */
async function isEnabled({ config, call }: Binding, pool: string, signal: AbortSignal): Promise<boolean | undefined> {
  const send = (client: Client) => client.loadBalancers.pools.get(pool, { account_id: config.accountId })
  const called = await call({ send, result: poolSchema }, signal)
  return called.kind === 'answered' ? called.result.enabled : undefined
}

async function putFirst(binding: Binding, { pool, token }: Wanted, signal: AbortSignal): Promise<Outcome> {
  const { config, call } = binding
  const seen = parseToken(token)
  const read = seen === null ? await readBalancer(binding, signal) : null
  if (read !== null && read.kind !== 'read') return read
  const before = seen?.order ?? read?.found.default_pools ?? []
  const order = [pool, ...before.filter((each) => each !== pool)]
  const send = (client: Client) => {
    return client.loadBalancers.edit(config.loadBalancerId, { zone_id: config.zoneId, default_pools: order })
  }
  const called = await call({ send, result: loadBalancerSchema }, signal)
  return called.kind === 'answered' ? { kind: 'done' } : called
}
