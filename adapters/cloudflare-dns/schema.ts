/** What a `cloudflare-dns` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { budgetOf, connectionShape, idSchema, tokenExample } from '../cloudflare/schema.ts'
import { dnsNameSchema } from '../dns/names.ts'
import { dnsTargetSchema } from '../dns/records.ts'

const defaultTtl = 60

const configSchema = z
  .strictObject({
    zoneId: idSchema('a zone id').describe('the zone, by its id'),
    name: dnsNameSchema.describe('the name that moves: vip.example.com or *.vip.example.com'),
    ttl: z
      .int()
      .refine(
        (ttl) => ttl === 1 || (ttl >= 30 && ttl <= 86_400),
        'a ttl is 60 to 86400 (30 on Enterprise), or 1: automatic',
      )
      .optional()
      .describe(
        `seconds for which resolvers keep an answer, and so go on using the old node: 60 to 86400 (30 on Enterprise), \
1 for Cloudflare's choice. Default ${defaultTtl}; not with proxied`,
      ),
    proxied: z.boolean().default(false).describe('Cloudflare answers with its own addresses and passes traffic on'),
    ...connectionShape,
  })
  .refine(({ ttl = 1, proxied }) => !proxied || ttl === 1, {
    path: ['ttl'],
    error: 'a proxied name has no ttl of its own: leave ttl out',
  })

export type CloudflareDnsConfig = z.output<typeof configSchema>
export type CloudflareDnsTarget = z.output<typeof dnsTargetSchema>

export const cloudflareDnsSchema: AdapterSchema<typeof configSchema, typeof dnsTargetSchema> = {
  name: 'cloudflare-dns',
  moves: 'a name in a zone of Cloudflare, proxied or not',
  config: configSchema,
  target: dnsTargetSchema,
  example: {
    config: { zoneId: '023e105f4ecef8ad9ca31a8372d0c353', name: 'vip.example.com', ttl: 60, token: tokenExample },
    targets: {
      n1: { a: ['192.0.2.10'], aaaa: ['2001:db8::10'] },
      n2: { a: ['198.51.100.20'] },
    },
  },
  permissions: ({ config: { zoneId } }) => [
    {
      kind: 'grant',
      provider: 'Cloudflare',
      grants: [`Zone → DNS → Edit, on the zone ${zoneId}`, `Zone → Zone → Read, on the zone ${zoneId}`],
    },
  ],
  budget: () => budgetOf(2),
}

/** What Cloudflare shows as the time to live of a name's records; proxied ones have no other than 1. */
export function ttlOf({ proxied, ttl = defaultTtl }: CloudflareDnsConfig): number {
  return proxied ? 1 : ttl
}
