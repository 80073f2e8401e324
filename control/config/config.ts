/** Control's configuration: its schema, and the reader that names every mistake by file, line and key. */
import { z } from 'zod'
import { nameSchema } from '../contract.ts'
import { duration, readConfig } from './config-file.ts'
import { type AnyAdapterSchema, type ServiceConfig, serviceSchema } from './service-config.ts'

export type { AnyAdapterSchema, BindingConfig, ServiceConfig } from './service-config.ts'

export type Role = 'admin' | 'operator' | 'viewer' | 'node'

export type TokenConfig = {
  readonly name: string
  readonly role: Role
  /** The one node that a token with the role `node` may speak for; null with every other role. */
  readonly node: string | null
  readonly token: string
}

export type ControlConfig = {
  readonly listen: { readonly host: string; readonly port: number }
  /** A file, or `:memory:`. */
  readonly database: string
  /** Who may call `GET /v1/services/{service}/owner`: any viewer's token, or everybody, as most health probes need. */
  readonly ownerProbe: 'token' | 'public'
  readonly tokens: readonly TokenConfig[]
  readonly services: Readonly<Record<string, ServiceConfig>>
  /** Packages with adapters of other people, found from where the file is. */
  readonly adapters: readonly string[]
  /** Files with the certificate chain and the private key, in PEM. Null: plain HTTP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null
  readonly retention: Retention
  /** What one token may ask for: so many requests a second in the long run, and so many at once. */
  readonly rateLimit: { readonly perSecond: number; readonly burst: number }
  /** Where traces of moves go, as OTLP over HTTP. Null: nowhere. */
  readonly trace: { readonly url: string; readonly headers: Readonly<Record<string, string>> } | null
}

/** What is kept of the past: nothing older than `ageMs`, and not more than so many. */
export type Retention = { readonly ageMs: number; readonly events: number; readonly operations: number }

export type ControlConfigInput = {
  readonly file: string
  readonly text: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The adapters that bindings may name. */
  readonly adapters: readonly AnyAdapterSchema[]
}

export function readControlConfig({ adapters, ...input }: ControlConfigInput): ControlConfig {
  return readConfig({ ...input, schema: controlConfigSchema(adapters) })
}

export function controlConfigSchema(adapters: readonly AnyAdapterSchema[]): z.ZodType<ControlConfig, unknown> {
  return z
    .strictObject({
      listen: listenSchema.default({ host: '127.0.0.1', port: 8080 }),
      database: z.string().min(1).default('/var/lib/holdfast/control.db').describe('the SQLite file'),
      tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
      adapters: z.array(z.string().min(1)).default([]).describe('packages with adapters of other people'),
      ...clusterSettings(adapters),
    })
    .transform(({ tls, trace, ...config }) => ({ ...config, tls: tls ?? null, trace: trace ?? null }))
}

/** What a cluster is configured with wherever it runs, also where there are no files and no sockets to listen on. */
export type ClusterConfig = Omit<ControlConfig, 'listen' | 'database' | 'tls' | 'adapters'>

export function clusterConfigSchema(adapters: readonly AnyAdapterSchema[]): z.ZodType<ClusterConfig, unknown> {
  return z
    .strictObject(clusterSettings(adapters))
    .transform(({ trace, ...config }) => ({ ...config, trace: trace ?? null }))
}

function clusterSettings(adapters: readonly AnyAdapterSchema[]) {
  return {
    ownerProbe: z.enum(['token', 'public']).default('token'),
    tokens: tokensSchema,
    services: z.record(nameSchema, serviceSchema(adapters)).default({}),
    retention: retentionSchema.prefault({}),
    rateLimit: rateLimitSchema.prefault({}),
    trace: traceSchema.optional(),
  }
}

const retentionSchema = z
  .strictObject({
    age: duration({ min: '1h', max: '87600h' }).default(90 * 24 * 3_600_000),
    events: z.int().min(100).max(100_000_000).default(100_000),
    operations: z.int().min(10).max(10_000_000).default(10_000),
  })
  .transform(({ age, events, operations }): Retention => ({ ageMs: age, events, operations }))

const rateLimitSchema = z.strictObject({
  perSecond: z.number().min(0.1).max(1_000_000).default(100),
  burst: z.int().min(1).max(1_000_000).default(500),
})

const traceSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('such as http://127.0.0.1:4318/v1/traces'),
  headers: z.record(z.string().min(1), z.string().meta({ secret: true })).default({}),
})

const listenSchema = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match && port <= 65_535) return { host: match[1] ?? match[2]!, port }
  context.issues.push({
    code: 'custom',
    input: text,
    message: 'must be an address and a port',
    params: { hint: 'write 127.0.0.1:8080 or [::1]:8080; port 0 takes a free one' },
  })
  return z.NEVER
})

const tokenSchema = z
  .strictObject({
    name: nameSchema,
    role: z.enum(['admin', 'operator', 'viewer', 'node']),
    node: nameSchema.optional(),
    token: z.string().min(1).meta({ secret: true }),
  })
  .superRefine(({ role, node }, context) => {
    const problem = (message: string, hint: string): void => {
      context.addIssue({ code: 'custom', path: ['node'], message, params: { hint } })
    }
    if (role === 'node' && node === undefined) problem('is required with the role node', 'write node: and its name')
    if (role !== 'node' && node !== undefined) problem('only goes with the role node', `remove it, or write role: node`)
  })
  .transform(({ node, ...token }) => ({ ...token, node: node ?? null }))

const tokensSchema = z
  .array(tokenSchema)
  .default([])
  .superRefine((tokens, context) => {
    const problem = (index: number, key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [index, key], message })
    }
    for (const [i, { name, token }] of tokens.entries()) {
      const sameName = tokens.findIndex((other) => other.name === name)
      const sameToken = tokens.findIndex((other) => other.token === token)
      if (sameName < i) problem(i, 'name', `is already the name of tokens[${sameName}]`)
      if (sameToken < i)
        problem(i, 'token', `is the same as that of tokens[${sameToken}]; nobody could tell them apart`)
    }
  })
