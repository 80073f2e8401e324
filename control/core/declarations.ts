/**
 * Services that are declared while control runs: checked as those of its configuration file are, and in the same words;
 * kept as canonical JSON, which is what people get back and what an ETag stands for.
 *
 * Nothing is expanded from the environment and no secret is taken, because what comes in here is stored in clear.
 */
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import type { Adapter } from '../../adapters/adapter.ts'
import { hex } from '../access/auth.ts'
import { ConfigError, type ConfigProblem } from '../config/config-file.ts'
import { dotted, explainIssues } from '../config/config-issues.ts'
import { isSecretAt, whyNotOverApi } from '../config/over-api.ts'
import { type AnyAdapterSchema, type ServiceConfig, serviceSchema } from '../config/service-config.ts'
import type { DeclarationRecord } from '../store/store.ts'
import type { Declared, Log } from './ports.ts'

/** Makes the adapter of each binding, by its name. */
export type MakeAdapters = (service: string, config: ServiceConfig) => Promise<ReadonlyMap<string, Adapter>>

export type Declaration = { readonly config: ServiceConfig; readonly text: string }

/** Throws a `ConfigError` with everything that is wrong; `service` stands for the file in it. */
export function readDeclaration(service: string, value: unknown, adapters: readonly AnyAdapterSchema[]): Declaration {
  const schema = serviceSchema(adapters)
  const fail = (problems: readonly Omit<ConfigProblem, 'file'>[]): never => {
    throw new ConfigError(problems.map((problem) => ({ file: service, ...problem })))
  }
  const refused = refuse(schema, value)
  if (refused.length > 0) fail(refused)
  const parsed = schema.safeParse(value, { error: () => '', reportInput: true })
  if (parsed.success) return { config: parsed.data, text: canonical(value) }
  const { issues } = parsed.error
  return fail(explainIssues({ issues, schema, root: value, located: new Map(), whole: 'a service' }))
}

const maxDepth = 32

/** What must not be stored, whatever the schema says. */
function refuse(schema: z.ZodType, root: unknown): Omit<ConfigProblem, 'file'>[] {
  const look = (value: unknown, path: readonly PropertyKey[]): Omit<ConfigProblem, 'file'>[] => {
    const wrong = (message: string, hint: string) => [{ line: 1, key: dotted(path), message, hint }]
    if (path.length > maxDepth) return wrong('is nested too deep', `at most ${maxDepth} levels`)
    const why = whyNotOverApi(schema, path, root, value)
    if (why !== null) return wrong(`must not come over the API: it ${why}`, inFile)
    if (typeof value === 'string' && value.includes('${'))
      return wrong('has a "${", which is not expanded here', inFile)
    if (typeof value !== 'object' || value === null) return []
    if (Array.isArray(value)) return value.flatMap((item, i) => look(item, [...path, i]))
    if (Object.hasOwn(value, '__proto__')) return wrong('has a key that is not a plain name', 'remove __proto__')
    return Object.entries(value).flatMap(([key, inner]) => look(inner, [...path, key]))
  }
  return look(root, [])
}

const inFile = "declare the service in control's configuration file, where the environment can be named"

/** The same for equal declarations, however their keys are ordered. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** A strong ETag. */
export async function etagOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `"${hex(new Uint8Array(digest)).slice(0, 32)}"`
}

/** Those that were declared over the API and still can be. What does not fit any more is left out and said, not fatal. */
export async function declareStored(input: {
  readonly records: readonly DeclarationRecord[]
  /** Services of the configuration file: it wins over what was declared under the same name. */
  readonly inFile: { has(service: string): boolean }
  readonly adapters: readonly AnyAdapterSchema[]
  readonly makeAdapters: MakeAdapters
  readonly log: Log
}): Promise<ReadonlyMap<string, Declared>> {
  const { records, inFile, adapters, makeAdapters, log } = input
  const declared = new Map<string, Declared>()
  for (const { service, version, text } of records) {
    const left = (msg: string): void => log('warn', { event: 'declaration-skipped', service, version, msg })
    if (inFile.has(service)) {
      left(`${service} is in the configuration file as well, which wins over what was declared over the API`)
      continue
    }
    try {
      const { config } = readDeclaration(service, JSON.parse(text), adapters)
      declared.set(service, { config, adapters: await makeAdapters(service, config), origin: 'api' })
    } catch (error) {
      const why = error instanceof ConfigError ? error.problems.map(sentence).join('; ') : (error as Error).message
      left(
        `the declaration of ${service} does not fit this Holdfast, so nobody looks after it until it is declared anew: ${why}`,
      )
    }
  }
  return declared
}

function sentence({ key, message, hint }: ConfigProblem): string {
  return `${key === '' ? '' : `${key}: `}${message}${hint === undefined ? '' : ` (${hint})`}`
}

/** The services of a configuration file as they stand there: `${NAME}` unexpanded, and no secret shown. */
export function declarationsOfFile(
  text: string,
  adapters: readonly AnyAdapterSchema[],
): Readonly<Record<string, unknown>> {
  const schema = serviceSchema(adapters)
  // The same text has been read, and its size found bearable, by whoever loaded the configuration.
  const { services } = (parseYaml(text, { maxAliasCount: -1 }) ?? {}) as { services?: Record<string, unknown> | null }
  const shown = Object.entries(services ?? {}).map(([service, declared]) => {
    const root = declared ?? {}
    return [service, withoutSecrets(schema, root, root, [])] as const
  })
  return Object.fromEntries(shown)
}

function withoutSecrets(schema: z.ZodType, root: unknown, value: unknown, path: readonly PropertyKey[]): unknown {
  if (isSecretAt(schema, path, root)) {
    return typeof value === 'string' && /^\$\{\w+\}$/.test(value) ? value : '(secret)'
  }
  if (Array.isArray(value)) return value.map((item, i) => withoutSecrets(schema, root, item, [...path, i]))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => {
    return [key, withoutSecrets(schema, root, inner, [...path, key])] as const
  })
  return Object.fromEntries(entries)
}
