/**
 * The SQL port: what node:sqlite and a Durable Object's storage have in common, and nothing that only one has.
 *
 * One statement per call; no booleans, bigints or undefined as parameters; no PRAGMA, BEGIN or SAVEPOINT in statements.
 */

export type SqlValue = null | number | string | Uint8Array
export type Row = Record<string, SqlValue>

export type Sql = {
  /** Runs one statement and returns its rows. */
  all<T extends Row = Row>(sql: string, ...parameters: SqlValue[]): T[]
  /** Runs `work` in a transaction, or in a savepoint inside one; a throw rolls it back. */
  tx<T>(work: () => T): T
  /** As `tx`, resolved once the work is durable. Work that is asked for together may share one commit. */
  write<T>(work: () => T): Promise<T>
}
