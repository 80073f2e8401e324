/** The JSON Schema of the agent's configuration, for editors: `npm run docs:schema` writes it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { agentConfigSchema } from '../../node-agent/config.ts'

const file = join(import.meta.dirname, '../schema/agent.schema.json')

/** What it has of a value that is read as text or whatever else: nothing, so it is said here. */
const durations = { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|m|h)$', description: 'such as 150ms, 1s, 5m, 1h' }

/** As the file must be, by the schema that reads it; what its keys refuse of each other only holdfast check-config knows. */
export function agentJsonSchema(): string {
  const schema = z.toJSONSchema(agentConfigSchema(undefined, hostName), {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod
      if (def.type === 'pipe' && def.in._zod.def.type === 'unknown') Object.assign(jsonSchema, durations)
    },
  })
  return `${JSON.stringify({ title: 'Holdfast agent', ...(tidied(schema) as object) }, undefined, 2)}\n`
}

const hostName = 'the-host'

type Json = { readonly [key: string]: unknown }

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const isRefused = (value: unknown): boolean => isMap(value) && value.refused === true

/** Without what is refused by name, and without defaults that nobody could write into a file. */
function tidied(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((each) => !isRefused(each)).map(tidied)
  if (!isMap(value)) return value
  const entries = Object.entries(value)
    .filter(([key, inner]) => !isRefused(inner) && key !== 'secret' && !isUnwritable(key, value))
    .map(([key, inner]): [string, unknown] => [key, tidied(inner)])
  const { anyOf, ...others } = Object.fromEntries(entries)
  if (!Array.isArray(anyOf)) return Object.fromEntries(entries)
  return anyOf.length === 1 ? { ...others, ...anyOf[0] } : { ...others, anyOf }
}

/** A duration is text in the file, and a number behind it. */
function isUnwritable(key: string, { type, default: given }: Json): boolean {
  return key === 'default' && (given === hostName || (type === 'string' && typeof given === 'number'))
}

if (import.meta.main) writeFileSync(file, agentJsonSchema())
