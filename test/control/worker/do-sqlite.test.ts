/** The store on a Durable Object's database. */
import { describe } from 'vitest'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { storeCases } from '../store-cases.ts'
import { openTestDatabase } from './runtime.ts'

describe('in a Durable Object', () => {
  storeCases(() => ({ store: createSqlStore(openTestDatabase()), close: () => undefined }))
})
