/** What tests need of the runtime that they run on: here, a Durable Object of their own. */

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

/** The object's database, which is empty. */
export function openTestDatabase(): Sql {
  if (storage === null) throw new Error('a test in workerd has one database')
  const sql = durableSql(storage)
  storage = null
  return sql
}

/** Lets what was begun go on. A commit takes no turn of the event loop here, and a turn takes a millisecond. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await null
}
