/** What a `cloudflare-edge` binding is configured with. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import { secretSchema } from '../secret.ts'
import { plainUrl } from '../url.ts'

/** Where something answers, and nothing of what it is asked. */
const originSchema = (what: string) =>
  plainUrl(`${what} is a URL like https://www.example.com`, what).refine(
    (value) => !/[?#]/.test(value),
    `${what} ends before a question mark or a #`,
  )

const hostSchema = z
  .string()
  .regex(
    /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'a host is like www.example.com or *.example.com, in small letters',
  )

const configSchema = z.strictObject({
  endpoint: originSchema('an endpoint')
    .refine((value) => URL.parse(value)?.pathname === '/', 'an endpoint has no path')
    .describe('the edge Worker, by any host that leads to it'),
  token: secretSchema.describe("where the Worker's HOLDFAST_EDGE_TOKEN is found"),
  hosts: z
    .array(hostSchema)
    .min(1)
    .refine((hosts) => new Set(hosts).size === hosts.length, 'a host is named once')
    .describe(
      'whose requests follow the service: www.example.com or *.example.com; the route keeps them when the binding is removed',
    ),
})

const targetSchema = z.strictObject({
  site: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a site is a short name like dc1')
    .describe('the site of the node, as answers of the edge name it'),
  url: originSchema('a url').describe("where the site's requests go; a path in it is put before that of a request"),
})

export type CloudflareEdgeConfig = z.output<typeof configSchema>
export type CloudflareEdgeTarget = z.output<typeof targetSchema>

export const cloudflareEdgeSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'cloudflare-edge',
  moves: "the requests for a service's hosts, at Holdfast's edge Worker",
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      endpoint: 'https://www.example.com',
      token: { env: 'HOLDFAST_SECRET_EDGE' },
      hosts: ['www.example.com'],
    },
    targets: {
      n1: { site: 'dc1', url: 'https://dc1.example.net' },
      n2: { site: 'dc2', url: 'https://dc2.example.net' },
    },
  },
  permissions: ({ config }) => [
    {
      kind: 'grant',
      provider: 'the edge Worker',
      grants: [
        `HOLDFAST_EDGE_TOKEN of the Worker at ${config.endpoint}: set it by npx wrangler secret put HOLDFAST_EDGE_TOKEN`,
      ],
    },
  ],
  // The object behind the Worker takes about a thousand requests each second, of which its own readers need most.
  budget: ({ endpoint }) => ({ account: `the edge at ${endpoint}`, calls: 100, perMs: 1_000 }),
}
