/** What a `digitalocean-reserved-ip` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { addressSchema, endpointSchema } from '../rest/fields.ts'
import { placeName, secretSchema } from '../secret.ts'

const configSchema = z.strictObject({
  ip: addressSchema.describe('the reserved IP, of either family'),
  token: secretSchema,
  endpoint: endpointSchema('DigitalOcean', 'https://api.digitalocean.com'),
})

const targetSchema = z.strictObject({
  dropletId: z
    .int('a Droplet is named by its number, like 386734086')
    .positive()
    .describe("the Droplet, by its id: `doctl compute droplet list`; in the address's region"),
})

export type DigitalOceanReservedIpConfig = z.output<typeof configSchema>
export type DigitalOceanReservedIpTarget = z.output<typeof targetSchema>

export const digitaloceanReservedIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'digitalocean-reserved-ip',
  moves: 'a reserved IP of DigitalOcean',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { ip: '203.0.113.10', token: { credential: 'digitalocean-token' } },
    targets: { n1: { dropletId: 386734086 }, n2: { dropletId: 386734087 } },
  },
  permissions: ({ config: { token } }) => [
    {
      kind: 'grant',
      provider: 'DigitalOcean',
      grants: [
        `a token with the custom scopes reserved_ip:read, reserved_ip:update, droplet:read and actions:read, in ${placeName(token)}`,
      ],
    },
  ],
  // 5000 in an hour and no more than 250 in a minute: so that both hold.
  budget: ({ token }) => ({ account: `DigitalOcean token in ${placeName(token)}`, calls: 83, perMs: 60_000 }),
}
