/** What a cloudflare-load-balancer binding may be configured with, and what it asks to be permitted. */
import { expect, test } from 'vitest'
import { cloudflareLoadBalancerSchema } from '../../../adapters/cloudflare-load-balancer/schema.ts'
import { accountId, zoneId } from '../cloudflare-dns/worlds.ts'
import { loadBalancerId, pool } from './worlds.ts'

const { config, target, permissions } = cloudflareLoadBalancerSchema
const given = { accountId, zoneId, loadBalancerId, token: { credential: 'cloudflare' } }

test('by enabled, unless it is said otherwise', () => {
  expect(config.parse(given)).toEqual({ ...given, by: 'enabled' })
  expect(target.parse({ pool: pool.n1 })).toEqual({ pool: pool.n1 })
})

test.each([
  [{ by: 'weight' }, 'Invalid option'],
  [{ loadBalancerId: 'www' }, "a load balancer's id is like"],
  [{ accountId: undefined }, 'accountId'],
  [{ origins: [] }, 'Unrecognized key'],
])('refuses %j', (wrong, says) => {
  expect(config.safeParse({ ...given, ...wrong }).error?.message).toContain(says)
})

test('only what is changed may be edited', () => {
  const grants = (by: 'enabled' | 'order') => {
    return permissions({ config: config.parse({ ...given, by }), targets: {} }).flatMap((each) => {
      return each.kind === 'grant' ? each.grants.filter((grant) => grant.includes('Edit')) : []
    })
  }
  expect(grants('enabled')).toEqual([
    `Account → Load Balancing: Monitors And Pools → Edit, on the account ${accountId}`,
  ])
  expect(grants('order')).toEqual([`Zone → Load Balancers → Edit, on the zone ${zoneId}`])
})
