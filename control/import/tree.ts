/**
 * keepalived's configuration as a tree of statements. Pure.
 *
 * A statement is a line; a brace ends one wherever it stands outside double quotes, so `vrrp_instance VI_1{` and
 * `group { A }` are read like the same in three lines. What keepalived reads in spite of a mistake is read here too,
 * and said; a block that never ends and a brace too many are errors, because where the rest belongs is a guess.
 */
import { type Line, readLines } from './lines.ts'
import type { FindFiles, Finding, ImportProblem, Position, SourceFile } from './source.ts'
import { splitWords, unclosedQuote } from './words.ts'

export type Statement = {
  readonly at: Position
  /** The first one is the keyword. */
  readonly words: readonly string[]
  /** What follows the keyword, quotes and all. */
  readonly rest: string
  /** Empty for a statement without a block. */
  readonly block: readonly Statement[]
}

export type Tree = {
  readonly statements: readonly Statement[]
  readonly problems: readonly ImportProblem[]
  readonly findings: readonly Finding[]
}

/** Keywords that begin a block even where their brace is missing. */
const blockKeywords = new Set(
  `global_defs notification_email vrrp_instance vrrp_sync_group vrrp_script vrrp_track_file vrrp_track_process group
  virtual_ipaddress virtual_ipaddress_excluded virtual_routes virtual_rules virtual_server virtual_server_group
  real_server track_interface track_script track_file track_process track_bfd static_ipaddress static_routes
  static_rules authentication unicast_peer`.split(/\s+/),
)

type Piece = { readonly kind: 'text' | 'open' | 'close'; readonly text: string; readonly at: Position }

type Parser = { readonly pieces: readonly Piece[]; next: number; problems: ImportProblem[]; findings: Finding[] }

export function readTree(source: SourceFile, options: { find: FindFiles; configId: string }): Tree {
  const { lines, problems, findings } = readLines(source, options)
  const parser: Parser = { pieces: lines.flatMap(cut), next: 0, problems: [...problems], findings: [...findings] }
  const statements = readBlock(parser, undefined)
  return { statements, problems: parser.problems, findings: parser.findings }
}

/** `${NAME}` that stands for nothing keeps its braces. */
function cut({ text, file, line }: Line): Piece[] {
  const at = { file, line }
  const parts = text.match(/\$\{\w+\}|"[^"]*"?|[{}]|[^"{}$]+|\$/g) ?? []
  const pieces: Piece[] = []
  for (const part of parts) {
    const last = pieces.at(-1)
    if (part === '{' || part === '}') pieces.push({ kind: part === '{' ? 'open' : 'close', text: part, at })
    else if (last?.kind === 'text') pieces[pieces.length - 1] = { ...last, text: last.text + part }
    else pieces.push({ kind: 'text', text: part, at })
  }
  return pieces.filter(({ text }) => text.trim() !== '')
}

function readBlock(parser: Parser, opener: Statement | undefined): Statement[] {
  const statements: Statement[] = []
  for (;;) {
    const piece = parser.pieces[parser.next]
    if (piece === undefined) {
      if (opener !== undefined) problem(parser, opener.at, `${opener.words.join(' ')}: its } is missing`)
      return statements
    }
    parser.next += 1
    if (piece.kind === 'close') {
      if (opener !== undefined) return statements
      problem(parser, piece.at, 'this } closes nothing')
    } else if (piece.kind === 'open') {
      problem(parser, piece.at, 'this { belongs to no keyword')
      // What is in it is read, so that its } is not taken for another one's.
      readBlock(parser, { at: piece.at, words: ['{'], rest: '', block: [] })
    } else {
      const statement = readStatement(parser, piece)
      if (statement !== undefined) statements.push(statement)
    }
  }
}

function readStatement(parser: Parser, { text, at }: Piece): Statement | undefined {
  const words = splitWords(text)
  if (words === unclosedQuote) {
    problem(parser, at, `${text.trim().split(/\s/)[0]}: a " is not closed`)
    return undefined
  }
  const rest = text.trim().replace(/^\S+\s*/, '')
  const statement = { at, words, rest, block: [] }
  if (parser.pieces[parser.next]?.kind === 'open') parser.next += 1
  else if (!blockKeywords.has(words[0]!)) return statement
  else {
    const what = words.slice(0, 2).join(' ')
    parser.findings.push({ ...at, kind: 'changed', what, text: 'its { is missing; read as if it stood here' })
  }
  return { ...statement, block: readBlock(parser, statement) }
}

function problem({ problems }: Parser, at: Position, message: string): void {
  problems.push({ ...at, message })
}
