/** What an `ovh-ip` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { endpointSchema } from '../rest/fields.ts'
import { placeName, secretSchema } from '../secret.ts'

const configSchema = z.strictObject({
  ip: z
    .union([z.ipv4(), z.cidrv4()], { error: 'an Additional IP is like 203.0.113.10, and a block like 203.0.113.8/30' })
    .transform((value) => (value.includes('/') ? value : `${value}/32`))
    .describe('the Additional IP, or the whole block: a block is not moved in parts'),
  applicationKey: z
    .string()
    .regex(
      /^\w+$/,
      "an application key is like 7kbG7Bk7S9Nt7ZSV; it is no secret, and its secret's place is another key",
    )
    .describe('the key of the application that was made for Holdfast'),
  applicationSecret: secretSchema,
  consumerKey: secretSchema,
  endpoint: endpointSchema('OVHcloud Europe', 'https://eu.api.ovh.com/1.0'),
})

const targetSchema = z.strictObject({
  service: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'a service is like ns1234567.ip-203-0-113.eu')
    .describe('the service that the IP is routed to: the name of a dedicated server, VPS or project'),
})

export type OvhIpConfig = z.output<typeof configSchema>
export type OvhIpTarget = z.output<typeof targetSchema>

export const ovhIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'ovh-ip',
  moves: 'an Additional IP of OVHcloud',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      ip: '203.0.113.10',
      applicationKey: '7kbG7Bk7S9Nt7ZSV',
      applicationSecret: { credential: 'ovh-application-secret' },
      consumerKey: { credential: 'ovh-consumer-key' },
    },
    targets: {
      n1: { service: 'ns1234567.ip-203-0-113.eu' },
      n2: { service: 'ns7654321.ip-198-51-100.eu' },
    },
  },
  permissions: ({ config: { ip, consumerKey } }) => {
    const path = `/ip/${encodeURIComponent(ip)}`
    return [
      {
        kind: 'grant',
        provider: 'OVHcloud',
        grants: [
          `a consumer key in ${placeName(consumerKey)} with the rights GET ${path}, GET and POST ${path}/move`,
          `and with the right GET ${path}/task/*`,
        ],
      },
    ]
  },
  // OVHcloud publishes no limit: one call in a second is what it is not known to refuse.
  budget: ({ applicationKey }) => ({ account: `OVHcloud application ${applicationKey}`, calls: 60, perMs: 60_000 }),
}
