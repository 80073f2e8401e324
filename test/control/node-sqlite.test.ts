/** The store on node:sqlite, in memory and in a file; and what only a file can do: be locked, missing, newer, reopened. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import { NewerDatabaseError } from '../../control/store/migrations.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import { event, owner, storeCases } from './store-cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(folder, `${++files}.db`)

function open(file: string) {
  const database = openDatabase(file)
  return { store: createSqlStore(database), close: () => database.close() }
}

describe('in memory', () => storeCases(() => open(':memory:')))
describe('in a file', () => storeCases(() => open(newFile())))

test('what was written is there after the file is opened again', async () => {
  const file = newFile()
  const first = open(file)
  await first.store.write({ owner: { service: 'web', owner: owner('n1', 3) }, events: [event('kept')] })
  first.close()
  const second = open(file)
  expect(second.store.load().owners.web).toEqual(owner('n1', 3))
  expect(second.store.events({ since: 0, limit: 9 })).toHaveLength(1)
  second.close()
})

test('closing commits what was still waiting', async () => {
  const file = newFile()
  const first = open(file)
  const written = first.store.write({ events: [event('last words')] })
  first.close()
  await expect(written).resolves.toHaveLength(1)
  const second = open(file)
  expect(second.store.lastEventId()).toBe(1)
  second.close()
})

test('writes of one turn share one commit, and one that throws takes none of the others with it', async () => {
  const database = openDatabase(':memory:')
  database.all('CREATE TABLE t (v INTEGER) STRICT')
  const add = (v: number) => database.write(() => void database.all('INSERT INTO t VALUES (?)', v))
  const bad = database.write(() => {
    database.all('INSERT INTO t VALUES (99)')
    throw new Error('no')
  })
  const results = await Promise.allSettled([add(1), bad, add(2)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(database.all('SELECT v FROM t')).toEqual([{ v: 1 }, { v: 2 }])
  database.close()
})

test('nothing is visible before the commit that answers for it', async () => {
  const database = openDatabase(':memory:')
  database.all('CREATE TABLE t (v INTEGER) STRICT')
  const written = database.write(() => void database.all('INSERT INTO t VALUES (1)'))
  expect(database.all('SELECT v FROM t')).toEqual([])
  await written
  expect(database.all('SELECT v FROM t')).toHaveLength(1)
  database.close()
})

test('an inner transaction that fails is undone alone', () => {
  const database = openDatabase(':memory:')
  database.all('CREATE TABLE t (v INTEGER) STRICT')
  database.tx(() => {
    database.all('INSERT INTO t VALUES (1)')
    expect(() =>
      database.tx(() => {
        database.all('INSERT INTO t VALUES (2)')
        throw new Error('inner')
      }),
    ).toThrow('inner')
    database.tx(() => database.all('INSERT INTO t VALUES (3)'))
  })
  expect(database.all('SELECT v FROM t')).toEqual([{ v: 1 }, { v: 3 }])
  database.close()
})

test('a database of a newer version is refused and left as it is', () => {
  const file = newFile()
  const plain = new DatabaseSync(file)
  plain.exec('CREATE TABLE migrations (version INTEGER PRIMARY KEY) STRICT; INSERT INTO migrations VALUES (999)')
  plain.close()
  const database = openDatabase(file)
  expect(() => createSqlStore(database)).toThrow(NewerDatabaseError)
  expect(database.all('SELECT name FROM sqlite_master')).toEqual([{ name: 'migrations' }])
  expect(database.all('SELECT version FROM migrations')).toEqual([{ version: 999 }])
  database.close()
})

describe('a database that cannot be opened names the file and the remedy', () => {
  test('the directory is missing', () => {
    expect(() => openDatabase(join(folder, 'nowhere', 'a.db'))).toThrow(/nowhere does not exist: create it/)
  })

  test('it is a directory', () => {
    const file = newFile()
    mkdirSync(file)
    expect(() => openDatabase(file)).toThrow(/is a directory/)
  })

  test('it is not a database', () => {
    const file = newFile()
    writeFileSync(file, 'hello '.repeat(1_000))
    expect(() => openDatabase(file)).toThrow(/not an SQLite database/)
    expect(readFileSync(file, 'utf8')).toMatch(/^hello/)
  })

  test('another control has it', () => {
    const file = newFile()
    const first = open(file)
    expect(() => openDatabase(file)).toThrow(/in use by another process: stop the other control/)
    first.close()
    open(file).close()
  })

  test.skipIf(process.getuid?.() === 0)('it may not be written (root may write everything)', () => {
    const file = newFile()
    writeFileSync(file, '')
    chmodSync(file, 0o400)
    expect(() => openDatabase(file)).toThrow(/may not write it/)
  })
})
