/**
 * The schema's history. Append only: a database in the field has run these very strings, in this order.
 *
 * The position in the list is the version. A database that is further than the list belongs to a newer Holdfast and
 * is left as it is.
 */
import type { Sql } from './sql.ts'

const migrations: readonly (readonly string[])[] = [
  [
    `CREATE TABLE services (
      service TEXT PRIMARY KEY,
      epoch INTEGER NOT NULL,
      node TEXT NOT NULL,
      site TEXT NOT NULL,
      since TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE bindings (
      service TEXT NOT NULL,
      binding TEXT NOT NULL,
      node TEXT,
      epoch INTEGER,
      state TEXT NOT NULL,
      observed TEXT,
      attempts INTEGER NOT NULL,
      last_error TEXT,
      PRIMARY KEY (service, binding)
    ) STRICT`,
    `CREATE TABLE events (
      id INTEGER PRIMARY KEY,
      at TEXT NOT NULL,
      kind TEXT NOT NULL,
      service TEXT,
      node TEXT,
      epoch INTEGER,
      text TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE nodes (
      node TEXT PRIMARY KEY,
      site TEXT NOT NULL,
      incarnation TEXT NOT NULL,
      former TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      last_report TEXT NOT NULL,
      services TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE operations (
      id TEXT PRIMARY KEY,
      service TEXT NOT NULL,
      status TEXT NOT NULL,
      record TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX operations_by_status ON operations (status)`,
    `CREATE TABLE tokens (
      name TEXT PRIMARY KEY,
      role TEXT NOT NULL,
      node TEXT,
      hash TEXT NOT NULL UNIQUE
    ) STRICT`,
  ],
  [
    `CREATE TABLE memories (
      service TEXT PRIMARY KEY,
      record TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE drains (
      node TEXT PRIMARY KEY,
      record TEXT NOT NULL
    ) STRICT`,
    `CREATE TABLE declarations (
      service TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      text TEXT NOT NULL,
      by_whom TEXT NOT NULL,
      at TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX events_by_service ON events (service, id)`,
    `ALTER TABLE operations ADD COLUMN ended_at TEXT`,
    `CREATE INDEX operations_by_service ON operations (service)`,
    // Those of the configuration are stored anew at each start.
    `DROP TABLE tokens`,
    `CREATE TABLE tokens (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      role TEXT NOT NULL,
      node TEXT,
      hash TEXT NOT NULL UNIQUE,
      origin TEXT NOT NULL,
      created_at TEXT NOT NULL,
      expires_at TEXT
    ) STRICT`,
  ],
]

/** The database was written by a newer Holdfast; nothing in it was touched. */
export class NewerDatabaseError extends Error {
  override name = 'NewerDatabaseError' as const

  constructor(version: number) {
    super(
      `the database has the schema version ${version}, and this Holdfast knows ${migrations.length}: \
run the newer Holdfast, or restore the copy made before it was upgraded`,
    )
  }
}

/** Throws when the database is newer than this program. Only reads, so that it can be asked before anything is written. */
export function refuseNewer(sql: Pick<Sql, 'all'>): void {
  const version = versionOf(sql)
  if (version > migrations.length) throw new NewerDatabaseError(version)
}

/** Brings the database to the present schema, in one transaction. */
export function migrate(sql: Sql): void {
  sql.tx(() => {
    refuseNewer(sql)
    const version = versionOf(sql)
    if (version === 0) sql.all('CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY) STRICT')
    for (const [i, statements] of migrations.entries()) {
      if (i < version) continue
      for (const statement of statements) sql.all(statement)
      sql.all('INSERT INTO migrations (version) VALUES (?)', i + 1)
    }
  })
}

function versionOf(sql: Pick<Sql, 'all'>): number {
  const [table] = sql.all(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migrations'`)
  if (table === undefined) return 0
  const [row] = sql.all<{ version: number | null }>('SELECT max(version) AS version FROM migrations')
  return row?.version ?? 0
}
