/** The committed table of the interop matrix is no older than the matrix: the same cells, and each with a result. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { events, interopTable, modes, roles, rowOf } from './interop.ts'

const committed = readFileSync(join(import.meta.dirname, '..', 'lab', 'INTEROP.md'), 'utf8')

test('INTEROP.md has a result for every cell of the matrix, or its reason, and nothing else', () => {
  const results = new Map(
    modes.flatMap((mode) =>
      roles.map((role) => [rowOf(mode, role), Object.fromEntries(events.map((event) => [event, 'a result']))] as const),
    ),
  )
  const measured = /\d+ ms \(≤ \d+\), both \d+ ms/g
  expect(committed.replace(measured, 'a result')).toBe(interopTable(results))
})
