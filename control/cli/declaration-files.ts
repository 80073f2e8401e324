/**
 * Reads the services that `holdfast apply` is to declare: files with `services:` as control's configuration has it,
 * each of one or several YAML documents, all merged.
 *
 * Checked here as control will check them, so that a mistake is told with its file and line. `${NAME}` is expanded here,
 * from this command's environment; secrets are refused, since control stores what is declared to it in clear.
 */
import { readFileSync } from 'node:fs'
import { LineCounter, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { ownAdapters } from '../adapters.ts'
import { ConfigError, type ConfigProblem, readGiven } from '../config/config-file.ts'
import { dotted } from '../config/config-issues.ts'
import { whyNotOverApi } from '../config/over-api.ts'
import { type AnyAdapterSchema, serviceSchema } from '../config/service-config.ts'
import { nameSchema } from '../contract.ts'
import { readText } from './files.ts'

type Input = {
  /** `-` is standard input. */
  readonly files: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Default: those of this program, which are control's if it is of the same version. */
  readonly adapters?: readonly AnyAdapterSchema[]
}

/** By service, in the order of the files. Throws a `ConfigError` with everything that is wrong in any of them. */
export function readDeclarationFiles({
  files,
  environment,
  adapters = ownAdapters.schemas,
}: Input): ReadonlyMap<string, unknown> {
  const schema = z.strictObject({ services: z.record(nameSchema, serviceSchema(adapters)) })
  const found = new Map<string, Found>()
  const problems: ConfigProblem[] = []
  for (const { file, text } of files.flatMap(documentsOf)) {
    try {
      const { given, lineOf } = readGiven({ file, text, schema, environment })
      problems.push(...secretsIn(schema, { file, given, lineOf }))
      for (const [service, declaration] of Object.entries((given as { services: Record<string, unknown> }).services)) {
        const line = lineOf(['services', service])
        const first = found.get(service)
        if (first === undefined) found.set(service, { file, line, declaration: declaration ?? {} })
        else {
          const message = `is declared twice; first in ${first.file}:${first.line}`
          problems.push({ file, line, key: `services.${service}`, message, hint: 'remove one of them' })
        }
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return new Map([...found].map(([service, { declaration }]) => [service, declaration]))
}

type Found = { readonly file: string; readonly line: number; readonly declaration: unknown }

/** Each document with as many empty lines before it as the file has, so that its lines are the file's. */
function documentsOf(file: string): { file: string; text: string }[] {
  const [name, text] = file === '-' ? ['standard input', readFileSync(0, 'utf8')] : [file, readText(file)]
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  if (documents.length < 2) return [{ file: name, text }]
  return documents.map(({ range: [start, , end] }) => ({
    file: name,
    text: '\n'.repeat(lines.linePos(start).line - 1) + text.slice(start, end),
  }))
}

type Document = { readonly file: string; readonly given: unknown; lineOf(path: readonly PropertyKey[]): number }

function secretsIn(schema: z.ZodType, { file, given, lineOf }: Document): ConfigProblem[] {
  const look = (value: unknown, path: readonly PropertyKey[]): ConfigProblem[] => {
    const message = whyNotOverApi(schema, path, given, value)
    if (message !== null) {
      const hint = "declare this service in control's configuration file, which names the environment instead"
      return [{ file, line: lineOf(path), key: dotted(path), message, hint }]
    }
    if (typeof value !== 'object' || value === null) return []
    const entries: [PropertyKey, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
    return entries.flatMap(([key, inner]) => look(inner, [...path, key]))
  }
  return look(given, [])
}
