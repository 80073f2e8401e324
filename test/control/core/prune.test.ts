/** What is too old or too much goes, some at a time, and leaves no gap in what stays. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Operation } from '../../../control/decision.ts'
import { type Database, openDatabase } from '../../../control/node/node-sqlite.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { event } from '../store-cases.ts'
import { createWorld } from '../world.ts'

const day = 24 * 3_600_000
const at = (days: number): string => new Date(Date.UTC(2026, 0, 1) + days * day).toISOString()
const everything = { before: at(-1), events: 1_000_000, operations: 1_000_000 }

const databases: Database[] = []
afterEach(() => {
  for (const database of databases.splice(0)) database.close()
})

function open() {
  const database = openDatabase(':memory:')
  databases.push(database)
  const store = createSqlStore(database)
  const ids = () => store.events({ since: 0, limit: 1_000_000 }).map(({ id }) => id)
  return { store, ids }
}

const operation = (id: string, endedAt: string | null): Operation => ({
  ...{ id, kind: 'failover', service: 'web', from: 'n1', to: 'n2', epoch: 2, priority: null, reason: null, by: null },
  ...{ status: endedAt === null ? 'running' : 'done', failure: null, report: null },
  steps: [{ name: 'detected', at: endedAt ?? at(0), afterMs: 0 }],
})

describe('events', () => {
  test('go by age, from the oldest on', async () => {
    const { store, ids } = open()
    await store.write({ events: [1, 2, 3, 4].map((days) => ({ ...event('e'), at: at(days) })) })
    expect(await store.prune({ ...everything, before: at(3) })).toBe(false)
    expect(ids()).toEqual([3, 4])
  })

  test('go by count, from the oldest on', async () => {
    const { store, ids } = open()
    await store.write({ events: Array.from({ length: 10 }, () => ({ ...event('e'), at: at(1) })) })
    await store.prune({ ...everything, events: 4 })
    expect(ids()).toEqual([7, 8, 9, 10])
  })

  test('leave no gap when the clock once went back', async () => {
    const { store, ids } = open()
    await store.write({ events: [1, 5, 2, 6].map((days) => ({ ...event('e'), at: at(days) })) })
    await store.prune({ ...everything, before: at(4) })
    expect(ids()).toEqual([2, 3, 4])
  })

  test('are numbered on after all of them were too old', async () => {
    const { store, ids } = open()
    await store.write({ events: [1, 2, 3].map((days) => ({ ...event('e'), at: at(days) })) })
    await store.prune({ ...everything, before: at(9) })
    const [next] = await store.write({ events: [event('next')] })
    expect(next!.id).toBe(4)
    expect(ids()).toEqual([3, 4])
  })
})

describe('operations', () => {
  test('go by age and by count, the oldest first; those that run stay', async () => {
    const { store } = open()
    const operations = [
      operation('old', at(1)),
      operation('runs', null),
      ...[2, 3, 4, 5].map((days) => operation(`day-${days}`, at(days))),
    ]
    await store.write({ operations })
    const left = () => store.operations({ limit: 99 }).map(({ id }) => id)
    await store.prune({ ...everything, before: at(2) })
    expect(left()).toEqual(['day-5', 'day-4', 'day-3', 'day-2', 'runs'])
    await store.prune({ ...everything, operations: 3 })
    expect(left()).toEqual(['day-5', 'day-4', 'runs'])
    await store.prune({ ...everything, before: at(99), operations: 0 })
    expect(left()).toEqual(['runs'])
  })
})

test('100,000 rows go in passes that hold nobody up', async () => {
  const { store } = open()
  for (let i = 0; i < 100; i++) {
    const events = Array.from({ length: 1_000 }, () => ({ ...event('e'), at: at(1) }))
    const operations = Array.from({ length: 100 }, (_, n) => operation(`op-${i}-${n}`, at(1)))
    await store.write({ events, operations })
  }
  const passes: number[] = []
  for (let more = true; more; ) {
    const began = performance.now()
    more = await store.prune({ ...everything, before: at(2) })
    passes.push(performance.now() - began)
    expect(store.firstEventId()).toBe(Math.min(1 + 2_000 * passes.length, 100_000))
  }
  expect(passes.length).toBe(50)
  expect(store.operations({ limit: 10 })).toEqual([])
  // The middle one: any single one may have met something else on this machine.
  expect(passes.toSorted((a, b) => a - b)[25]).toBeLessThan(100)
})

test('control does so every hour, a pass at a time, and by itself', async () => {
  const world = await createWorld()
  const { store, pass } = world
  const old = new Date(Date.UTC(2026, 10, 22) - 91 * day).toISOString()
  await store.write({ events: Array.from({ length: 5_000 }, () => ({ ...event('e'), at: old })) })
  world.cluster.start()
  await pass(10_000)
  expect(store.firstEventId()).toBe(5_000)
  await store.write({ events: Array.from({ length: 10 }, () => ({ ...event('e'), at: old })) })
  await pass(60_000)
  expect(store.firstEventId()).toBe(5_000)
  await pass(3_600_000)
  expect(store.firstEventId()).toBe(5_010)
})
