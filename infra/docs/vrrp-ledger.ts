/**
 * The last column of `node-agent/vrrp/RFC9568.md`: which tests name a requirement. `npm run docs:vrrp` writes it.
 *
 * Id, source, requirement and gap of a row are written by hand. A test proves a row by naming its id in a string (its
 * title, or its case's) or in a line comment of its body; `P-01 to P-04` names four. Block comments prove nothing.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
export const ledgerFile = join(root, 'node-agent/vrrp/RFC9568.md')

export type Row = {
  readonly id: string
  readonly source: string
  readonly requirement: string
  readonly gap: string
  readonly tests: string
}

/** That something proves a row. */
export type Proof = { readonly id: string; readonly file: string; readonly test: string }

const rowLine = /^\| ([A-Z]-\d\d|D\d) \|/

export function rowsOf(ledger: string): Row[] {
  return ledger
    .split('\n')
    .filter((line) => rowLine.test(line))
    .map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
      if (cells.length !== 7) throw new Error(`${ledgerFile}: a row has five cells: ${line}`)
      const [id, source, requirement, gap, tests] = cells.slice(1) as [string, string, string, string, string]
      return { id, source, requirement, gap, tests }
    })
}

/** The ledger with the tests that there are now. */
export function withProofs(ledger: string, proofs: readonly Proof[]): string {
  return ledger
    .split('\n')
    .map((line) => {
      const [row] = rowsOf(line)
      if (row === undefined) return line
      const tests = testsCell(proofs.filter(({ id }) => id === row.id))
      return `| ${[row.id, row.source, row.requirement, row.gap, tests].join(' | ')} |`.replaceAll('  ', ' ')
    })
    .join('\n')
}

/** Names where they are few, else how many a file has. */
function testsCell(proofs: readonly Proof[]): string {
  const files = Map.groupBy(proofs, ({ file }) => file)
  return [...files]
    .map(([file, all]) => {
      const names = [...new Set(all.map(({ test }) => test))]
      const told = names.length > 2 ? `${names.length} cases` : names.map((name) => `“${name}”`).join(', ')
      return `\`${file}\`: ${told.replaceAll('|', '\\|')}`
    })
    .join('<br>')
}

/** The ledger's own test names every requirement and proves none. */
const ownTest = 'test/node-agent/vrrp/ledger.test.ts'

/** Of every other test file, in the order of their names. */
export function readProofs(): Proof[] {
  const files = globSync('test/**/*.test.ts', { cwd: root }).filter((file) => file !== ownTest)
  return files.toSorted().flatMap((file) => proofsIn(file, readFileSync(join(root, file), 'utf8')))
}

const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\\n])*`|\/\*[\s\S]*?\*\/|\/\/.*$/gm
const title = /(?:\btest|\))\(\s*('(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\\n])*`),/g

export function proofsIn(file: string, text: string): Proof[] {
  const titles = [...text.matchAll(title)].map((found) => ({ at: found.index, name: unquoted(found[1]!) }))
  return [...text.matchAll(token)].flatMap(({ 0: found, index }) => {
    // What a check says when it fails is no test's name.
    if (found.startsWith('/*') || /expect\w*\($/.test(text.slice(0, index))) return []
    const enclosing = titles.findLast(({ at }) => at < index)?.name
    const test = found.startsWith('//') ? enclosing : unquoted(found)
    return test === undefined ? [] : idsIn(found).map((id) => ({ id, file, test }))
  })
}

const unquoted = (literal: string): string => literal.slice(1, -1).replaceAll(/\\(.)/g, '$1')

/** All that a text names, those of ranges too. */
export function idsIn(text: string): string[] {
  const single = [...text.matchAll(/\bD[1-9]\b/g)].map(([id]) => id)
  const ranges = [...text.matchAll(/\b([PRFANT])-(\d\d)\b(?: to \1-(\d\d)\b)?/g)].flatMap(([, letter, first, last]) => {
    const count = Number(last ?? first) - Number(first) + 1
    return Array.from({ length: count }, (_, i) => `${letter}-${String(Number(first) + i).padStart(2, '0')}`)
  })
  return [...single, ...ranges]
}

if (import.meta.main) writeFileSync(ledgerFile, withProofs(readFileSync(ledgerFile, 'utf8'), readProofs()))
