/**
 * Puts what zod finds wrong with a configuration into words: the line and key, what is allowed there, what was
 * given, and what to do. The schema itself is asked for what is allowed, so no text here knows any key by name.
 */
import type { z } from 'zod'

export type ConfigProblem = {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** Dotted path, such as `services.web.vrid`; empty for the document itself. */
  readonly key: string
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
}

/** Where a value stands, and whether the environment had a part in it (`missing`: a variable was not set). */
export type Located = { readonly line: number; readonly expanded: boolean; readonly missing: boolean }

type Problem = Omit<ConfigProblem, 'file'>
type Path = readonly PropertyKey[]

export type Issues = {
  /** Found with an error map that answers '' so that only a schema's own messages have text. */
  readonly issues: readonly z.core.$ZodIssue[]
  readonly schema: z.ZodType
  readonly root: unknown
  readonly located: ReadonlyMap<string, Located>
  /** What the whole is called, where its keys are listed. Default: `this file`. */
  readonly whole?: string
}

export function explainIssues(input: Issues): Problem[] {
  const problems = input.issues.flatMap((issue) => explain(input, issue, issue.path))
  // A value whose variable is missing has been named already, and whatever else is wrong with it follows from that.
  return problems.filter(({ path }) => !input.located.get(keyOf(path))?.missing).map(({ problem }) => problem)
}

type Explained = { path: Path; problem: Problem }

function explain(input: Issues, issue: z.core.$ZodIssue, path: Path): Explained[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(input, path, key))
  if (issue.code === 'invalid_union' && issue.errors.length > 0 && issue.message === '') {
    return explainUnion(input, issue, path)
  }
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) {
    const why = issue.issues[0].message || 'is not allowed as a name here'
    return [{ path, problem: { line: lineAt(input, path), key: dotted(path), message: why } }]
  }
  const hint = hintOf(input, issue, path)
  const problem = { line: lineAt(input, path), key: dotted(path), message: messageOf(input, issue, path) }
  return [{ path, problem: hint === undefined ? problem : { ...problem, hint } }]
}

function unknownKey(input: Issues, path: Path, key: string): Explained {
  const inner = [...path, key]
  const known = knownKeys(input, path)
  const near = nearest(key, known)
  const parent = path.length === 0 ? (input.whole ?? 'this file') : dotted(path)
  const hint = near !== undefined ? `did you mean ${near}?` : `${parent} has the keys ${known.join(', ')}`
  const problem = { line: lineAt(input, inner), key: dotted(inner), message: 'is not a known key' }
  return { path: inner, problem: known.length === 0 ? problem : { ...problem, hint } }
}

/** Of several allowed forms, the one the author meant is the one whose outermost type fits. */
function explainUnion(input: Issues, issue: z.core.$ZodIssueInvalidUnion, path: Path): Explained[] {
  const meant = issue.errors.filter((branch) => !branch.some(({ path, code }) => path.length === 0 && isOfType(code)))
  if (meant.length === 1) return meant[0]!.flatMap((inner) => explain(input, inner, [...path, ...inner.path]))
  const forms = issue.errors.flatMap((branch) =>
    branch.map((inner) => allowed(inner, []) ?? inner.message).filter((text) => text !== ''),
  )
  const message = `must be ${[...new Set(forms)].join(' or ') || 'one of the allowed forms'}${got(input, path)}`
  return [{ path, problem: { line: lineAt(input, path), key: dotted(path), message } }]
}

function isOfType(code: string | undefined): boolean {
  return code === 'invalid_type' || code === 'invalid_value'
}

function messageOf(input: Issues, issue: z.core.$ZodIssue, path: Path): string {
  if (issue.message !== '') {
    const repeat = issue.code === 'custom' && issue.params?.got === true
    return repeat ? `${issue.message}${got(input, path)}` : issue.message
  }
  const schemas = schemasAt(input.schema, path, input.root)
  const described = schemas.map((schema) => schema.description).find((text) => text !== undefined)
  const what = described === undefined ? '' : ` (${described})`
  if (issue.code === 'invalid_type' && valueAt(input.root, path) === undefined) return `is required${what}`
  return `must be ${allowed(issue, schemas) ?? 'something else'}${what}${got(input, path)}`
}

/** What a place takes, as the end of a sentence that begins "must be". */
function allowed(issue: z.core.$ZodIssue, schemas: readonly z.ZodType[]): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected
    case 'invalid_value':
      return listed(issue.values.map(String))
    case 'invalid_union':
      return discriminators(issue).length === 0 ? undefined : listed(discriminators(issue))
    case 'invalid_format':
      return formatNames[issue.format] ?? `a valid ${issue.format}`
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'too_small':
    case 'too_big':
      return rangeOf(issue, schemas)
    default:
      return undefined
  }
}

/** What a discriminated union would have taken; zod states it without declaring it. */
function discriminators(issue: z.core.$ZodIssueInvalidUnion): string[] {
  return ((issue as { options?: unknown[] }).options ?? []).map(String)
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
}

const formatNames: Readonly<Record<string, string>> = { url: 'a URL', ipv4: 'an IPv4 address', ipv6: 'an IPv6 address' }

function listed(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : `one of ${values.join(', ')}`
}

function rangeOf(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  schemas: readonly z.ZodType[],
): string | undefined {
  const units: Readonly<Record<string, string>> = {
    string: ' characters long',
    array: ' entries long',
    set: ' entries long',
  }
  const unit = units[issue.origin] ?? ''
  const bounds = schemas.map(boundsOf).find(({ min, max }) => min !== undefined || max !== undefined)
  if (bounds?.min !== undefined && bounds.max !== undefined) return `${bounds.min}..${bounds.max}${unit}`
  if (issue.code === 'too_small')
    return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit}`
  return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit}`
}

function boundsOf(schema: z.ZodType): { min?: number; max?: number } {
  const checks = (schema._zod.def.checks ?? []).map((check) => check._zod.def as Check)
  const min = checks.find((check) => check.check === 'greater_than' || check.check === 'min_length')
  const max = checks.find((check) => check.check === 'less_than' || check.check === 'max_length')
  const least = min?.minimum ?? min?.value
  const most = max?.maximum ?? max?.value
  return { ...(least === undefined ? {} : { min: least }), ...(most === undefined ? {} : { max: most }) }
}

type Check = { check: string; value?: number; minimum?: number; maximum?: number }

/** The value as given, unless it may be a secret. */
function got(input: Issues, path: Path): string {
  const value = valueAt(input.root, path)
  const from = path.map((_, i) => path.slice(0, i + 1))
  if (from.some((prefix) => input.located.get(keyOf(prefix))?.expanded)) return '; got a value from the environment'
  // Also where only the place of a secret belongs: somebody may have written the secret itself there.
  if (schemasAt(input.schema, path, input.root).some((schema) => isSecret(schema.meta()))) return ''
  if (value === undefined) return ''
  if (value === null) return '; got nothing'
  if (Array.isArray(value)) return '; got a list'
  if (typeof value === 'object') return '; got a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return `; got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`
}

const isSecret = (meta: Readonly<Record<string, unknown>> | undefined): boolean =>
  meta?.secret === true || meta?.secretPlace === true

function hintOf(input: Issues, issue: z.core.$ZodIssue, path: Path): string | undefined {
  if (issue.code === 'custom' && typeof issue.params?.hint === 'string') return issue.params.hint
  const options =
    issue.code === 'invalid_value' ? issue.values : issue.code === 'invalid_union' ? discriminators(issue) : undefined
  const value = valueAt(input.root, path)
  if (options === undefined || typeof value !== 'string' || got(input, path).startsWith('; got a value'))
    return undefined
  const near = nearest(value, options.map(String))
  return near === undefined ? undefined : `did you mean ${near}?`
}

/** The line of the value, or, when it is missing, of the nearest thing around it that is there. */
function lineAt(input: Issues, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const found = input.located.get(keyOf(path.slice(0, length)))
    if (found !== undefined) return found.line
  }
  return 1
}

function knownKeys(input: Issues, path: Path): string[] {
  const keys = schemasAt(input.schema, path, input.root).flatMap((schema) => {
    const definition = schema._zod.def as { type: string; shape?: object }
    return definition.shape === undefined ? [] : Object.keys(definition.shape)
  })
  return [...new Set(keys)]
}

/** Every schema that may hold at `path`: a union contributes those options that its discriminator leaves open. */
export function schemasAt(schema: z.ZodType, path: Path, root: unknown): z.ZodType[] {
  return path.reduce<{ schemas: z.ZodType[]; value: unknown }>(
    ({ schemas, value }, part) => ({
      schemas: schemas
        .flatMap((candidate) => step(candidate, part))
        .flatMap((inner) => unwrap(inner, valueAt(value, [part]))),
      value: valueAt(value, [part]),
    }),
    { schemas: unwrap(schema, root), value: root },
  ).schemas
}

function step(schema: z.ZodType, part: PropertyKey): z.ZodType[] {
  const definition = schema._zod.def as Definition
  if (definition.type === 'object')
    return Object.hasOwn(definition.shape!, part) ? [definition.shape![String(part)]!] : []
  if (definition.type === 'record') return [definition.valueType!]
  if (definition.type === 'array') return [definition.element!]
  return []
}

type Definition = {
  type: string
  shape?: Record<string, z.ZodType>
  valueType?: z.ZodType
  element?: z.ZodType
  innerType?: z.ZodType
  in?: z.ZodType
  options?: z.ZodType[]
  discriminator?: string
}

/** The schemas below what only wraps one: optional, default, transform, union. The wrapper stays, for its description. */
function unwrap(schema: z.ZodType, value: unknown): z.ZodType[] {
  const definition = schema._zod.def as Definition
  const inner = definition.innerType ?? definition.in
  if (inner !== undefined) return [schema, ...unwrap(inner, value)]
  if (definition.options === undefined) return [schema]
  const given = definition.discriminator === undefined ? undefined : valueAt(value, [definition.discriminator])
  const fitting = definition.options.filter((option) => {
    const key = definition.discriminator
    const expected = key === undefined ? undefined : (option._zod.propValues?.[key] as ReadonlySet<unknown> | undefined)
    return given === undefined || expected === undefined || expected.has(given)
  })
  return [schema, ...fitting.flatMap((option) => unwrap(option, value))]
}

/** The candidate that `word` was most likely meant to be; undefined when none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3) + (word.length > 3 ? 1 : 0))
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  return ranked[0] !== undefined && ranked[0].distance <= limit ? ranked[0].candidate : undefined
}

/** How many letters must be inserted, removed, replaced or swapped with a neighbour to get from one word to the other. */
function editDistance(from: string, to: string): number {
  let before: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = previous[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, replace)
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = previous
    previous = row
  }
  return previous[to.length]!
}

/** A path as a key of a map. */
export function keyOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String))
}

/** A path as people write it: `services.web.bindings[0].config`. */
export function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join('')
}

export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    root,
  )
}
