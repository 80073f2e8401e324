/** What a `powerdns` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { dnsNameSchema, isWithin, zoneNameSchema } from '../dns/names.ts'
import { dnsTargetSchema } from '../dns/records.ts'
import { placeName, secretSchema } from '../secret.ts'
import { plainUrl } from '../url.ts'

const configSchema = z
  .strictObject({
    url: plainUrl('a URL is like http://127.0.0.1:8081', 'a URL')
      .refine((value) => !/[?#]/.test(value), 'a URL of an API has no query (?...) and no fragment (#...)')
      .describe('where the API is; the key travels with each call, so use https beyond the machine itself'),
    key: secretSchema.describe('where the API key is found'),
    serverId: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+$/, 'a server id is like localhost')
      .default('localhost')
      .describe('the server, as the API names it'),
    zone: zoneNameSchema.describe('the zone that the name lies in'),
    name: dnsNameSchema.describe('the name that moves: vip.example.com or *.vip.example.com'),
    ttl: z
      .int()
      .min(1)
      .max(86_400)
      .default(30)
      .describe('seconds for which resolvers keep an answer, and so go on using the old node'),
    notify: z
      .boolean()
      .default(false)
      .describe("tell the zone's secondaries of each move at once; else PowerDNS does within a minute"),
  })
  .refine(({ name, zone }) => isWithin(name, zone), {
    path: ['name'],
    error: 'the name does not lie in the zone',
  })

export type PowerDnsConfig = z.output<typeof configSchema>
export type PowerDnsTarget = z.output<typeof dnsTargetSchema>

export const powerdnsSchema: AdapterSchema<typeof configSchema, typeof dnsTargetSchema> = {
  name: 'powerdns',
  moves: 'a name in a zone of PowerDNS, by its HTTP API',
  config: configSchema,
  target: dnsTargetSchema,
  example: {
    config: {
      url: 'http://127.0.0.1:8081',
      key: { env: 'HOLDFAST_SECRET_POWERDNS' },
      zone: 'example.com',
      name: 'vip.example.com',
    },
    targets: { n1: { a: ['192.0.2.10'], aaaa: ['2001:db8::10'] }, n2: { a: ['198.51.100.20'] } },
  },
  permissions: ({ config: { zone, key, url } }) => [
    {
      kind: 'grant',
      provider: 'PowerDNS',
      grants: [
        `webserver=yes, api=yes, and api-key as in ${placeName(key)}; webserver-allow-from: control alone (${url})`,
        `the key may change every zone of that server, not only ${zone}: PowerDNS knows no lesser one`,
      ],
    },
  ],
  budget: () => null,
}
