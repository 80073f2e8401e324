/** What an `rfc2136` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { dnsNameSchema, zoneNameSchema } from '../dns/names.ts'
import { secretSchema } from '../secret.ts'

const configSchema = z.strictObject({
  server: z
    .string()
    .regex(
      /^(\[[0-9A-Fa-f:.]+\]|[^[\]:\s]+)(:\d{1,5})?$/,
      'a server is like ns1.example.com, 192.0.2.53:53 or [2001:db8::53]',
    )
    .refine(
      (value) => Number(/:(\d+)$/.exec(value.replace(/^\[.*\]/, ''))?.[1] ?? 53) <= 65_535,
      'a port is at most 65535',
    )
    .describe("the zone's primary server, and its port if it is not 53"),
  name: dnsNameSchema.describe('the name that moves: vip.example.com'),
  zone: zoneNameSchema.optional().describe('the zone it lies in; default: what the server itself says'),
  ttl: z
    .int()
    .min(1)
    .max(86_400)
    .default(30)
    .describe('seconds for which resolvers keep an answer, and so go on using the old node'),
  key: z
    .strictObject({
      name: dnsNameSchema
        .or(z.string().regex(/^[A-Za-z0-9_-]{1,63}$/))
        .describe("the key's name, as the server has it"),
      algorithm: z.enum(['hmac-sha256', 'hmac-sha512']).default('hmac-sha256').describe('how it signs'),
      secret: secretSchema.describe('where its secret is found, in base64'),
    })
    .describe('the key that signs (TSIG)'),
})

const targetSchema = z
  .strictObject({
    a: z.array(z.ipv4('an IPv4 address is like 192.0.2.10')).min(1).max(50).optional().describe('its IPv4 addresses'),
    aaaa: z
      .array(z.ipv6('an IPv6 address is like 2001:db8::10'))
      .min(1)
      .max(50)
      .optional()
      .describe('its IPv6 addresses'),
  })
  .refine(({ a, aaaa }) => a !== undefined || aaaa !== undefined, 'a target is {a: [192.0.2.10], aaaa: [2001:db8::10]}')

export type Rfc2136Config = z.output<typeof configSchema>
export type Rfc2136Target = z.output<typeof targetSchema>

export const rfc2136Schema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'rfc2136',
  moves: 'a name in a zone of your own DNS server (BIND, Knot, PowerDNS), by dynamic update',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      server: '192.0.2.53',
      name: 'vip.example.com',
      key: { name: 'holdfast', secret: { env: 'HOLDFAST_SECRET_TSIG' } },
    },
    targets: { n1: { a: ['192.0.2.10'], aaaa: ['2001:db8::10'] }, n2: { a: ['198.51.100.20'] } },
  },
  permissions: ({ config: { name, key } }) => [
    {
      kind: 'grant',
      provider: 'BIND',
      grants: [
        `update-policy { grant ${key.name} name ${name}. A AAAA; grant ${key.name} name ${epochRecordName(name)}. TXT; };`,
      ],
    },
    {
      kind: 'grant',
      provider: 'Knot',
      grants: [
        `acl: {key: ${key.name}, action: [update], update-owner: name, update-owner-match: equal, \
update-owner-name: [${name}., ${epochRecordName(name)}.], update-type: [A, AAAA, TXT]}`,
      ],
    },
    {
      kind: 'grant',
      provider: 'PowerDNS',
      grants: [
        `dnsupdate=yes, and for the zone: pdnsutil set-meta ZONE TSIG-ALLOW-DNSUPDATE ${key.name}; \
pdnsutil set-meta ZONE ALLOW-DNSUPDATE-FROM with control's address`,
        'the key may then change every name of the zone, unless a lua-dnsupdate-policy-script says which',
      ],
    },
  ],
  budget: () => null,
}
