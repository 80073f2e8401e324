/**
 * The kinds of binding there are: a name, its schemas, and how to get the code.
 *
 * The code is imported when the first binding of its kind is made, because a provider's SDK costs half a second
 * and tens of megabytes that a control without such a binding should not pay.
 */
import type { z } from 'zod'
import type { Adapter, AdapterInput, AdapterSchema } from './adapter.ts'
import { awsEipSchema } from './aws-eip/schema.ts'
import { execSchema } from './exec/schema.ts'
import { createMemoryAdapter, createMemoryResource, type MemoryConfig, memorySchema } from './memory.ts'
import { webhookSchema } from './webhook/schema.ts'

/** One kind of binding. `create` checks what it is given by the schemas, and throws a ZodError when it does not fit. */
type AdapterEntry = {
  readonly schema: AdapterSchema<z.ZodType, z.ZodType>
  readonly create: (input: AdapterInput<unknown, unknown>) => Promise<Adapter>
}

const adapters: Readonly<Record<string, AdapterEntry>> = {
  'aws-eip': entry(awsEipSchema, async () => (await import('./aws-eip/adapter.ts')).createAwsEip),
  exec: entry(execSchema, async () => (await import('./exec/adapter.ts')).createExec),
  memory: entry(memorySchema, async () => createMemory),
  webhook: entry(webhookSchema, async () => (await import('./webhook/adapter.ts')).createWebhook),
}

/** The names that `bindings[].adapter` may have. */
export const adapterNames: readonly string[] = Object.keys(adapters)

/** The schemas of a binding's `config` and of each of its `targets`. Undefined for a name that is none. */
export function adapterSchemaOf(name: string): AdapterSchema<z.ZodType, z.ZodType> | undefined {
  return Object.hasOwn(adapters, name) ? adapters[name]?.schema : undefined
}

/** Makes the adapter of one binding. The name must be one of `adapterNames`. */
export async function createAdapter(name: string, input: AdapterInput<unknown, unknown>): Promise<Adapter> {
  const found = Object.hasOwn(adapters, name) ? adapters[name] : undefined
  if (found === undefined) throw new Error(`no adapter is called ${name}; there are ${adapterNames.join(', ')}`)
  return found.create(input)
}

/** A resource of its own, which starts at nothing and is forgotten with the process: a dry run. */
function createMemory({ config: { cas }, targets }: AdapterInput<MemoryConfig, unknown>): Adapter {
  const timers = { now: () => performance.now(), after: (ms: number, call: () => void) => void setTimeout(call, ms) }
  return createMemoryAdapter({ resource: createMemoryResource({ timers, cas }), nodes: Object.keys(targets) })
}

/** Ties schemas and code together by their types, and hides the types from whoever asks by name. */
function entry<Config extends z.ZodType, Target extends z.ZodType>(
  schema: AdapterSchema<Config, Target>,
  load: () => Promise<(input: AdapterInput<z.output<Config>, z.output<Target>>) => Adapter>,
): AdapterEntry {
  return {
    schema,
    create: async ({ config, targets, ...names }) => {
      const parsed = Object.entries(targets).map(([node, target]) => [node, schema.target.parse(target)] as const)
      const input = { ...names, config: schema.config.parse(config), targets: Object.fromEntries(parsed) }
      const made = (await load())(input)
      const budget = schema.budget(input.config)
      return budget === null ? made : { ...made, budget }
    },
  }
}
