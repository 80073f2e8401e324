/** The adapters of this program, as control asks for them: all their schemas, and one made for each binding. */
import type { Adapter } from '../adapters/adapter.ts'
import { builtIn, type Registry } from '../adapters/registry.ts'
import type { AnyAdapterSchema } from './config/service-config.ts'
import type { MakeAdapters } from './core/declarations.ts'

export type Adapters = {
  readonly schemas: readonly AnyAdapterSchema[]
  /** All or none, so that nothing that was made is left behind. */
  readonly make: MakeAdapters
}

export function adaptersOf(registry: Registry): Adapters {
  return {
    schemas: registry.names.map((name) => registry.schemaOf(name)!),
    make: async (service, { bindings }) => {
      const made = await Promise.allSettled(
        bindings.map(async ({ name, adapter, config, targets }) => {
          return [name, await registry.create(adapter, { service, binding: name, config, targets })] as const
        }),
      )
      const failed = made.find((one) => one.status === 'rejected')
      const done = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      if (failed === undefined) return new Map<string, Adapter>(done)
      for (const [, adapter] of done) adapter.dispose()
      throw failed.reason
    },
  }
}

/** Without packages of other people. */
export const ownAdapters = adaptersOf(builtIn)
