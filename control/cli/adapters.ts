/**
 * `holdfast adapters`: which there are, how each is configured, what its credentials must allow, and whether a move
 * would be permitted now. `policy` and `preflight` read a configuration of control, and change nothing anywhere.
 */
import type { Adapter, Finding } from '../../adapters/adapter.ts'
import { exampleOf, permissionLines, rowsOf } from '../../adapters/documentation.ts'
import { builtIn, type Registry } from '../../adapters/registry.ts'
import { nearest } from '../config/config-issues.ts'
import type { BindingConfig } from '../config/service-config.ts'
import { messageOf } from '../message-of.ts'
import { loadControlConfig } from '../node/load-config.ts'
import { type BindingPermissions, policyOf } from './adapters-policy.ts'
import { UsageError } from './failure.ts'
import { readText } from './files.ts'
import { table } from './table.ts'

type Json = { readonly json?: boolean }

export function runAdaptersListCommand({ json = false }: Json): void {
  const known = builtIn.names.map((name) => ({ name, moves: builtIn.schemaOf(name)!.moves }))
  if (json) process.stdout.write(`${JSON.stringify(known)}\n`)
  else process.stdout.write(`${table([['ADAPTER', 'MOVES'], ...known.map(({ name, moves }) => [name, moves])])}\n`)
}

export function runAdaptersShowCommand(name: string, { json = false }: Json): void {
  const schema = builtIn.schemaOf(name)
  if (schema === undefined) {
    const near = nearest(name, builtIn.names)
    const hint = near === undefined ? `there are ${builtIn.names.join(', ')}` : `did you mean ${near}?`
    throw new UsageError(`no adapter is called ${name}: ${hint}`)
  }
  const parts = { config: rowsOf(schema.config), target: rowsOf(schema.target) }
  if (json) {
    process.stdout.write(`${JSON.stringify({ name, moves: schema.moves, ...parts, example: schema.example })}\n`)
    return
  }
  const rows = Object.entries(parts).map(([part, keys]) => {
    if (keys.length === 0) return `${part}: no keys, write {}`
    return table([
      [part.toUpperCase(), 'TYPE', '', ''],
      ...keys.map(({ key, type, need, what }) => [key, type, need, what]),
    ])
  })
  process.stdout.write(`${[`${name} moves ${schema.moves}.`, ...rows, exampleOf(schema)].join('\n\n')}\n`)
}

type Configured = Json & { readonly config: string; readonly service?: string }

type Known = { readonly registry: Registry; readonly bindings: readonly Binding[] }
type Binding = BindingConfig & { readonly service: string }

/** The bindings of a configuration of control, in its order. */
async function bindingsOf({ config: file, service }: Configured): Promise<Known> {
  // For its error, which names the file and what to do.
  readText(file)
  const { config, registry } = await loadControlConfig(file)
  const { services } = config
  if (service !== undefined && !Object.hasOwn(services, service)) {
    throw new UsageError(`${file} has no service ${service}; it has ${Object.keys(services).join(', ') || 'none'}`)
  }
  const bindings = Object.entries(services)
    .filter(([name]) => service === undefined || name === service)
    .flatMap(([name, { bindings }]) => bindings.map((binding) => ({ ...binding, service: name })))
  return { registry, bindings }
}

export async function runAdaptersPolicyCommand(options: Configured): Promise<void> {
  const { registry, bindings } = await bindingsOf(options)
  const needed = bindings.map(({ service, name, adapter, config, targets }): BindingPermissions => {
    return { binding: `${service}/${name}`, permissions: registry.schemaOf(adapter)!.permissions({ config, targets }) }
  })
  const { aws, grants } = policyOf(needed)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ aws, grants })}\n`)
    return
  }
  const parts = [
    ...(aws === null ? [] : [`AWS: an IAM policy for control's role or user`, JSON.stringify(aws, null, 2)]),
    ...grants.map(({ bindings, permission }) => {
      return [`${bindings.join(', ')}`, ...permissionLines(permission).map((line) => `  ${line}`)].join('\n')
    }),
  ]
  process.stdout.write(`${parts.join('\n\n') || 'No binding here needs a permission.'}\n`)
}

type Tried = { readonly service: string; readonly binding: string } & Finding

/** How long all of one binding may take, in milliseconds. */
const longestMs = 60_000

export async function runAdaptersPreflightCommand(options: Configured): Promise<void> {
  const { registry, bindings } = await bindingsOf(options)
  const tried = (await Promise.all(bindings.map((binding) => preflight(registry, binding)))).flat()
  const failed = tried.filter(({ result }) => result === 'failed')
  if (failed.length > 0) process.exitCode = 1
  if (options.json) {
    process.stdout.write(`${JSON.stringify(tried)}\n`)
    return
  }
  const rows = tried.map(({ service, binding, result, check, message }) => {
    return [`${service}/${binding}`, result, message === null ? check : `${check}: ${message}`]
  })
  process.stdout.write(`${table([['BINDING', 'RESULT', 'WHAT'], ...rows])}\n`)
  const summary =
    failed.length === 0
      ? 'Nothing that could be tried stands in the way of a move.'
      : `${failed.length} of ${tried.length} checks failed.`
  process.stdout.write(`\n${summary} Nothing was changed.\n`)
}

async function preflight(registry: Registry, binding: Binding): Promise<readonly Tried[]> {
  const { service, name, adapter: kind, config, targets } = binding
  const of = (finding: Finding): Tried => ({ service, binding: name, ...finding })
  let adapter: Adapter | undefined
  try {
    adapter = await registry.create(kind, { service, binding: name, config, targets })
    return (await adapter.preflight(AbortSignal.timeout(longestMs))).map(of)
  } catch (error) {
    return [of({ check: kind, result: 'failed', message: messageOf(error) })]
  } finally {
    adapter?.dispose()
  }
}
