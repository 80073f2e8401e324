/**
 * What an operator has to know of an adapter, from its schemas alone: the tables of `adapters/README.md` and of
 * `holdfast adapters show`. Nothing is written twice, so nothing can differ.
 */
import { z } from 'zod'
import type { AdapterSchema, Permission } from './adapter.ts'

/** One key of a binding's `config` or of a target. */
export type Row = {
  /** Below other keys: `origin.url`; of each in a list: `addresses[]`. */
  readonly key: string
  readonly type: string
  /** `required`, `optional`, or the default as it would be written. */
  readonly need: string
  readonly what: string
}

type Json = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Json>>
  readonly required?: readonly string[]
  readonly items?: Json
  readonly anyOf?: readonly Json[]
  readonly oneOf?: readonly Json[]
  readonly additionalProperties?: Json | boolean
  readonly secretPlace?: boolean
}

export function rowsOf(schema: z.ZodType): readonly Row[] {
  return rowsIn(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json, '')
}

function rowsIn(json: Json, prefix: string): readonly Row[] {
  const { properties = {}, required = [] } = json
  return Object.entries(properties).flatMap(([name, property]) => {
    const key = `${prefix}${name}`
    const need =
      property.default !== undefined
        ? JSON.stringify(property.default)
        : required.includes(name)
          ? 'required'
          : 'optional'
    const row = { key, type: typeOf(property), need, what: property.description ?? '' }
    const inner =
      property.secretPlace === true ? [] : [...rowsIn(property, `${key}.`), ...itemRows(property.items, key)]
    return [row, ...inner]
  })
}

function itemRows(items: Json | undefined, key: string): readonly Row[] {
  return items === undefined ? [] : rowsIn(items, `${key}[].`)
}

function typeOf(json: Json): string {
  if (json.secretPlace === true) return '{env}, {file} or {credential}'
  const forms = json.anyOf ?? json.oneOf
  if (forms !== undefined) return [...new Set(forms.map(typeOf))].join(' or ')
  if (json.const !== undefined) return String(json.const)
  if (json.enum !== undefined) return json.enum.map(String).join(', ')
  if (json.type === 'array') return `list of ${json.items === undefined ? 'values' : typeOf(json.items)}`
  if (json.type === 'object') return 'mapping'
  const names: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', boolean: 'true or false' }
  const name = String(json.type ?? 'text')
  return names[name] ?? name
}

/** One permission as lines for people. */
export function permissionLines(permission: Permission): readonly string[] {
  if (permission.kind === 'grant') return permission.grants.map((grant) => `${permission.provider}: ${grant}`)
  return [`${permission.actions.join(', ')} on ${permission.resources.join(', ')}`]
}

/** The section of one adapter, in Markdown. `fence`: what the target itself refuses. */
export function sectionOf(schema: AdapterSchema<z.ZodType, z.ZodType>, fence: string): string {
  const { name, moves, config, target, example, permissions } = schema
  const allowed = permissions({
    config: config.parse(example.config),
    targets: Object.fromEntries(Object.entries(example.targets).map(([node, value]) => [node, target.parse(value)])),
  })
  return [
    `### ${name}`,
    `Moves ${moves}. Fence: ${fence}.`,
    tableOf('config', rowsOf(config)),
    tableOf('a target', rowsOf(target)),
    allowed.length === 0
      ? ''
      : `Its credentials must allow (here of the example):\n\n${allowed
          .flatMap(permissionLines)
          .map((line) => `- ${line}`)
          .join('\n')}`,
    `\`\`\`yaml\n${exampleOf(schema)}\n\`\`\``,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function tableOf(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return `\`${title}\` has no keys: write \`{}\`.`
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const lines = rows.map(
    ({ key, type, need, what }) => `| \`${key}\` | ${cell(type)} | ${cell(need)} | ${cell(what)} |`,
  )
  return [`| ${title} | type | | |`, '| --- | --- | --- | --- |', ...lines].join('\n')
}

/** A binding as an operator would write it, in YAML of one line for each part. JSON is YAML. */
export function exampleOf({ name, example }: AdapterSchema<z.ZodType, z.ZodType>): string {
  const targets = Object.entries(example.targets).map(([node, target]) => `      ${node}: ${flow(target)}`)
  const head = ['bindings:', `  - name: ${name}`, `    adapter: ${name}`, `    config: ${flow(example.config)}`]
  return [...head, '    targets:', ...targets].join('\n')
}

/** YAML's flow style, with quotes only where they are needed. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const inner = Object.entries(value).map(([key, one]) => `${key}: ${flow(one)}`)
    return inner.length === 0 ? '{}' : `{ ${inner.join(', ')} }`
  }
  const text = String(value)
  return typeof value === 'string' && !/^[A-Za-z][A-Za-z0-9._/-]*$/.test(text) ? JSON.stringify(text) : text
}
