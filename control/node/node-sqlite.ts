/**
 * The SQL port on node:sqlite: one file, written by one process, every commit on disk before it is answered.
 *
 * What the disk does wrong is a `StorageError`; after it nothing has changed, and the connection works on when the disk
 * does.
 */
import { accessSync, closeSync, constants, existsSync, openSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../message-of.ts'
import { refuseNewer } from '../store/migrations.ts'
import type { Row, Sql } from '../store/sql.ts'
import { StorageError, type StorageTrouble } from '../store/store.ts'
import { groupCommit } from './group-commit.ts'

/** The database could not be opened; the message names the file and says what to do. */
export class DatabaseError extends Error {
  override name = 'DatabaseError' as const
}

export type Database = Sql & {
  /** Copies the database as it is when that ends into a file, a few pages at a time, while reads and writes go on. */
  copyTo(file: string): Promise<void>
  close(): void
}

/** Between two steps of a copy everybody else gets a turn: some half a millisecond for this many pages of 4 KiB. */
const pagesAtOnce = 100

/**
 * Opens `file` (`:memory:` for none) for this process alone. `inspect` sees what is there before anything is written,
 * the file's own header included, and may throw.
 */
export function openDatabase(file: string, inspect: (sql: Pick<Sql, 'all'>) => void = () => {}): Database {
  if (file !== ':memory:') checkPlace(file)
  let database: DatabaseSync | undefined
  try {
    if (existsSync(file)) inspectUntouched(file, inspect)
    // It holds the hashes of tokens. SQLite gives the files beside it the same mode.
    else if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file, { timeout: 2_000 })
    // Exclusive, so that a second control on the same file is refused at its start rather than found out by its writes.
    for (const pragma of [
      'locking_mode = EXCLUSIVE',
      'journal_mode = WAL',
      'synchronous = FULL',
      'foreign_keys = ON',
    ]) {
      database.exec(`PRAGMA ${pragma}`)
    }
    // The lock is taken by the first write, not by opening.
    database.exec('BEGIN IMMEDIATE')
    database.exec('COMMIT')
  } catch (error) {
    database?.close()
    throw new DatabaseError(explain(file, error), { cause: error })
  }
  return sqlOn(database)
}

/**
 * SQLite makes files beside a database that it only reads, unless told that nobody can be writing it. So it is told so,
 * where no log holds commits that the file itself has not got yet.
 */
function inspectUntouched(file: string, inspect: (sql: Pick<Sql, 'all'>) => void): void {
  const [log, index] = [`${file}-wal`, `${file}-shm`]
  const logged = existsSync(log) && statSync(log).size > 0
  const indexed = existsSync(index)
  const url = pathToFileURL(file)
  if (!logged) url.searchParams.set('immutable', '1')
  const database = new DatabaseSync(url, { readOnly: true, timeout: 2_000 })
  try {
    inspect({ all: <T extends Row>(text: string) => database.prepare(text).all() as T[] })
  } finally {
    database.close()
    if (logged && !indexed) rmSync(index, { force: true })
  }
}

function checkPlace(file: string): void {
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) {
    throw new DatabaseError(`database ${file}: the directory ${folder} does not exist: create it, or change database:`)
  }
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new DatabaseError(`database ${file}: is a directory: name a file inside it`)
  }
  try {
    // SQLite keeps its log beside the file, so that the directory must be writable as well.
    accessSync(folder, constants.W_OK)
    if (existsSync(file)) accessSync(file, constants.W_OK)
  } catch (error) {
    const who = process.getuid === undefined ? 'this user' : `user id ${process.getuid()}`
    const message = `database ${file}: ${who} may not write it: give it the file and its directory, or change database:`
    throw new DatabaseError(message, { cause: error })
  }
}

function explain(file: string, error: unknown): string {
  const message = messageOf(error)
  if (/locked|busy/.test(message)) {
    return `database ${file}: is in use by another process: stop the other control, or give this one its own database`
  }
  if (/not a database/.test(message)) return `database ${file}: is not an SQLite database: change database:`
  return `database ${file}: ${message}`
}

function sqlOn(database: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()
  let depth = 0

  const all = <T extends Row>(text: string, ...parameters: SQLInputValue[]): T[] => {
    let statement = statements.get(text)
    if (statement === undefined) {
      statement = database.prepare(text)
      statements.set(text, statement)
    }
    return statement.all(...parameters) as T[]
  }

  const tx = <T>(work: () => T): T => {
    const name = `level${depth}`
    database.exec(depth === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${name}`)
    depth += 1
    let open = true
    try {
      const value = work()
      // SQLite ends a transaction by itself when the disk fails it; what is done after that would be one of its own.
      if (!database.isTransaction) throw new Error('the transaction was rolled back')
      database.exec(depth === 1 ? 'COMMIT' : `RELEASE ${name}`)
      open = false
      return value
    } finally {
      depth -= 1
      if (open && database.isTransaction) {
        database.exec(depth === 0 ? 'ROLLBACK' : `ROLLBACK TO ${name}`)
        // Rolling back to a savepoint leaves it open.
        if (depth > 0) database.exec(`RELEASE ${name}`)
      }
    }
  }

  const said = <Arguments extends unknown[], T>(work: (...given: Arguments) => T) => {
    return (...given: Arguments): T => {
      try {
        return work(...given)
      } catch (error) {
        throw storageErrorOf(error) ?? error
      }
    }
  }
  const group = groupCommit({ tx: said(tx), inTransaction: () => database.isTransaction })
  const close = (): void => {
    group.flush()
    statements.clear()
    if (database.isOpen) database.close()
  }
  return {
    all: said(all) as Sql['all'],
    tx: said(tx) as Sql['tx'],
    write: group.write,
    copyTo: (file) => copy(database, file),
    close,
  }
}

/**
 * SQLite flushes the whole copy at its end, and nobody else gets at the database while it does. So the copy is flushed
 * as it grows, beside that: 230 MB then keep a write waiting for some 10 ms at most, instead of 130.
 */
async function copy(database: DatabaseSync, file: string): Promise<void> {
  const target = await open(file, 'r+')
  let flushing: Promise<void> | null = null
  const flush = (): void => {
    flushing ??= target.datasync().finally(() => {
      flushing = null
    })
    // It is only for the sake of time; SQLite's own flush at the end is the one that counts.
    flushing.catch(() => undefined)
  }
  try {
    await begun(() => backup(database, file, { rate: pagesAtOnce, progress: flush }))
  } catch (error) {
    throw storageErrorOf(error) ?? error
  } finally {
    await (flushing as Promise<void> | null)?.catch(() => undefined)
    await target.close()
  }
}

/**
 * A copy whose first step meets a transaction of ours, halfway on another thread, is given up by Node with SQLite's code
 * 0, "not an error"; nothing was copied by then, so that it can begin again. Later steps wait by themselves.
 */
async function begun<T>(copy: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await copy()
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== 0 || tries === mostTries) throw error
    }
  }
}

const mostTries = 100

/** SQLite's primary result codes that say something about the disk or the file, and nothing about the statement. */
const troubles: Readonly<Record<number, StorageTrouble>> = {
  5: 'locked',
  6: 'locked',
  8: 'broken',
  10: 'broken',
  11: 'broken',
  13: 'full',
  14: 'broken',
  26: 'broken',
}

function storageErrorOf(error: unknown): StorageError | undefined {
  if (!(error instanceof Error) || error instanceof StorageError) return undefined
  const { errcode } = error as Error & { errcode?: number }
  // The upper bits tell more than anybody here needs.
  const trouble = troubles[(errcode ?? 0) & 0xff]
  return trouble && new StorageError(trouble, error)
}

/** Whether the file is a whole database that this program can use; throws `DatabaseError` when it is not. */
export function verifyDatabase(file: string): void {
  const url = pathToFileURL(file)
  url.searchParams.set('immutable', '1')
  try {
    const database = new DatabaseSync(url, { readOnly: true })
    try {
      const all = <T extends Row>(text: string): T[] => database.prepare(text).all() as T[]
      const wrong = all<{ integrity_check: string }>('PRAGMA integrity_check(1)')[0]?.integrity_check
      if (wrong !== 'ok') throw new Error(`it is damaged (${wrong})`)
      refuseNewer({ all })
    } finally {
      database.close()
    }
  } catch (error) {
    throw new DatabaseError(explain(file, error), { cause: error })
  }
}
