/**
 * A configuration that may turn out to be more than this version accepts. Each part knows where it came from; what is
 * refused becomes a comment with the reason, and everything else is real. Pure: whoever knows the schema is asked.
 */
import { stringify } from 'yaml'
import type { Finding, Position } from './source.ts'

export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain }

export type Part = {
  /** Empty for an item of a list. */
  readonly key: string
  /** In keepalived's words. */
  readonly what: string
  readonly at: Position
  /** Without it, what contains it is nothing. */
  readonly required?: true
  /** If it is refused, that is said of everything in it. */
  readonly each?: true
  /** What is different now. */
  readonly note?: string
  readonly content:
    | { readonly kind: 'value'; readonly value: Plain }
    | { readonly kind: 'map' | 'list'; readonly parts: readonly Part[] }
}

/** What the schema has against a text: the dotted key, what is wrong, and what to do. */
export type Refusal = { readonly key: string; readonly message: string; readonly hint?: string }

export type Judge = (text: string) => readonly Refusal[]

type Refused = ReadonlyMap<Part, string>

/** The text that `judge` accepts, and what it had to leave out. No text when nothing is left. */
export function settle(parts: readonly Part[], judge: Judge): { text: string | undefined; findings: Finding[] } {
  const refused = new Map<Part, string>()
  for (;;) {
    const text = render(parts, refused)
    const refusals = judge(text)
    if (refusals.length === 0) return { text, findings: findingsOf(parts, refused) }
    const before = refused.size
    for (const refusal of refusals) {
      const part = findPart(parts, refused, refusal.key)
      if (part !== undefined) refused.set(part, refusal.hint ? `${refusal.message} (${refusal.hint})` : refusal.message)
    }
    if (refused.size === before) return { text: undefined, findings: findingsOf(parts, refused) }
  }
}

/** The innermost part that the key lies in; of a part that cannot do without it, that part. */
function findPart(parts: readonly Part[], refused: Refused, key: string, prefix = ''): Part | undefined {
  let index = 0
  for (const part of parts) {
    if (refused.has(part)) continue
    const path = part.key === '' ? `${prefix}[${index}]` : prefix === '' ? part.key : `${prefix}.${part.key}`
    index += 1
    if (key !== path && !key.startsWith(`${path}.`) && !key.startsWith(`${path}[`)) continue
    if (part.content.kind === 'value') return part
    const inner = findPart(part.content.parts, refused, key, path)
    return inner === undefined || inner.required ? part : inner
  }
  return undefined
}

function findingsOf(parts: readonly Part[], refused: Refused): Finding[] {
  return parts.flatMap((part): Finding[] => {
    const { at, what, note, content } = part
    const reason = refused.get(part)
    if (reason !== undefined) {
      const lost = part.each && content.kind !== 'value' ? content.parts : [part]
      return lost.map(({ at, what }) => ({ ...at, kind: 'dropped', what, text: reason }))
    }
    const inner = content.kind === 'value' ? [] : findingsOf(content.parts, refused)
    if (note !== undefined) return [{ ...at, kind: 'changed', what, text: note }, ...inner]
    return content.kind === 'value' ? [{ ...at, kind: 'carried', what, text: `as ${part.key || 'an entry'}` }] : inner
  })
}

function render(parts: readonly Part[], refused: Refused): string {
  return parts
    .flatMap((part) => renderPart(part, refused))
    .join('\n')
    .concat('\n')
}

function renderPart(part: Part, refused: Refused): string[] {
  const { content, at } = part
  const reason = refused.get(part)
  if (reason !== undefined) {
    // What is inside a part that is refused is not judged any more.
    const lines = renderPart(part, new Map()).map((line) => `# ${line}`)
    return [`# ${oneLine(reason)}:`, ...lines]
  }
  const origin = `  # ${oneLine(at.file)}:${at.line}${part.note === undefined ? '' : `; ${oneLine(part.note)}`}`
  if (content.kind === 'value') return [`${head(part)}${flow(content.value)}${origin}`]
  const left = content.parts.some((inner) => !refused.has(inner))
  const lines = content.parts.flatMap((inner) => renderPart(inner, refused)).map((line) => `  ${line}`)
  const empty = content.kind === 'list' ? '[]' : '{}'
  return [`${head(part)}${left ? '' : empty}`.trimEnd() + origin, ...lines]
}

const head = ({ key }: Part): string => (key === '' ? '- ' : `${flow(key)}: `)

function flow(value: Plain): string {
  return stringify(value, {
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
    blockQuote: false,
  }).trimEnd()
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')
