/** The store on node:sqlite, in memory and in a file; and what only a file can do: be locked, missing, newer, reopened. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../control/node/node-sqlite.ts'
import { NewerDatabaseError, refuseNewer } from '../../../control/store/migrations.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { event, owner, storeCases } from '../store-cases.ts'

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

describe('a database of a newer version is refused, and not a byte of it is changed', () => {
  /** A folder with a newer database in it. `crashed`: its newest commits are only in the log beside it. */
  function newer({ mode, crashed = false }: { mode: 'delete' | 'wal'; crashed?: boolean }): string {
    const file = newFile()
    const plain = new DatabaseSync(file)
    plain.exec(`PRAGMA journal_mode = ${mode}`)
    plain.exec('CREATE TABLE migrations (version INTEGER PRIMARY KEY) STRICT')
    plain.exec('INSERT INTO migrations VALUES (1)')
    plain.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    plain.exec('INSERT INTO migrations VALUES (999)')
    const copy = newFile()
    const ends = crashed ? ['', '-wal'] : ['']
    if (!crashed) plain.close()
    for (const end of ends) copyFileSync(`${file}${end}`, `${copy}${end}`)
    if (crashed) plain.close()
    return copy
  }

  /** Every file that begins with the database's name, and its bytes. */
  const filesOf = (file: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(folder)
        .filter((name) => name.startsWith(basename(file)))
        .map((name) => [name, readFileSync(join(folder, name), 'base64')]),
    )

  test.each([
    { name: 'closed as it should be', mode: 'wal' },
    { name: 'with an old journal', mode: 'delete' },
    { name: 'left by a crash, so that its version is only in the log', mode: 'wal', crashed: true },
  ] as const)('$name', ({ mode, ...rest }) => {
    const file = newer({ mode, ...rest })
    const before = filesOf(file)
    expect(Object.keys(before)).toHaveLength('crashed' in rest ? 2 : 1)
    expect(() => openDatabase(file, refuseNewer)).toThrow(
      /schema version 999, and this Holdfast knows \d+: run the newer/,
    )
    expect(filesOf(file)).toEqual(before)
  })

  test('even by a store that was not asked to look first', () => {
    const file = newer({ mode: 'wal' })
    const database = openDatabase(file)
    expect(() => createSqlStore(database)).toThrow(NewerDatabaseError)
    expect(database.all('SELECT name FROM sqlite_master')).toEqual([{ name: 'migrations' }])
    expect(database.all('SELECT max(version) AS version FROM migrations')).toEqual([{ version: 999 }])
    database.close()
  })
})

test('a database that a crash left behind is looked at, and opened with all that was committed', async () => {
  const file = newFile()
  const first = open(file)
  await first.store.write({ owner: { service: 'web', owner: owner('n1', 3) } })
  const copy = newFile()
  for (const end of ['', '-wal']) copyFileSync(`${file}${end}`, `${copy}${end}`)
  first.close()
  const database = openDatabase(copy, refuseNewer)
  expect(createSqlStore(database).load().owners.web).toEqual(owner('n1', 3))
  expect(
    readdirSync(folder)
      .filter((name) => name.startsWith(basename(copy)))
      .sort(),
  ).toEqual([basename(copy), `${basename(copy)}-wal`])
  database.close()
  expect(readdirSync(folder).filter((name) => name.startsWith(basename(copy)))).toEqual([basename(copy)])
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

  test('it may not be written', () => {
    const file = newFile()
    writeFileSync(file, '')
    chmodSync(file, 0o400)
    expect(openAsAnybody(file)).toMatch(
      /^database .*\.db: user id \d+ may not write it: give it the file and its directory/,
    )
  })

  test('its directory may not be written', () => {
    const inner = join(folder, 'closed')
    mkdirSync(inner)
    chmodSync(inner, 0o555)
    expect(openAsAnybody(join(inner, 'new.db'))).toMatch(/^database .*new\.db: user id \d+ may not write it/)
  })
})

/** What opening `file` says to a user who is not root, who may write everything. */
function openAsAnybody(file: string): string {
  if (process.getuid?.() !== 0) return said(() => openDatabase(file))
  const nobody = 65_534
  chownSync(folder, nobody, nobody)
  chownSync(file.endsWith('new.db') ? dirname(file) : file, nobody, nobody)
  // Imported before the change of user, who may not be able to read the sources.
  const program = `
    const { openDatabase } = await import(${JSON.stringify(import.meta.resolve('../../../control/node/node-sqlite.ts'))})
    process.setgid(${nobody})
    process.setuid(${nobody})
    try { openDatabase(${JSON.stringify(file)}) } catch (error) { process.stdout.write(error.message) }`
  return execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
}

function said(work: () => void): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing'
}
