/**
 * Adapters of other people: packages that the configuration names under `adapters:`, found from where that file is.
 * They are code that control runs with all its rights, so they are named there and nowhere else.
 */
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import type { AdapterPackage } from '../../adapters/adapter.ts'
import { builtIn, createRegistry, entryOf, type Registry } from '../../adapters/registry.ts'
import { ConfigError } from '../config/config-file.ts'
import { messageOf } from '../message-of.ts'

/** Ours, and those that `text` names. Throws a `ConfigError` with every package that cannot be used. */
export async function loadAdapters(file: string, text: string): Promise<Registry> {
  const names = namesIn(text)
  if (names.length === 0) return builtIn
  const loaded = await Promise.all(names.map((name) => load(file, name)))
  const problems = loaded.flatMap((one, i) => {
    const line = lineOf(text, names[i]!)
    return 'problem' in one ? [{ file, line, key: `adapters[${i}]`, ...one.problem }] : []
  })
  if (problems.length > 0) throw new ConfigError(problems)
  const packages = loaded.flatMap((one) => ('found' in one ? [one.found] : []))
  try {
    return createRegistry(packages.map(entryOf))
  } catch (error) {
    throw new ConfigError([{ file, line: lineOf(text, names[0]!), key: 'adapters', message: messageOf(error) }])
  }
}

/** What is wrong with the file otherwise is found, and said, by its reader. */
function namesIn(text: string): readonly string[] {
  try {
    const root: unknown = parse(text, { logLevel: 'silent' })
    const found = z.object({ adapters: z.array(z.string().min(1)) }).safeParse(root)
    return found.success ? found.data.adapters : []
  } catch {
    return []
  }
}

type Any = z.ZodType
type Loaded =
  | { readonly found: AdapterPackage<Any, Any> }
  | { readonly problem: { readonly message: string; readonly hint: string } }

async function load(file: string, name: string): Promise<Loaded> {
  try {
    const { resolve: find } = createRequire(resolve(file))
    const module = (await import(pathToFileURL(find(name)).href)) as { readonly default?: unknown }
    const shape = packageShape.safeParse(module.default)
    if (shape.success) return { found: module.default as AdapterPackage<Any, Any> }
    const message = `${name} is no adapter: ${z.prettifyError(shape.error).replaceAll(/\s+/g, ' ')}`
    return { problem: { message, hint: 'it exports {schema, create} by default; adapters/README.md shows one' } }
  } catch (error) {
    const isMissing = (error as { readonly code?: unknown }).code === 'MODULE_NOT_FOUND'
    const message = isMissing ? `there is no package ${name}` : `${name} cannot be loaded: ${messageOf(error)}`
    return { problem: { message, hint: `npm install ${name}, in the folder of this file or above it` } }
  }
}

const schemaLike = z.custom<Any>(
  (value) => typeof (value as Any | undefined)?.safeParse === 'function',
  'no zod schema',
)
const functionLike = z.custom((value) => typeof value === 'function', 'no function')

const packageShape = z.object({
  schema: z.object({
    name: z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name is small letters, digits and -'),
    moves: z.string(),
    config: schemaLike,
    target: schemaLike,
    example: z.object({ config: z.unknown(), targets: z.record(z.string(), z.unknown()) }),
    permissions: functionLike,
    budget: functionLike,
  }),
  create: functionLike,
})

function lineOf(text: string, name: string): number {
  const at = text.split('\n').findIndex((line) => line.includes(name))
  return Math.max(at, 0) + 1
}
