/**
 * Reads a YAML or JSON configuration so that every mistake is found at once and named by file, line and key.
 *
 *   text ──yaml──▶ document ──walk──▶ plain value, the line of every key, ${NAME} expanded ──zod──▶ typed value
 *
 * A function of its input: the caller reads the file and hands over the environment. Nothing that came out of the
 * environment, and nothing that a schema marks with `.meta({ secret: true })`, is ever repeated in a problem.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLParseError,
} from 'yaml'
import { z } from 'zod'
import { type ConfigProblem, dotted, explainIssues, keyOf, type Located, valueAt } from './config-issues.ts'

export { type ConfigProblem, nearest } from './config-issues.ts'

/** A configuration that cannot be used. `problems` is never empty and is sorted by line. */
export class ConfigError extends Error {
  override name = 'ConfigError' as const
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
  }
}

export type ConfigInput<Schema extends z.ZodType> = {
  /** Only named in problems. */
  readonly file: string
  readonly text: string
  readonly schema: Schema
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The configuration in `text`, or a `ConfigError` with everything that is wrong with it. */
export function readConfig<Schema extends z.ZodType>(input: ConfigInput<Schema>): z.output<Schema> {
  return readGiven(input).value
}

/** `given`: the same as it was written, with `${NAME}` expanded. `lineOf`: where a key stands, or what it is in. */
export type Given<T> = { readonly value: T; readonly given: unknown; lineOf(path: readonly PropertyKey[]): number }

/** The configuration, and what it was read from. */
export function readGiven<Schema extends z.ZodType>(input: ConfigInput<Schema>): Given<z.output<Schema>> {
  const lines = new LineCounter()
  const document = parseDocument(input.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const [broken] = document.errors
  if (broken !== undefined) fail(input.file, [syntaxProblem(broken, lines, input.text)])
  const walk = readDocument(document, lines, input.environment)
  const { value, root, problems: found } = check(input.schema, walk)
  const problems = [...walk.problems, ...found]
  if (problems.length > 0) fail(input.file, problems)
  const lineOf = (path: readonly PropertyKey[]): number =>
    walk.located.get(keyOf(path))?.line ?? (path.length === 0 ? 1 : lineOf(path.slice(0, -1)))
  return { value: value as z.output<Schema>, given: root, lineOf }
}

/** `file:line: key: what is wrong (what to do)`. */
export function describeProblem(problem: ConfigProblem): string {
  const key = problem.key === '' ? '' : `${problem.key}: `
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`
  return `${problem.file}:${problem.line}: ${key}${problem.message}${hint}`
}

/** Only the first: what follows it is noise. The offending text is left out, since it may be a secret. */
function syntaxProblem(error: YAMLParseError, lines: LineCounter, text: string): Omit<ConfigProblem, 'file'> {
  const line = lines.linePos(error.pos[0]).line
  const message = `is not valid YAML: ${error.message.replace(/: ".*$/s, '')}`
  const unquoted = /(^|[^"'])\$\{/.test(text.split('\n')[line - 1] ?? '')
  return unquoted
    ? { line, key: '', message, hint: `inside {} and [] write "$\{NAME}" in quotes` }
    : { line, key: '', message }
}

function fail(file: string, problems: readonly Omit<ConfigProblem, 'file'>[]): never {
  throw new ConfigError(problems.map((problem) => ({ file, ...problem })).toSorted((a, b) => a.line - b.line))
}

type Walk = {
  readonly root: unknown
  /** By `keyOf(path)`. */
  readonly located: ReadonlyMap<string, Located>
  readonly problems: readonly Omit<ConfigProblem, 'file'>[]
}

type Checked = { value: unknown; root: unknown; problems: Omit<ConfigProblem, 'file'>[] }

/** Validates, giving values that came from the environment as text a second chance as the number or boolean they spell. */
function check(schema: z.ZodType, walk: Walk): Checked {
  const parse = (value: unknown) => schema.safeParse(value, { error: () => '', reportInput: true })
  let root = walk.root
  let result = parse(root)
  if (!result.success) {
    root = spellOut(root, result.error.issues, walk)
    if (root !== walk.root) result = parse(root)
  }
  if (result.success) return { value: result.data, root, problems: [] }
  return {
    value: undefined,
    root,
    problems: explainIssues({ issues: result.error.issues, schema, root, located: walk.located }),
  }
}

function spellOut(root: unknown, issues: readonly z.core.$ZodIssue[], walk: Walk): unknown {
  const spelled = issues.flatMap((issue) => {
    if (issue.code !== 'invalid_type' || !walk.located.get(keyOf(issue.path))?.expanded) return []
    const value = scalarOf(valueAt(root, issue.path), issue.expected)
    return value === undefined ? [] : [{ path: issue.path, value }]
  })
  if (spelled.length === 0) return root
  const copy = structuredClone(root)
  for (const { path, value } of spelled) {
    const parent = valueAt(copy, path.slice(0, -1)) as Record<PropertyKey, unknown>
    parent[path.at(-1)!] = value
  }
  return copy
}

function scalarOf(text: unknown, expected: string): unknown {
  if (typeof text !== 'string' || text.trim() === '') return undefined
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  if (expected !== 'number' && expected !== 'int') return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

/** The document as plain values. Later keys, lines and expansions are looked up by path. */
function readDocument(
  document: Document.Parsed,
  lines: LineCounter,
  environment: ConfigInput<z.ZodType>['environment'],
) {
  let nodes = 0
  const located = new Map<string, Located>()
  const problems: Omit<ConfigProblem, 'file'>[] = []
  const lineOf = (node: Node | null | undefined, fallback: number): number =>
    node?.range ? lines.linePos(node.range[0]).line : fallback

  const readNode = (node: Node | null, path: readonly PropertyKey[], line: number, depth: number): unknown => {
    if (!located.has(keyOf(path))) located.set(keyOf(path), { line, expanded: false, missing: false })
    nodes += 1
    if (depth > maxDepth || nodes > maxNodes) {
      if (nodes <= maxNodes || nodes === maxNodes + 1)
        problems.push({ line, key: dotted(path), message: 'is too large or nested too deep' })
      return null
    }
    if (isAlias(node)) return readNode((node.resolve(document) as Node | undefined) ?? null, path, line, depth + 1)
    if (isMap(node)) return readMap(node.items as Pair<Node, Node | null>[], path, line, depth)
    if (isSeq(node)) {
      return node.items.map((item, i) => readNode(item as Node, [...path, i], lineOf(item as Node, line), depth + 1))
    }
    return isScalar(node) ? readScalar(node, path, line) : null
  }

  const readMap = (pairs: Pair<Node, Node | null>[], path: readonly PropertyKey[], line: number, depth: number) => {
    const entries = new Map<string, unknown>()
    for (const pair of pairs) {
      const name = isScalar(pair.key) ? String(pair.key.value) : undefined
      const at = lineOf(pair.key, line)
      if (name === undefined || name === '__proto__') {
        problems.push({ line: at, key: dotted(path), message: 'has a key that is not a plain name' })
        continue
      }
      const inner = [...path, name]
      if (entries.has(name)) {
        const first = located.get(keyOf(inner))?.line
        problems.push({ line: at, key: dotted(inner), message: `is given twice; first on line ${first}` })
        continue
      }
      located.set(keyOf(inner), { line: at, expanded: false, missing: false })
      entries.set(name, readNode(pair.value, inner, at, depth + 1))
    }
    return Object.fromEntries(entries)
  }

  const readScalar = (node: Scalar, path: readonly PropertyKey[], line: number): unknown => {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node.value
    let expanded = false
    let missing = false
    const text = node.value.replace(/(\$?)\$\{([^}]*)\}/g, (all, literal: string, name: string) => {
      if (literal !== '') return all.slice(1)
      const value = environment[name]
      expanded = true
      if (value !== undefined) return value
      missing = true
      problems.push(missingVariable(name, dotted(path), lineOf(node, line)))
      return ''
    })
    located.set(keyOf(path), { line, expanded, missing })
    return text
  }

  const root = readNode(document.contents as Node | null, [], lineOf(document.contents as Node | null, 1), 0)
  return { root: root ?? {}, located, problems }
}

// Aliases may repeat each other, so that a short text can stand for a document without end.
const maxDepth = 64
const maxNodes = 100_000

function missingVariable(name: string, key: string, line: number): Omit<ConfigProblem, 'file'> {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const message = 'has a "${" that names no environment variable'
    return { line, key, message, hint: 'write $${ for a literal ${' }
  }
  const message = `needs the environment variable ${name}, which is not set`
  return {
    line,
    key,
    message,
    hint: `set ${name} where holdfast is started, or write $\${${name}} for that text itself`,
  }
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** A length of time as people write it (`150ms`, `36.5s`, `5m`, `1h`), in milliseconds. `min` and `max` are written the same way. */
export function duration(bounds: { readonly min?: string; readonly max?: string } = {}): z.ZodType<number, unknown> {
  const min = bounds.min === undefined ? 0 : durationMs(bounds.min)!
  const max = bounds.max === undefined ? Number.MAX_SAFE_INTEGER : durationMs(bounds.max)!
  const range = `${bounds.min ?? '0ms'}..${bounds.max ?? ''}`
  return z.unknown().transform((value, context) => {
    const problem = (message: string, hint?: string): never => {
      const params = { hint, got: typeof value !== 'number' && value !== undefined }
      context.issues.push({ code: 'custom', input: value, message, params })
      return z.NEVER
    }
    if (value === undefined) return problem('is required', 'write a duration such as 150ms, 1s, 5m or 1h')
    if (typeof value === 'number') return problem('needs a unit', `write ${value}ms or ${value}s`)
    const length = typeof value === 'string' ? durationMs(value) : undefined
    if (length === undefined) return problem('must be a duration', 'write 150ms, 1s, 5m or 1h')
    if (length < min || length > max) return problem(`must be ${range}`)
    return length
  })
}

function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)
  // Decimal fractions of a second are whole milliseconds, which binary multiplication would miss by a hair.
  return match ? Math.round(Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs] * 1_000) / 1_000 : undefined
}

/** A key that the design describes and this version does not do: refused by name, since ignoring it would be worse. */
export function notInThisVersion(what: string, hint: string): z.ZodType<unknown, unknown> {
  return z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value === undefined) return
      context.addIssue({ code: 'custom', message: `${what} not in this version`, params: { hint } })
    })
    .meta({ refused: true })
}
