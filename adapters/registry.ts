/**
 * The kinds of binding there are: a name, its schemas, and how to get the code.
 *
 * The code is imported when the first binding of its kind is made, because a provider's SDK costs half a second
 * and tens of megabytes that a control without such a binding should not pay.
 */
import type { z } from 'zod'
import type { Adapter, AdapterInput, AdapterPackage, AdapterSchema } from './adapter.ts'
import { awsEipSchema } from './aws-eip/schema.ts'
import { awsPrivateIpSchema } from './aws-private-ip/schema.ts'
import { awsRouteSchema } from './aws-route/schema.ts'
import { cloudflareDnsSchema } from './cloudflare-dns/schema.ts'
import { cloudflareEdgeSchema } from './cloudflare-edge/schema.ts'
import { cloudflareLoadBalancerSchema } from './cloudflare-load-balancer/schema.ts'
import { execSchema } from './exec/schema.ts'
import { createMemoryAdapter, createMemoryResource, type MemoryConfig, memorySchema } from './memory.ts'
import { powerdnsSchema } from './powerdns/schema.ts'
import { rfc2136Schema } from './rfc2136/schema.ts'
import { route53Schema } from './route53/schema.ts'
import { webhookSchema } from './webhook/schema.ts'

/** One kind of binding. `create` checks what it is given by the schemas, and throws a ZodError when it does not fit. */
export type AdapterEntry = {
  readonly schema: AdapterSchema<z.ZodType, z.ZodType>
  readonly create: (input: AdapterInput<unknown, unknown>) => Promise<Adapter>
}

export type Registry = {
  /** The names that `bindings[].adapter` may have. */
  readonly names: readonly string[]
  /** The schemas of a binding's `config` and of each of its `targets`. Undefined for a name that is none. */
  schemaOf(name: string): AdapterEntry['schema'] | undefined
  /** Makes the adapter of one binding. The name must be one of `names`. */
  create(name: string, input: AdapterInput<unknown, unknown>): Promise<Adapter>
}

const ours: readonly AdapterEntry[] = [
  entry(awsEipSchema, async () => (await import('./aws-eip/adapter.ts')).createAwsEip),
  entry(awsPrivateIpSchema, async () => (await import('./aws-private-ip/adapter.ts')).createAwsPrivateIp),
  entry(awsRouteSchema, async () => (await import('./aws-route/adapter.ts')).createAwsRoute),
  entry(cloudflareDnsSchema, async () => (await import('./cloudflare-dns/adapter.ts')).createCloudflareDns),
  entry(cloudflareEdgeSchema, async () => (await import('./cloudflare-edge/adapter.ts')).createCloudflareEdge),
  entry(
    cloudflareLoadBalancerSchema,
    async () => (await import('./cloudflare-load-balancer/adapter.ts')).createCloudflareLoadBalancer,
  ),
  entry(execSchema, async () => (await import('./exec/adapter.ts')).createExec),
  entry(memorySchema, async () => createMemory),
  entry(powerdnsSchema, async () => (await import('./powerdns/adapter.ts')).createPowerDns),
  entry(rfc2136Schema, async () => (await import('./rfc2136/adapter.ts')).createRfc2136),
  entry(route53Schema, async () => (await import('./route53/adapter.ts')).createRoute53),
  entry(webhookSchema, async () => (await import('./webhook/adapter.ts')).createWebhook),
]

/** Ours, and `more` of other people's. A name that is taken is an error. */
export function createRegistry(more: readonly AdapterEntry[] = []): Registry {
  const entries = new Map<string, AdapterEntry>()
  for (const each of [...ours, ...more]) {
    const { name } = each.schema
    if (entries.has(name)) throw new Error(`there is an adapter ${name} already`)
    entries.set(name, each)
  }
  const names = [...entries.keys()]
  return {
    names,
    schemaOf: (name) => entries.get(name)?.schema,
    create: async (name, input) => {
      const found = entries.get(name)
      if (found === undefined) throw new Error(`no adapter is called ${name}; there are ${names.join(', ')}`)
      return found.create(input)
    },
  }
}

/** Those that need no package of somebody else's. */
export const builtIn = createRegistry()

/** An adapter of somebody else's, as `createRegistry` takes it. */
export function entryOf({ schema, create }: AdapterPackage<z.ZodType, z.ZodType>): AdapterEntry {
  return entry(schema, async () => create)
}

/** A resource of its own, which starts at nothing and is forgotten with the process: a dry run. */
function createMemory({ config: { cas }, targets }: AdapterInput<MemoryConfig, unknown>): Adapter {
  const timers = { now: () => performance.now(), after: (ms: number, call: () => void) => void setTimeout(call, ms) }
  return createMemoryAdapter({ resource: createMemoryResource({ timers, cas }), nodes: Object.keys(targets) })
}

/** Ties schemas and code together by their types, and hides the types from whoever asks by name. */
function entry<Config extends z.ZodType, Target extends z.ZodType>(
  schema: AdapterSchema<Config, Target>,
  load: () => Promise<(input: AdapterInput<z.output<Config>, z.output<Target>>) => Adapter | Promise<Adapter>>,
): AdapterEntry {
  return {
    schema,
    create: async ({ config, targets, ...names }) => {
      const parsed = Object.entries(targets).map(([node, target]) => [node, schema.target.parse(target)] as const)
      const input = { ...names, config: schema.config.parse(config), targets: Object.fromEntries(parsed) }
      const made = await (await load())(input)
      const budget = schema.budget(input.config)
      return budget === null ? made : { ...made, budget }
    },
  }
}
