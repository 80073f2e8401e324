/** An empty database of this runtime's kind, for one test. Workers have a file of the same name. */
import { openDatabase } from '../../control/node/node-sqlite.ts'
import type { Sql } from '../../control/store/sql.ts'

export function openTestDatabase(): Sql {
  return openDatabase(':memory:')
}
