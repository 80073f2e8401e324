/** What is particular to a load balancer of Cloudflare: one field a write, and moves that take several. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Adapter, Observation } from '../../../adapters/adapter.ts'
import type { Cloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { accountId, faults, useLabToken } from '../cloudflare-dns/worlds.ts'
import { adapterAt, balancerOf, enabledAt, loadBalancerWorld, pool, setBalancer } from './worlds.ts'

beforeEach(() => useLabToken())

const signal = new AbortController().signal

type Known = Exclude<Observation, { kind: 'unknown' }>

async function see(adapter: Adapter): Promise<Known> {
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error(`could not observe: ${JSON.stringify(seen.failure)}`)
  return seen
}

async function move(adapter: Adapter, node: string, epoch: number) {
  const { token } = await see(adapter)
  return adapter.apply({ node, epoch, token }, signal)
}

/** `PATCH pool pool-n2: enabled` */
function writes({ requests }: Cloudflare): string[] {
  const nameOf = (id: string) => Object.entries(pool).find(([, each]) => each === id)?.[0] ?? 'the load balancer'
  return requests
    .filter(({ action }) => action.startsWith('PATCH'))
    .map(({ params, outcome }) => `${nameOf(params.id!)}: ${params.fields} (${outcome})`)
}

test('by enabled, the new pool is enabled before any other is disabled', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
  await world.setOutOfBand('n1')
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  expect(writes(cloudflare)).toEqual(['n2: enabled (ok)', 'n1: enabled (ok)'])
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n2', raw: { enabled: 'the pool pool-n2 (n2)' } })
  await world.end()
})

test('by order, one write puts the pool first and keeps the others in their order', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'order' })
  setBalancer(cloudflare, { default_pools: [pool.n1, pool.unused, pool.n2, pool.apology] })
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  expect(writes(cloudflare)).toEqual(['the load balancer: default_pools (ok)'])
  expect(balancerOf(cloudflare).default_pools).toEqual([pool.n2, pool.n1, pool.unused, pool.apology])
  await world.end()
})

test('by order, without knowing the order it is asked for first', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'order' })
  setBalancer(cloudflare, { default_pools: [pool.n1, pool.apology] })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
  expect(balancerOf(cloudflare).default_pools).toEqual([pool.n2, pool.n1, pool.apology])
  await world.end()
})

test.each(['enabled', 'order'] as const)('by %s, origins and every other setting stay as they are', async (by) => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by, balancer: { session_affinity: 'cookie' } })
  await world.setOutOfBand('n1')
  const settings = () => {
    const { default_pools: _order, modified_on: _at, ...balancer } = balancerOf(cloudflare)
    const pools = cloudflare.state().pools.map(({ id, name, origins }) => ({ id, name, origins }))
    return structuredClone({ balancer, pools })
  }
  const before = settings()
  for (const [i, node] of (['n2', 'n1', 'n2'] as const).entries()) await move(adapter, node, i + 1)
  expect(settings()).toEqual(before)
  expect(new Set(cloudflare.requests.map(({ params }) => params.fields))).toEqual(
    new Set([undefined, by === 'enabled' ? 'enabled' : 'default_pools']),
  )
  await world.end()
})

describe('a move that is half made', () => {
  test('leaves both pools enabled, is seen as such, and is made whole by the next one', async () => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    await world.setOutOfBand('n1')
    cloudflare.faults.add({ ...faults.unavailable, action: 'PATCH pool', about: pool.n1, next: 1 })
    expect(await move(adapter, 'n2', 1)).toMatchObject({ kind: 'retry' })
    expect(await see(adapter)).toMatchObject({
      kind: 'foreign',
      what: 'the pool pool-n1 (n1) and the pool pool-n2 (n2) are enabled',
    })
    expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
    expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n2' })
    await world.end()
  })

  test('disables no pool while it is not certain that the new one is enabled', async () => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    await world.setOutOfBand('n1')
    cloudflare.faults.add({ kind: 'reset-before', action: 'PATCH pool', next: 1 })
    expect(await move(adapter, 'n2', 1)).toMatchObject({ kind: 'unknown' })
    expect(writes(cloudflare)).toEqual(['n2: enabled (reset)'])
    expect(enabledAt(cloudflare)).toContain(pool.n1)
    await world.end()
  })

  test('goes on when a look shows that a write without an answer was made, and says that nobody knows', async () => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    await world.setOutOfBand('n1')
    world.inject('apply', 'lost-response')
    expect(await move(adapter, 'n2', 1)).toMatchObject({ kind: 'unknown' })
    expect(writes(cloudflare)).toEqual(['n2: enabled (ok, then reset)', 'n1: enabled (ok)'])
    expect(await world.owner()).toBe('n2')
    await world.end()
  })

  test('ends in the time of one call, however many writes it has', async () => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled', callTimeoutMs: 200 })
    await world.setOutOfBand('n1')
    cloudflare.faults.add({ kind: 'hang-after', action: 'PATCH pool' })
    const { token } = await see(adapter)
    const began = performance.now()
    expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toMatchObject({ code: 'TimedOut' })
    expect(performance.now() - began).toBeLessThan(2_000)
    await world.end()
  })
})

test.each([
  { by: 'enabled', change: { enabled: false }, says: 'the load balancer www.example.com is disabled' },
  { by: 'order', change: { enabled: false }, says: 'the load balancer www.example.com is disabled' },
  { by: 'enabled', change: { default_pools: [pool.n1] }, says: 'the pool pool-n2 (n2) is none of the default pools' },
  {
    by: 'enabled',
    change: { default_pools: [pool.apology, pool.n1, pool.n2] },
    says: 'the pool pool-apology stands before the pool pool-n2 (n2) and is no node',
  },
] as const)('by $by, nothing is written where it would not help: $says', async ({ by, change, says }) => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by })
  await world.setOutOfBand('n1')
  setBalancer(cloudflare, change as Parameters<typeof setBalancer>[1])
  expect(await move(adapter, 'n2', 1)).toMatchObject({
    kind: 'permanent',
    code: 'OutOfReach',
    message: expect.stringContaining(says),
  })
  expect(writes(cloudflare)).toEqual([])
  await world.end()
})

test('by order, a pool that is disabled is not put first', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'order' })
  cloudflare.change((state) => ({
    ...state,
    pools: state.pools.map((each) => (each.id === pool.n2 ? { ...each, enabled: false } : each)),
  }))
  expect(await move(adapter, 'n2', 1)).toMatchObject({
    kind: 'permanent',
    message: expect.stringContaining('disabled'),
  })
  await world.end()
})

test('a pool that is no node’s, behind the owner’s, is left alone', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
  await world.setOutOfBand('n1')
  setBalancer(cloudflare, { default_pools: [pool.n1, pool.n2, pool.apology] })
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
  expect(await move(adapter, 'n2', 1)).toEqual({ kind: 'done' })
  expect(await see(adapter)).toMatchObject({ kind: 'node', node: 'n2' })
  expect(enabledAt(cloudflare)).toContain(pool.apology)
  await world.end()
})

test('one look is two calls, as the budget says', async () => {
  const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
  await see(adapter)
  expect(cloudflare.requests.map(({ action }) => action).sort()).toEqual(['GET load_balancers', 'GET pools'])
  await world.end()
})

describe('preflight', () => {
  const verdicts = async (adapter: Adapter) => {
    return (await adapter.preflight(signal)).map(
      ({ check, result, message }) => `${result} ${check}${message ? `: ${message}` : ''}`,
    )
  }

  test('finds all in order', async () => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    await world.setOutOfBand('n1')
    const compare = 'Cloudflare can only be asked to do it: compare the token with holdfast adapters policy'
    expect(await verdicts(adapter)).toEqual([
      'passed the token is active',
      'passed zone 023e105f4ecef8ad9ca31a8372d0c353 can be read',
      'passed load balancer 699d98642c564d2e855e9661899b7252 and the pools of its account can be read',
      'passed pools are tried in order',
      'passed no rule chooses other pools',
      'passed no pool set chooses other pools',
      'passed no session stays with a pool',
      'passed each node has a pool of its own',
      "passed the fallback pool is no node's",
      'passed traffic can be sent to the pool pool-n1 (n1)',
      `untried the token may enable and disable pools for n1: ${compare}`,
      'passed traffic can be sent to the pool pool-n2 (n2)',
      `untried the token may enable and disable pools for n2: ${compare}`,
    ])
    expect(writes(cloudflare)).toEqual([])
    await world.end()
  })

  test.each([
    [{ steering_policy: 'geo' }, 'steering_policy is geo'],
    [{ steering_policy: '', region_pools: { WNAM: [pool.n1] } }, 'steering_policy is by place'],
    [{ session_affinity: 'cookie' }, 'session_affinity is cookie'],
    [{ fallback_pool: pool.n1 }, 'it is that of n1'],
    [{ rules: [{ name: 'r', condition: 'true' }] }, 'there are 1 rules'],
    [{ pool_sets: [{ name: 's' }, { name: 'off', disabled: true }] }, 'there are 1 pool_sets'],
    [{ default_pools: [pool.n1] }, 'pool-n2 (n2) is none of the default pools'],
  ] as const)('finds %j', async (change, says) => {
    const { adapter, world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    setBalancer(cloudflare, change as Parameters<typeof setBalancer>[1])
    const failed = (await verdicts(adapter)).filter((line) => line.startsWith('failed'))
    expect(failed).toHaveLength(1)
    expect(failed[0]).toContain(says)
    await world.end()
  })

  test('an empty policy without pools by place is off', async () => {
    const { adapter, world } = await loadBalancerWorld({ by: 'enabled', balancer: { steering_policy: '' } })
    expect((await verdicts(adapter)).filter((line) => line.startsWith('failed'))).toEqual([])
    await world.end()
  })

  test('of another account, and of a load balancer that is none', async () => {
    const { world, cloudflare } = await loadBalancerWorld({ by: 'enabled' })
    for (const more of [{ accountId: accountId.replace('9', '8') }, { loadBalancerId: accountId }]) {
      const adapter = adapterAt(cloudflare.endpoint, 'enabled', more)
      expect((await verdicts(adapter)).join('\n')).toMatch(/failed load balancer/)
    }
    await world.end()
  })
})
