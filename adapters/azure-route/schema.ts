/** What an `azure-route` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { addressSchema } from '../rest/fields.ts'
import { secretSchema } from '../secret.ts'
import { baseUrl } from '../url.ts'

const endpoint = baseUrl('https://api.example.com')

const name = /^[A-Za-z0-9_]([A-Za-z0-9_.()-]{0,88}[A-Za-z0-9_()-])?$/

const configSchema = z
  .strictObject({
    subscription: z.guid('a subscription is like 00000000-0000-0000-0000-000000000000').describe('the subscription'),
    resourceGroup: z.string().regex(name, 'a name is like network').describe("the route table's resource group"),
    routeTable: z.string().regex(name, 'a name is like lan').describe('the route table'),
    route: z.string().regex(name, 'a name is like vip').describe('the route in it; it is created when it is missing'),
    addressPrefix: z
      .union([z.cidrv4(), z.cidrv6()], { error: 'a prefix is like 10.9.0.100/32' })
      .describe('what the route leads to'),
    tenant: z.guid('a tenant is like 00000000-0000-0000-0000-000000000000').optional().describe("the client's tenant"),
    clientId: z.guid('a client id is like a tenant').optional().describe('the client, or one of several identities'),
    clientSecret: secretSchema.optional(),
    endpoint: endpoint.optional().describe("another Resource Manager than the public cloud's"),
    tokenEndpoint: endpoint.optional().describe('another token endpoint, or another metadata server'),
  })
  .refine(({ tenant, clientId, clientSecret }) => {
    return clientSecret === undefined ? tenant === undefined : tenant !== undefined && clientId !== undefined
  }, 'write tenant, clientId and clientSecret; or none of tenant and clientSecret, for a managed identity')

const targetSchema = z.strictObject({
  nextHopIpAddress: addressSchema.describe("the node's address in the virtual network; its interface must forward"),
})

export type AzureRouteConfig = z.output<typeof configSchema>
export type AzureRouteTarget = z.output<typeof targetSchema>

export const azureRouteSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'azure-route',
  moves: 'the next hop of a route of an Azure route table',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      subscription: '8d5c9f3e-51d8-4a6b-9d0d-2f1f6f0c7a11',
      resourceGroup: 'network',
      routeTable: 'lan',
      route: 'vip',
      addressPrefix: '10.9.0.100/32',
    },
    targets: { n1: { nextHopIpAddress: '10.0.1.10' }, n2: { nextHopIpAddress: '10.0.2.10' } },
  },
  permissions: ({ config: { subscription, resourceGroup, routeTable } }) => [
    {
      kind: 'grant',
      provider: 'Azure',
      grants: [
        ...['Microsoft.Network/routeTables/read', 'Microsoft.Network/routeTables/routes/write'].map(
          (action) => `${action} on ${resourceGroup}/${routeTable} of subscription ${subscription}`,
        ),
        ...['operations', 'operationResults'].map(
          (kind) => `Microsoft.Network/locations/${kind}/read on subscription ${subscription}`,
        ),
      ],
    },
  ],
  budget: ({ subscription }) => ({ account: `Azure network in ${subscription}`, calls: 1000, perMs: 300_000 }),
}
