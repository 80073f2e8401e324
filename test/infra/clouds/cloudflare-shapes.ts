/**
 * The shapes of Cloudflare's published OpenAPI description, for the replies that the lab's Cloudflare gives: written down
 * strictly, so that a field that Cloudflare does not have is found as surely as one that is missing.
 */
import { z } from 'zod'

const identifier = z.string().min(1).max(32)
const time = z.iso.datetime()

const said = z.strictObject({
  code: z.int().min(1000),
  message: z.string(),
  documentation_url: z.string().optional(),
  source: z.strictObject({ pointer: z.string().optional() }).optional(),
})

const resultInfo = z.strictObject({
  count: z.number(),
  page: z.number(),
  per_page: z.number(),
  total_count: z.number(),
  total_pages: z.number().optional(),
})

export const refused = z.strictObject({
  success: z.literal(false),
  errors: z.array(said).min(1),
  messages: z.array(said),
  result: z.null(),
})

const answered = <Result extends z.ZodType>(result: Result) =>
  z.strictObject({ success: z.literal(true), errors: z.array(said).max(0), messages: z.array(said), result })

const record = z.strictObject({
  id: identifier,
  name: z.string().max(255),
  type: z.enum(['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'NS']),
  content: z.string(),
  ttl: z.union([z.literal(1), z.int().min(30).max(86_400)]),
  proxied: z.boolean(),
  proxiable: z.boolean(),
  comment: z.string().optional(),
  comment_modified_on: time.optional(),
  tags: z.array(z.string()),
  tags_modified_on: time.optional(),
  settings: z.strictObject({
    ipv4_only: z.boolean().optional(),
    ipv6_only: z.boolean().optional(),
    flatten_cname: z.boolean().optional(),
  }),
  meta: z.looseObject({}),
  created_on: time,
  modified_on: time,
})

export const recordList = answered(z.array(record)).extend({ result_info: resultInfo })

export const recordBatch = answered(
  z.strictObject({
    deletes: z.array(record).optional(),
    patches: z.array(record).optional(),
    puts: z.array(record).optional(),
    posts: z.array(record).optional(),
  }),
)

export const zone = answered(
  z.strictObject({
    id: identifier,
    name: z.string().max(253),
    status: z.enum(['initializing', 'pending', 'active', 'moved']),
    paused: z.boolean(),
    type: z.enum(['full', 'partial', 'secondary', 'internal']),
    development_mode: z.number(),
    account: z.strictObject({ id: identifier, name: z.string() }),
    owner: z.strictObject({ id: identifier, type: z.string(), name: z.string() }),
    name_servers: z.array(z.string()).min(2),
    original_name_servers: z.array(z.string()).nullable(),
    original_registrar: z.string().nullable(),
    original_dnshost: z.string().nullable(),
    created_on: time,
    modified_on: time,
    activated_on: time.nullable(),
    meta: z.strictObject({ step: z.int(), page_rule_quota: z.int(), phishing_detected: z.boolean() }),
    plan: z.strictObject({
      id: z.string(),
      name: z.string(),
      price: z.number(),
      currency: z.string(),
      legacy_id: z.string(),
    }),
    permissions: z.array(z.string()),
  }),
)

export const tokenVerified = answered(
  z.strictObject({
    id: identifier,
    status: z.enum(['active', 'disabled', 'expired']),
    expires_on: time.optional(),
    not_before: time.optional(),
  }),
)

const origin = z.strictObject({
  name: z.string(),
  address: z.string(),
  enabled: z.boolean(),
  weight: z.number().min(0).max(1),
})

const poolShape = z.strictObject({
  id: identifier,
  name: z.string().regex(/^[A-Za-z0-9_-]+$/),
  description: z.string(),
  enabled: z.boolean(),
  disabled_at: time.optional(),
  minimum_origins: z.int(),
  monitor: z.string().optional(),
  origins: z.array(origin),
  created_on: time,
  modified_on: time,
})

export const pool = answered(poolShape)
export const poolList = answered(z.array(poolShape))

const poolsByPlace = z.record(z.string(), z.array(z.string()))

export const loadBalancer = answered(
  z.strictObject({
    id: identifier,
    name: z.string(),
    description: z.string(),
    enabled: z.boolean(),
    proxied: z.boolean(),
    ttl: z.number().optional(),
    default_pools: z.array(z.string()),
    fallback_pool: z.string(),
    region_pools: poolsByPlace,
    country_pools: poolsByPlace,
    pop_pools: poolsByPlace,
    rules: z.array(z.looseObject({ name: z.string(), condition: z.string() })),
    pool_sets: z.array(z.strictObject({ name: z.string(), disabled: z.boolean().optional() })).optional(),
    steering_policy: z.enum([
      'off',
      'geo',
      'random',
      'dynamic_latency',
      'proximity',
      'least_outstanding_requests',
      'least_connections',
      '',
    ]),
    session_affinity: z.enum(['none', 'cookie', 'ip_cookie', 'header']),
    created_on: time,
    modified_on: time,
  }),
)
