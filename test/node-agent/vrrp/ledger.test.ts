/** The ledger of requirements has every one of them, says of each which tests prove it or why none does, and is up to date. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { idsIn, ledgerFile, proofsIn, readProofs, rowsOf, withProofs } from '../../../infra/docs/vrrp-ledger.ts'

const ledger = readFileSync(ledgerFile, 'utf8')
const rows = rowsOf(ledger)

const required = [
  ...Array.from({ length: 9 }, (_, i) => `D${i + 1}`),
  ...['P-01 to P-10', 'P-20 to P-25', 'P-30 to P-33', 'R-00 to R-21'],
  ...['F-01 to F-03', 'F-10 to F-16', 'F-20 to F-28', 'F-30 to F-36'],
  ...['A-01 to A-11', 'A-20 to A-28', 'N-10 to N-13', 'T-01 to T-75'],
].flatMap(idsIn)

test('every requirement has one row', () => {
  expect(rows.map(({ id }) => id)).toEqual(required)
  expect(rows.filter(({ requirement }) => requirement === '')).toEqual([])
})

test('every row has tests, or says that there are none and why', () => {
  const open = rows.filter(({ tests, gap }) => tests === '' && !/^gap: .{10}/.test(gap))
  expect(open.map(({ id }) => id)).toEqual([])
  // What has become proven is no gap any more.
  expect(rows.filter(({ tests, gap }) => tests !== '' && gap.startsWith('gap:')).map(({ id }) => id)).toEqual([])
})

test('its tests are those that there are: npm run docs:vrrp', () => {
  expect(withProofs(ledger, readProofs())).toBe(ledger)
})

test('no test names a requirement that is none', () => {
  expect(readProofs().filter(({ id }) => !required.includes(id))).toEqual([])
})

const provenBy = (text: string): string[] => proofsIn('', text).map((proof) => `${proof.id} by ${proof.test}`)

test.each([
  ["test('a (P-01)', () => {})", ['P-01 by a (P-01)']],
  ["test(\n  'P-01 to P-02: it\\'s', () => {})", ["P-01 by P-01 to P-02: it's", "P-02 by P-01 to P-02: it's"]],
  [
    "test('first', () => {})\ntest.each([])(\n  'second', () => {\n  // T-01, D1.\n})",
    ['D1 by second', 'T-01 by second'],
  ],
  ['/** P-01 */\n// T-01: of no test.', []],
  ["test('b', () => { expectWithin('T-01', 1) })", []],
])('of %j it finds what it proves', (text, proofs) => {
  expect(provenBy(text)).toEqual(proofs)
})

test('a row whose tests have gone has none, and one of other cells than five is refused', () => {
  const [row] = rows
  const line = `| ${row!.id} | ${row!.source} | ${row!.requirement} | | \`gone.test.ts\`: “${row!.id}” |`
  expect(rowsOf(withProofs(line, []))).toEqual([{ ...row, gap: '', tests: '' }])
  expect(() => rowsOf('| P-01 | two |')).toThrow(/five cells/)
})
