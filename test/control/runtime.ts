/** What tests need of the runtime that they run on. Workers have a file of the same name. */
import { openDatabase } from '../../control/node/node-sqlite.ts'
import type { Sql } from '../../control/store/sql.ts'

/** An empty database of this runtime's kind. */
export function openTestDatabase(): Sql {
  return openDatabase(':memory:')
}

/** Lets what was begun go on, a commit included: one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
