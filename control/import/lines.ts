/**
 * The lines that keepalived would see: comments gone, includes read, and everything expanded that its little
 * preprocessor expands. Pure: files come from a function that is handed in.
 *
 *   $PRIO=110              a definition; $PRIO and ${PRIO} stand for it from here on, and may span lines with `\`
 *   @n1 priority $PRIO     only on the node n1; @^n1 everywhere else
 *   ~SEQ(i, 1, 3) text     the text three times, with $i as 1, 2 and 3; ~LST(i, a, b) with a and b
 *   include conf.d/*.conf  the lines of those files, relative to this one
 */
import type { FindFiles, Finding, ImportProblem, Position, SourceFile } from './source.ts'

export type Line = Position & { readonly text: string }

export type Lines = {
  readonly lines: readonly Line[]
  readonly problems: readonly ImportProblem[]
  readonly findings: readonly Finding[]
}

type Context = {
  readonly find: FindFiles
  readonly configId: string
  readonly definitions: Map<string, string>
  readonly lines: Line[]
  readonly problems: ImportProblem[]
  readonly findings: Finding[]
  /** What follows would only repeat the problem. */
  stopped: boolean
}

/** Deeper than anybody nests, and shallow enough to end a definition that contains itself. */
const maxDepth = 40
/** A file of a few lines can expand to any number of them. */
const maxLines = 50_000

export function readLines(source: SourceFile, options: { find: FindFiles; configId: string }): Lines {
  const definitions = new Map([
    ['_HASH', '#'],
    ['_BANG', '!'],
  ])
  const context: Context = { ...options, definitions, lines: [], problems: [], findings: [], stopped: false }
  readFile(context, source, [source.file])
  return context
}

/** `open`: this file and those that included it. */
function readFile(context: Context, { file, text }: SourceFile, open: readonly string[]): void {
  let defined: { name: string; lines: string[] } | undefined
  for (const [i, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const at = { file, line: i + 1 }
    const line = stripComment(raw)
    if (defined !== undefined) {
      const more = line.endsWith('\\')
      defined.lines.push(more ? line.slice(0, -1).trimEnd() : line)
      if (more) continue
      context.definitions.set(defined.name, defined.lines.filter((part) => part !== '').join('\n'))
      defined = undefined
      continue
    }
    const definition = /^\$([A-Za-z_]\w*)\s*=\s*(.*)\\$/.exec(line)
    if (definition === null) readLine(context, line, at, open, 0)
    else defined = { name: definition[1]!, lines: [definition[2]!.trimEnd()] }
  }
}

/** `#` and `!` begin a comment anywhere but in double quotes and after a backslash. */
function stripComment(raw: string): string {
  let quoted = false
  let text = ''
  for (let i = 0; i < raw.length; i += 1) {
    const character = raw[i]!
    const next = raw[i + 1]
    if (character === '\\' && next !== undefined) {
      text += quoted || (next !== '#' && next !== '!') ? character + next : next
      i += 1
    } else if (!quoted && (character === '#' || character === '!')) break
    else {
      if (character === '"') quoted = !quoted
      text += character
    }
  }
  return text.trim()
}

function readLine(context: Context, text: string, at: Position, open: readonly string[], depth: number): void {
  if (text === '' || context.stopped) return
  if (depth > maxDepth) stop(context, at, 'expands without end: a definition contains itself')
  if (context.lines.length === maxLines) stop(context, at, `expands to more than ${maxLines} lines`)
  if (context.stopped) return

  const conditional = /^@(\^?)(\S+)\s*(.*)$/.exec(text)
  if (conditional !== null) {
    const [, negated, id, rest] = conditional
    if ((id === context.configId) !== (negated === '^')) readLine(context, rest!, at, open, depth + 1)
    return
  }
  const definition = /^\$([A-Za-z_]\w*)\s*=\s*(.*)$/.exec(text)
  if (definition !== null) {
    context.definitions.set(definition[1]!, definition[2]!)
    return
  }
  if (/^~(SEQ|LST)x?\(/.test(text)) {
    repeat(context, text, at, open, depth)
    return
  }
  const expanded = substitute(context, text)
  if (expanded !== text) {
    for (const line of expanded.split('\n')) readLine(context, line.trim(), at, open, depth + 1)
    return
  }
  const include = /^include[rmwba]?\s+(\S.*)$/.exec(text)
  if (include !== null) readIncluded(context, include[1]!.replace(/^"(.*)"$/, '$1'), at, open)
  else context.lines.push({ ...at, text: restored(text) })
}

function stop(context: Context, at: Position, message: string): void {
  context.stopped = true
  context.problems.push({ ...at, message })
}

/** `#` and `!` from a definition must not be taken for comments, and a `$` that stands for nothing stays. */
function restored(text: string): string {
  return text.replaceAll(/\$(?:\{(_HASH|_BANG)\}|(_HASH|_BANG)\b)/g, (_, a, b) => ((a ?? b) === '_HASH' ? '#' : '!'))
}

function substitute({ definitions }: Context, text: string): string {
  return text.replaceAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (whole, braced, bare) => {
    const name: string = braced ?? bare
    return name === '_HASH' || name === '_BANG' ? whole : (definitions.get(name) ?? whole)
  })
}

function readIncluded(context: Context, pattern: string, at: Position, open: readonly string[]): void {
  const files = context.find(at.file, pattern)
  if (files.length === 0) {
    if (/[*?[{]/.test(pattern)) {
      context.findings.push({ ...at, kind: 'dropped', what: `include ${pattern}`, text: 'no file matches it' })
    } else context.problems.push({ ...at, message: `include ${pattern}: there is no such file` })
  }
  for (const source of files) {
    if (open.includes(source.file) || open.length > maxDepth) {
      const circle = [...open.slice(open.indexOf(source.file)), source.file].join(' → ')
      context.problems.push({ ...at, message: `include ${pattern}: the files include each other: ${circle}` })
    } else readFile(context, source, [...open, source.file])
  }
}

/** Each value is defined when its copy is read, so that a copy may hold repetitions of its own. */
function repeat(context: Context, text: string, at: Position, open: readonly string[], depth: number): void {
  const parts = /^~(SEQ|LST)(x?)\(\s*\$?(\w+)\s*,([^)]*)\)\s*(.*)$/.exec(text)
  const values = parts === null ? undefined : valuesOf(parts[1]!, parts[2] === 'x', parts[4]!.split(','))
  if (parts === null || values === undefined) {
    context.problems.push({
      ...at,
      message: `${text.split(/\s/)[0]}: write ~SEQ(name, first, last) or ~LST(name, a, b)`,
    })
    return
  }
  for (const value of values) {
    if (context.stopped) return
    context.definitions.set(parts[3]!, value)
    readLine(context, parts[5]!, at, open, depth + 1)
  }
}

/** `first, last` or `first, step, last`; the list itself for ~LST. */
function valuesOf(kind: string, hex: boolean, given: readonly string[]): string[] | undefined {
  const items = given.map((item) => item.trim())
  if (kind === 'LST') return items.some((item) => item.includes('{')) ? undefined : items
  const [first = Number.NaN, second, third] = items.map(Number)
  const last = third ?? second ?? first
  const start = items.length === 1 ? (first < 0 ? -1 : 1) : first
  const step = third === undefined ? Math.sign(last - start) || 1 : second!
  if (![start, step, last].every(Number.isInteger) || step === 0 || items.length > 3) return undefined
  const count = Math.floor((last - start) / step) + 1
  if (count > maxLines) return undefined
  return Array.from({ length: Math.max(count, 0) }, (_, i) => (start + i * step).toString(hex ? 16 : 10))
}
