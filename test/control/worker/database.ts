/** An empty database of this runtime's kind, for one test: that of the Durable Object in which the test runs. */

import type { Sql } from '../../../control/store/sql.ts'
import { durableSql } from '../../../control/worker/do-sqlite.ts'

let storage: DurableObjectStorage | null = null

/** Within an object of its own `work` can open a database, once. */
export async function withStorage(of: DurableObjectStorage, work: () => Promise<void>): Promise<void> {
  storage = of
  try {
    await work()
  } finally {
    storage = null
  }
}

export function openTestDatabase(): Sql {
  if (storage === null) throw new Error('a test in workerd has one database')
  const sql = durableSql(storage)
  storage = null
  return sql
}
