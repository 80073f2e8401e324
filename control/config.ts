/**
 * Control's configuration: its schema, and the reader that names every mistake by file, line and key.
 *
 * What the design describes and this version does not do yet is refused by name: a key that is accepted and has no
 * effect would be worse than an error.
 */
import { z } from 'zod'
import type { AdapterSchema } from '../adapters/adapter.ts'
import { duration, notInThisVersion, readConfig } from './config-file.ts'
import { nameSchema } from './contract.ts'

export type Role = 'admin' | 'operator' | 'viewer' | 'node'

export type TokenConfig = {
  readonly name: string
  readonly role: Role
  /** The one node that a token with the role `node` may speak for; null with every other role. */
  readonly node: string | null
  readonly token: string
}

export type BindingConfig = {
  readonly name: string
  readonly adapter: string
  /** Checked by the adapter's own schema, and opaque from then on. */
  readonly config: unknown
  readonly targets: Readonly<Record<string, unknown>>
}

export type ServiceConfig = {
  /** How long the present owner is asked before a rival is believed, in milliseconds. */
  readonly confirmMs: number
  readonly bindings: readonly BindingConfig[]
}

export type ControlConfig = {
  readonly listen: { readonly host: string; readonly port: number }
  /** A file, or `:memory:`. */
  readonly database: string
  /** Who may call `GET /v1/services/{service}/owner`: any viewer's token, or everybody, as most health probes need. */
  readonly ownerProbe: 'token' | 'public'
  readonly tokens: readonly TokenConfig[]
  readonly services: Readonly<Record<string, ServiceConfig>>
}

/** An adapter's schemas without their types: control never looks inside. */
export type AnyAdapterSchema = AdapterSchema<z.ZodType, z.ZodType>

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
      ownerProbe: z.enum(['token', 'public']).default('token'),
      tokens: tokensSchema,
      services: z.record(nameSchema, serviceSchema(adapters)).default({}),
      tls: notInThisVersion('TLS is', 'leave it out, and put a reverse proxy that ends TLS in front of control'),
    })
    .transform(({ tls: _, ...config }) => config)
}

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

function serviceSchema(adapters: readonly AnyAdapterSchema[]) {
  return z
    .strictObject({
      confirm: duration({ min: '10ms', max: '10s' }).default(150),
      bindings: bindingsSchema(adapters),
      sites: notInThisVersion('an order of sites is', 'leave it out: all sites are equal'),
      flap: notInThisVersion('flap damping is', 'leave it out'),
    })
    .transform(({ confirm, bindings }) => ({ confirmMs: confirm, bindings }))
}

function bindingsSchema(adapters: readonly AnyAdapterSchema[]): z.ZodType<readonly BindingConfig[], unknown> {
  const [first, ...rest] = adapters.map(bindingSchema)
  if (first === undefined) throw new Error('control needs at least one adapter')
  return z
    .array(z.discriminatedUnion('adapter', [first, ...rest]))
    .default([])
    .superRefine((bindings, context) => {
      for (const [i, { name }] of bindings.entries()) {
        const same = bindings.findIndex((other) => other.name === name)
        if (same >= i) continue
        context.addIssue({ code: 'custom', path: [i, 'name'], message: `is already the name of bindings[${same}]` })
      }
    })
}

function bindingSchema(adapter: AnyAdapterSchema) {
  return z
    .strictObject({
      name: nameSchema,
      adapter: z.literal(adapter.name),
      config: adapter.config,
      drift: driftSchema,
      targets: z
        .record(nameSchema, adapter.target)
        .refine((targets) => Object.keys(targets).length > 0, 'must name at least one node and its target'),
    })
    .transform(({ drift: _, ...binding }) => binding)
}

/** Resources that somebody else changes are put back. The other policies need an operator's queue that is not here yet. */
const driftSchema = z
  .enum(['reassert', 'alert', 'freeze'])
  .default('reassert')
  .superRefine((drift, context) => {
    if (drift === 'reassert') return
    const hint = 'write reassert or leave it out: what somebody else changed is put back, and an event says so'
    context.addIssue({ code: 'custom', message: `${drift} is not in this version`, params: { hint } })
  })
