/** What a `hetzner-floating-ip` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { endpointSchema } from '../rest/fields.ts'
import { placeName, secretSchema } from '../secret.ts'

const configSchema = z.strictObject({
  floatingIpId: z
    .int('a Floating IP is named by its number, like 4711')
    .positive()
    .describe('the Floating IP, by its id: `hcloud floating-ip list`'),
  token: secretSchema,
  endpoint: endpointSchema('Hetzner Cloud', 'https://api.hetzner.cloud/v1'),
})

const targetSchema = z.strictObject({
  serverId: z
    .int('a server is named by its number, like 42')
    .positive()
    .describe('the server, by its id: `hcloud server list`'),
})

export type HetznerFloatingIpConfig = z.output<typeof configSchema>
export type HetznerFloatingIpTarget = z.output<typeof targetSchema>

export const hetznerFloatingIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'hetzner-floating-ip',
  moves: 'a Floating IP of Hetzner Cloud',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { floatingIpId: 4711, token: { credential: 'hetzner-token' } },
    targets: { n1: { serverId: 42 }, n2: { serverId: 43 } },
  },
  permissions: ({ config: { token } }) => [
    {
      kind: 'grant',
      provider: 'Hetzner Cloud',
      grants: [
        `an API token with Read & Write, of the Floating IP's project, in ${placeName(token)}`,
        'Hetzner Cloud has no narrower token: give the Floating IP and its servers a project of their own',
      ],
    },
  ],
  budget: ({ token }) => ({
    account: `Hetzner Cloud project of ${placeName(token)}`,
    ...{ calls: 3_600, perMs: 3_600_000 },
  }),
}
