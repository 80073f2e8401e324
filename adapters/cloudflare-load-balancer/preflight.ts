/** Tries what a move of a load balancer's traffic would need, changing nothing. */
import type { Finding } from '../adapter.ts'
import { failed, passed, untried, wrong, zoneSchema } from '../cloudflare/preflight.ts'
import { verifyToken } from '../cloudflare/verify.ts'
import type { Binding, Client } from './adapter.ts'
import { readTraffic } from './read-traffic.ts'
import { blockOf, type Found, type LoadBalancer, namedPool } from './traffic.ts'

export async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config, call } = binding
  const token = await verifyToken(config, config.accountId, signal)
  const zone = `zone ${config.zoneId} can be read`
  const send = (client: Client) => client.zones.get({ zone_id: config.zoneId })
  const called = await call({ send, result: zoneSchema }, signal)
  const read = await readTraffic(binding, signal)
  const traffic = `load balancer ${config.loadBalancerId} and the pools of its account can be read`
  return [
    token,
    called.kind === 'answered' ? passed(zone) : failed(zone, called),
    ...(read.kind === 'read' ? [passed(traffic), ...trafficFindings(binding, read.found)] : [failed(traffic, read)]),
  ]
}

function trafficFindings(binding: Binding, found: Found): Finding[] {
  const { config, targets } = binding
  const moves = Object.entries(targets).flatMap(([node, { pool }]) => {
    const check = `traffic can be sent to ${namedPool(pool, found, binding)}`
    const blocked = blockOf(pool, found, binding)
    if (blocked !== null) return [wrong(check, blocked)]
    const what = config.by === 'enabled' ? 'enable and disable pools' : 'put pools in order'
    return [
      passed(check),
      untried(
        `the token may ${what} for ${node}`,
        'Cloudflare can only be asked to do it: compare the token with holdfast adapters policy',
      ),
    ]
  })
  return [...settingFindings(binding, found), ...moves]
}

/** Settings by which traffic goes elsewhere than to the first pool that is enabled. */
function settingFindings({ config, targets }: Binding, found: Found): Finding[] {
  const { balancer } = found
  const nodes = Object.entries(targets)
  const fallback = nodes.find(([, { pool }]) => pool === balancer.fallback_pool)
  const twice = nodes.find(([node, { pool }]) => nodes.some(([other, target]) => other < node && target.pool === pool))
  return [
    ...steeringFindings(balancer),
    setting(
      'no session stays with a pool',
      ['none', '', undefined, null].includes(balancer.session_affinity),
      `session_affinity is ${balancer.session_affinity}: sessions stay with the old node until its pool is unhealthy; set it to none`,
    ),
    setting(
      'each node has a pool of its own',
      twice === undefined,
      `${twice?.[0]} has the pool of another node: give each one of its own`,
    ),
    ...(config.by === 'order'
      ? []
      : [
          setting(
            "the fallback pool is no node's",
            fallback === undefined,
            `it is that of ${fallback?.[0]}, which is given traffic whenever the owner's is unhealthy: name another one`,
          ),
        ]),
  ]
}

function steeringFindings(balancer: LoadBalancer): Finding[] {
  const { steering_policy: policy, region_pools, country_pools, pop_pools, rules } = balancer
  const sets = (balancer.pool_sets ?? []).filter(({ disabled }) => disabled !== true)
  const byPlace = [region_pools, country_pools, pop_pools].some((pools) => Object.keys(pools ?? {}).length > 0)
  // Without a policy it is by place if any pools are given by place, and else off.
  const isOff = policy === 'off' || ((policy ?? '') === '' && !byPlace)
  return [
    setting(
      'pools are tried in order',
      isOff,
      `steering_policy is ${policy || 'by place'}: Cloudflare chooses among the pools itself; set it to off`,
    ),
    setting(
      'no rule chooses other pools',
      (rules ?? []).length === 0,
      `there are ${(rules ?? []).length} rules, which may send traffic past the owner: see that none names pools`,
    ),
    setting(
      'no pool set chooses other pools',
      sets.length === 0,
      `there are ${sets.length} pool_sets, which send traffic past the owner: remove them`,
    ),
  ]
}

function setting(check: string, holds: boolean, message: string): Finding {
  return holds ? passed(check) : wrong(check, message)
}
