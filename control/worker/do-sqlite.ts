/**
 * The SQL port on a Durable Object's own database.
 *
 * Nothing that leaves the object, an answer, a message or a `fetch`, does so before the writes that came before it are
 * durable: the runtime's output gate sees to it. So a write is done here as soon as it is made, and what was intended
 * is on record before anybody outside can see it.
 */
import type { Row, Sql } from '../store/sql.ts'

type Storage = Pick<DurableObjectStorage, 'sql' | 'transactionSync'>

export function durableSql(storage: Storage): Sql {
  const tx = <T>(work: () => T): T => storage.transactionSync(work)
  return {
    all: <T extends Row>(text: string, ...parameters: (null | number | string | Uint8Array)[]): T[] =>
      storage.sql
        .exec(text, ...parameters)
        .toArray()
        .map((row) => withBytes(row) as T),
    tx,
    // Rejects, rather than throws, as everywhere.
    write: async (work) => tx(work),
  }
}

/** Blobs as every other database gives them. */
function withBytes(row: Record<string, SqlStorageValue>): Row {
  const entries = Object.entries(row).map(([column, value]) => {
    return [column, value instanceof ArrayBuffer ? new Uint8Array(value) : value] as const
  })
  return Object.fromEntries(entries)
}
