/** A disk that does not take what it is given: what of it is stored, what is said, and what is made up for. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../control/node/node-sqlite.ts'
import { createSqlStore } from '../../../control/store/sql-store.ts'
import { StorageError, type Store } from '../../../control/store/store.ts'
import { watchStore } from '../../../control/store/watched-store.ts'
import { event, owner } from '../store-cases.ts'
import { createClock, createWorld } from '../world.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-storage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every commit is flushed, and the file is this process’s alone', () => {
  const database = openDatabase(join(folder, 'pragmas.db'))
  const pragma = (name: string) => Object.values(database.all(`PRAGMA ${name}`)[0]!)[0]
  expect(pragma('synchronous')).toBe(2)
  expect(pragma('journal_mode')).toBe('wal')
  expect(pragma('locking_mode')).toBe('exclusive')
  database.close()
})

describe('a full disk', () => {
  /** `pages`: how many more the file may grow by. */
  const limit = (database: ReturnType<typeof openDatabase>, pages: number): void => {
    const used = Number(database.all('PRAGMA page_count')[0]!.page_count)
    database.all(`PRAGMA max_page_count = ${used + pages}`)
  }
  const big = event('x'.repeat(200_000))

  test('takes what still fits of the writes that were asked for together, without a gap', async () => {
    const database = openDatabase(join(folder, 'full.db'))
    const store = createSqlStore(database)
    await store.write({ events: [event('first')] })
    limit(database, 4)
    const asked = [
      store.write({ events: [event('a')] }),
      store.write({ owner: { service: 'web', owner: owner('n1', 1) }, events: [big] }),
      store.write({ events: [event('b')] }),
    ]
    const results = await Promise.allSettled(asked)
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const failed = results[1] as PromiseRejectedResult
    expect(failed.reason).toBeInstanceOf(StorageError)
    expect(failed.reason).toMatchObject({ trouble: 'full', message: expect.stringContaining('make room there') })
    expect(store.load().owners).toEqual({})
    const texts = () => store.events({ since: 0, limit: 99 }).map(({ id, text }) => [id, text.slice(0, 5)])
    expect(texts()).toEqual([
      [1, 'first'],
      [2, 'a'],
      [3, 'b'],
    ])
    limit(database, 10_000)
    await store.write({ owner: { service: 'web', owner: owner('n1', 1) }, events: [big] })
    expect(texts().at(-1)).toEqual([4, 'xxxxx'])
    database.close()
  })

  test('is found out by trying, said once, and over when something could be stored', async () => {
    const time = createClock()
    const database = openDatabase(':memory:')
    const logged: string[] = []
    const store = watchStore(createSqlStore(database), { ...time, log: (_, { event: what }) => void logged.push(what) })
    limit(database, 0)
    for (let i = 0; i < 3; i++) await expect(store.write({ events: [big] })).rejects.toBeInstanceOf(StorageError)
    expect(store.trouble()).toMatchObject({ trouble: 'full' })
    expect(logged).toEqual(['storage-failed'])
    limit(database, 1_000)
    await time.pass(1_000)
    expect(store.trouble()).toBeNull()
    expect(logged).toEqual(['storage-failed', 'storage-works'])
    database.close()
  })
})

/** A store that can be made to take nothing. */
function failing() {
  const database = openDatabase(':memory:')
  const store = createSqlStore(database)
  const state = { full: false }
  const write: Store['write'] = (change) =>
    state.full ? Promise.reject(new StorageError('full', new Error('full'))) : store.write(change)
  return { state, store: { ...store, write } }
}

describe('what could not be written down is heard again when it can be', () => {
  test('a node that has said it once, and only pings since, is asked for another report', async () => {
    const { state, store } = failing()
    const world = await createWorld({ store })
    const { cluster, said, pass, links } = world
    const n1 = world.connect('n1')
    const n2 = world.connect('n2')
    await cluster.report(said('n1', 'active'), 'link')
    await cluster.report(said('n2', 'backup'), 'link')
    await pass(1_000)
    state.full = true
    await cluster.report(said('n1', 'backup'), 'link').catch(() => undefined)
    await expect(cluster.report(said('n2', 'active'), 'link')).rejects.toBeInstanceOf(StorageError)
    expect(cluster.service('web')!.owner).toMatchObject({ node: 'n1', epoch: 1 })
    const pings = async (ms: number): Promise<void> => {
      for (let i = 0; i < ms / 500; i++) {
        await pass(500)
        for (const node of ['n1', 'n2']) links.heard(node)
      }
    }
    await pings(3_000)
    expect(cluster.service('web')!.owner).toMatchObject({ node: 'n1', epoch: 1 })
    const asks = () =>
      [...n1.received, ...n2.received].filter(({ kind, id }) => kind === 'ask' && id.startsWith('again-'))
    expect(asks().length).toBeGreaterThan(0)
    state.full = false
    await pings(1_000)
    await cluster.report(said('n2', 'active'), 'link')
    expect(cluster.service('web')!.owner).toMatchObject({ node: 'n2', epoch: 2 })
    const events = world.store.events({ since: 0, limit: 99 })
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
    const before = asks().length
    await pings(3_000)
    expect(asks()).toHaveLength(before)
  })

  test('a link that has ended meanwhile has ended', async () => {
    const { state, store } = failing()
    const world = await createWorld({ store })
    const { cluster, said, pass, links } = world
    const n1 = world.connect('n1')
    world.connect('n2')
    await cluster.report(said('n1', 'active'), 'link')
    await cluster.report(said('n2', 'active'), 'link')
    const { id } = n1.received.find(({ kind }) => kind === 'ask')!
    await cluster.report(said('n1', 'active', { answers: [id] }), 'link')
    state.full = true
    n1.close()
    await pass(1_500)
    links.heard('n2')
    // Not yet for a lease, so that only the end of the link can be why.
    expect(cluster.service('web')!.owner).toMatchObject({ node: 'n1' })
    state.full = false
    await pass(1_500)
    expect(cluster.service('web')!.owner).toMatchObject({ node: 'n2', epoch: 2 })
  })

  test('a switchover that was refused does not happen later', async () => {
    const { state, store } = failing()
    const world = await createWorld({ store })
    const { cluster, said, pass, call } = world
    const n2 = world.connect('n2')
    world.connect('n1')
    await cluster.report(said('n1', 'active'), 'link')
    await cluster.report(said('n2', 'backup'), 'link')
    await pass(1_000)
    state.full = true
    const answer = await call('POST', '/v1/services/web/switchover', 'operator-token', { to: 'n2' })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'storage-full' })
    state.full = false
    await pass(3_000)
    expect(n2.received.filter(({ kind }) => kind === 'take-over')).toEqual([])
  })
})

describe('a locked file', () => {
  test('nobody can lock it while control has it, and control does not notice the attempt', async () => {
    const file = join(folder, 'locked.db')
    const database = openDatabase(file)
    const store = createSqlStore(database)
    const program = `
      const { DatabaseSync } = await import('node:sqlite')
      const other = new DatabaseSync(${JSON.stringify(file)}, { timeout: 100 })
      try { other.exec('BEGIN EXCLUSIVE') } catch (error) { process.stdout.write(error.message) }`
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
    expect(said).toContain('database is locked')
    await expect(store.write({ events: [event('goes on')] })).resolves.toHaveLength(1)
    database.close()
  })

  test('control that finds it locked at its start says by whom it may be, and starts when it is free', () => {
    const file = join(folder, 'taken.db')
    openDatabase(file).close()
    const other = new DatabaseSync(file)
    other.exec('BEGIN EXCLUSIVE')
    expect(() => openDatabase(file)).toThrow(
      /^database .*taken\.db: is in use by another process: stop the other control/,
    )
    other.close()
    openDatabase(file).close()
  })
})

test('the database and the files beside it are its user’s alone, whatever the umask: they hold the hashes of tokens', async () => {
  const before = process.umask(0)
  try {
    const database = openDatabase(join(folder, 'private.db'))
    await createSqlStore(database).write({ events: [event('secret')] })
    const files = readdirSync(folder).filter((name) => name.startsWith('private.db'))
    expect(files.length).toBeGreaterThan(0)
    for (const name of files) expect(statSync(join(folder, name)).mode & 0o077).toBe(0)
    database.close()
  } finally {
    process.umask(before)
  }
})
