/** What an `aws-route` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import {
  accountIdSchema,
  arnsOf,
  endpointSchema,
  networkInterfaceIdSchema,
  readBudget,
  readPermission,
  regionSchema,
} from '../aws/ec2-schema.ts'
import { canonicalNetwork } from '../aws/networks.ts'

const destinationSchema = z
  .union([z.cidrv4(), z.cidrv6(), z.string().regex(/^pl-[0-9A-Za-z]+$/)], {
    error: 'a destination is like 10.99.0.10/32, 2001:db8:99::/64 or pl-0123456789abcdef0',
  })
  .transform((destination, context) => {
    const canonical = destination.startsWith('pl-') ? destination : canonicalNetwork(destination)
    if (canonical !== null) return canonical
    context.addIssue('the address has bits that its prefix length leaves to hosts: 10.99.0.10/24 is 10.99.0.0/24')
    return z.NEVER
  })

const configSchema = z.strictObject({
  region: regionSchema,
  destination: destinationSchema.describe('where the route leads: a network of either family, or a prefix list (pl-…)'),
  routeTables: z
    .array(z.string().regex(/^rtb-[0-9A-Za-z]+$/, 'a route table id is like rtb-0123456789abcdef0'))
    .min(1)
    .max(25)
    .refine((all) => new Set(all).size === all.length, 'each route table stands here once')
    .describe('the tables that have the route, each written by itself: rtb-…'),
  endpoint: endpointSchema,
  accountId: accountIdSchema,
})

const targetSchema = z.strictObject({
  networkInterfaceId: networkInterfaceIdSchema.describe(
    "the node's network interface, with its source/destination check off: eni-…",
  ),
})

export type AwsRouteConfig = z.output<typeof configSchema>
export type AwsRouteTarget = z.output<typeof targetSchema>

export const awsRouteSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'aws-route',
  moves: 'a route of VPC route tables, to an address outside the VPC or a whole network',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      region: 'eu-west-1',
      destination: '10.99.0.10/32',
      routeTables: ['rtb-0a1b2c3d', 'rtb-0e5f6a7b'],
      accountId: '123456789012',
    },
    targets: { n1: { networkInterfaceId: 'eni-0aaa' }, n2: { networkInterfaceId: 'eni-0bbb' } },
  },
  permissions: ({ config }) => [
    readPermission(config, ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeRouteTables']),
    {
      kind: 'aws',
      actions: ['ec2:CreateRoute', 'ec2:ReplaceRoute'],
      resources: arnsOf(config, 'route-table', config.routeTables),
    },
  ],
  // Each looks at the tables, and at the interfaces' source/destination check.
  budget: (config) => readBudget(config, 2),
}
