/** What a `hetzner-failover-ip` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { addressSchema, endpointSchema } from '../rest/fields.ts'
import { placeName, secretSchema } from '../secret.ts'

const configSchema = z.strictObject({
  ip: addressSchema.describe('the failover IP; of an IPv6 subnet its first address, as Robot shows it'),
  user: z
    .string()
    .regex(/^[^:\s]+$/, 'a web service user is like #ws+Ab3dEf')
    .describe("Robot's web service user: Settings, Web service and app settings"),
  password: secretSchema,
  endpoint: endpointSchema('Robot', 'https://robot-ws.your-server.de'),
})

const targetSchema = z.strictObject({
  serverIp: addressSchema.describe(
    "the server's main address; for an IPv6 subnet its main IPv6 subnet's first address",
  ),
})

export type HetznerFailoverIpConfig = z.output<typeof configSchema>
export type HetznerFailoverIpTarget = z.output<typeof targetSchema>

export const hetznerFailoverIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'hetzner-failover-ip',
  moves: 'a failover IP of Hetzner Robot',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { ip: '203.0.113.10', user: '#ws+Ab3dEf', password: { credential: 'robot-password' } },
    targets: { n1: { serverIp: '198.51.100.1' }, n2: { serverIp: '198.51.100.2' } },
  },
  permissions: ({ config: { user, password } }) => [
    {
      kind: 'grant',
      provider: 'Hetzner Robot',
      grants: [
        `the web service user ${user}, with its password in ${placeName(password)}`,
        'Robot has no narrower permission: the user may do all that the web service can with the account',
      ],
    },
  ],
  // Of GET /failover/{ip}. A switch has a limit of its own, which is half of this.
  budget: ({ user }) => ({ account: `Hetzner Robot user ${user}`, calls: 100, perMs: 3_600_000 }),
}
