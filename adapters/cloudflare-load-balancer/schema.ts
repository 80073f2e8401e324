/** What a `cloudflare-load-balancer` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { budgetOf, connectionShape, idSchema, tokenExample } from '../cloudflare/schema.ts'

const configSchema = z.strictObject({
  accountId: idSchema('an account id').describe('the account that the pools belong to, by its id'),
  zoneId: idSchema('a zone id').describe('the zone that the load balancer belongs to, by its id'),
  loadBalancerId: idSchema("a load balancer's id").describe('the load balancer, by its id'),
  by: z.enum(['enabled', 'order']).default('enabled').describe(
    "`enabled`: only the owner's pool is enabled, so that no other node is ever given traffic. `order`: the owner's pool \
is the first of the load balancer's default pools, and Cloudflare goes on to the next while it finds that one unhealthy",
  ),
  ...connectionShape,
})

const targetSchema = z.strictObject({
  pool: idSchema('a pool id').describe("the pool with the node's origins and no other's, by its id"),
})

export type CloudflareLoadBalancerConfig = z.output<typeof configSchema>
export type CloudflareLoadBalancerTarget = z.output<typeof targetSchema>

export const cloudflareLoadBalancerSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'cloudflare-load-balancer',
  moves: 'the traffic of a load balancer of Cloudflare, from pool to pool',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      accountId: '9a7806061c88ada191ed06f989cc3dac',
      zoneId: '023e105f4ecef8ad9ca31a8372d0c353',
      loadBalancerId: '699d98642c564d2e855e9661899b7252',
      by: 'enabled',
      token: tokenExample,
    },
    targets: {
      n1: { pool: '17b5962d775c646f3f9725cbc7a53df4' },
      n2: { pool: '9290f38c5d07c2e2f4df57b1f61d4196' },
    },
  },
  permissions: ({ config: { accountId, zoneId, by } }) => [
    {
      kind: 'grant',
      provider: 'Cloudflare',
      grants: [
        `Zone → Load Balancers → ${by === 'order' ? 'Edit' : 'Read'}, on the zone ${zoneId}`,
        `Account → Load Balancing: Monitors And Pools → ${by === 'order' ? 'Read' : 'Edit'}, on the account ${accountId}`,
        `Zone → Zone → Read, on the zone ${zoneId}`,
      ],
    },
  ],
  budget: () => budgetOf(2),
}
