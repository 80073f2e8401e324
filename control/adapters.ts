/** The adapters of this program, as control asks for them: all their schemas, and one made for each binding. */
import type { Adapter } from '../adapters/adapter.ts'
import { adapterNames, adapterSchemaOf, createAdapter } from '../adapters/registry.ts'
import type { AnyAdapterSchema, ServiceConfig } from './config/service-config.ts'

export const adapterSchemas: readonly AnyAdapterSchema[] = adapterNames.map((name) => adapterSchemaOf(name)!)

/** All or none, so that nothing that was made is left behind. */
export async function makeAdapters(
  service: string,
  { bindings }: ServiceConfig,
): Promise<ReadonlyMap<string, Adapter>> {
  const made = await Promise.allSettled(
    bindings.map(async ({ name, adapter, config, targets }) => {
      return [name, await createAdapter(adapter, { service, binding: name, config, targets })] as const
    }),
  )
  const failed = made.find((one) => one.status === 'rejected')
  const done = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  if (failed === undefined) return new Map(done)
  for (const [, adapter] of done) adapter.dispose()
  throw failed.reason
}
