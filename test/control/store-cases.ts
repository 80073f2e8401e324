/** What every store must do, run by each kind of store there is. */
import { expect, test } from 'vitest'
import { type AuditEvent, emptyMemory, type Operation, type Owner } from '../../control/decision.ts'
import { type BindingRecord, StaleEpochError, type Store, type TokenRecord } from '../../control/store/store.ts'

export const owner = (node: string, epoch: number): Owner => ({
  node,
  site: 'dc1',
  epoch,
  since: '2026-11-22T09:00:00.000Z',
})

export const event = (text: string, service: string | null = 'web'): AuditEvent => ({
  at: '2026-11-22T09:00:00.000Z',
  kind: 'test',
  service,
  node: 'n1',
  epoch: 1,
  text,
  detail: { list: [1, 'two', null], nested: { yes: true } },
})

const binding = (state: BindingRecord['state'], epoch: number): BindingRecord => ({
  service: 'web',
  binding: 'eip',
  node: 'n1',
  epoch,
  state,
  observed: null,
  attempts: 1,
  lastError: 'E: m',
})

const operation = (status: Operation['status']): Operation => ({
  id: 'op-1',
  kind: 'switchover',
  service: 'web',
  from: null,
  to: 'n2',
  priority: 201,
  reason: null,
  by: 'ops',
  status,
  steps: [{ name: 'requested', at: '2026-11-22T09:00:00.000Z', afterMs: 0 }],
  failure: null,
  epoch: null,
  report: null,
})

export function storeCases(open: () => { store: Store; close(): void }): void {
  const withStore = (name: string, body: (store: Store) => Promise<void>): void => {
    test(name, async () => {
      const { store, close } = open()
      try {
        await body(store)
      } finally {
        close()
      }
    })
  }

  withStore('a new store is empty', async (store) => {
    const nothing = { owners: {}, epochs: {}, memories: {}, drains: [], declarations: [], nodes: [], running: [] }
    expect(store.load()).toEqual(nothing)
    expect(store.lastEventId()).toBe(0)
    expect(store.operation('op-1')).toBeUndefined()
  })

  withStore('a change is there as a whole', async (store) => {
    await store.write({
      owner: { service: 'web', owner: owner('n1', 1) },
      bindings: [binding('pending', 1)],
      operations: [operation('running')],
      events: [event('one')],
    })
    expect(store.load().owners).toEqual({ web: owner('n1', 1) })
    expect(store.load().running).toEqual([operation('running')])
    expect(store.bindings('web')).toEqual([binding('pending', 1)])
    expect(store.events({ since: 0, limit: 10 })).toEqual([{ id: 1, ...event('one') }])
  })

  withStore('one service is recalled as if all were loaded', async (store) => {
    await store.write({ owner: { service: 'web', owner: owner('n1', 3) }, operations: [operation('running')] })
    await store.write({
      owner: { service: 'api', owner: owner('n2', 7) },
      memory: { service: 'api', memory: emptyMemory },
    })
    expect(store.recall('web')).toEqual({
      owners: { web: owner('n1', 3) },
      epochs: { web: 3 },
      memories: {},
      running: [operation('running')],
    })
    expect(store.recall('api')).toMatchObject({ epochs: { api: 7 }, memories: { api: emptyMemory }, running: [] })
    expect(store.recall('other')).toEqual({ owners: {}, epochs: {}, memories: {}, running: [] })
  })

  withStore('an epoch that is not higher refuses the whole change', async (store) => {
    await store.write({ owner: { service: 'web', owner: owner('n1', 5) } })
    for (const epoch of [5, 4]) {
      const change = { owner: { service: 'web', owner: owner('n2', epoch) }, events: [event('lost')] }
      await expect(store.write(change)).rejects.toBeInstanceOf(StaleEpochError)
    }
    expect(store.load().owners.web).toEqual(owner('n1', 5))
    expect(store.lastEventId()).toBe(0)
  })

  withStore('event ids have no gaps, not even after a change that failed', async (store) => {
    const first = await store.write({ events: [event('a'), event('b')] })
    await store.write({ owner: { service: 'web', owner: owner('n1', 1) } })
    const bad = store.write({ owner: { service: 'web', owner: owner('n2', 1) }, events: [event('never')] })
    const good = store.write({ events: [event('c')] })
    await expect(bad).rejects.toThrow()
    expect([...first, ...(await good)].map(({ id }) => id)).toEqual([1, 2, 3])
    expect(store.events({ since: 1, limit: 1 }).map(({ text }) => text)).toEqual(['b'])
  })

  withStore('events can be asked for by service', async (store) => {
    await store.write({ events: [event('a', 'web'), event('b', 'mail'), event('c', null)] })
    expect(store.events({ since: 0, limit: 10, service: 'mail' }).map(({ id }) => id)).toEqual([2])
  })

  withStore('what a binding says of an older epoch does not replace what it says of a newer one', async (store) => {
    await store.write({ bindings: [binding('pending', 2)] })
    await store.write({ bindings: [binding('settled', 1)] })
    expect(store.bindings('web')).toEqual([binding('pending', 2)])
  })

  withStore('an operation that has ended is not running', async (store) => {
    await store.write({ operations: [operation('running')] })
    await store.write({ operations: [operation('done')] })
    expect(store.load().running).toEqual([])
    expect(store.operation('op-1')?.status).toBe('done')
  })

  withStore('a node is kept as it last spoke', async (store) => {
    const node = {
      node: 'n1',
      site: 'dc1',
      incarnation: 'incarnation-2',
      former: ['incarnation-1'],
      sequence: 7,
      lastReport: '2026-11-22T09:00:00.000Z',
      services: { web: { state: 'active', priority: 200, healthy: true, since: '2026-11-22T09:00:00.000Z' } },
    } as const
    await store.write({ node })
    await store.write({ node: { ...node, sequence: 8 } })
    expect(store.load().nodes).toEqual([{ ...node, sequence: 8 }])
  })

  withStore('tokens of the file are exactly those that were set last; the others stay', async (store) => {
    const token = (name: string, origin: 'file' | 'api' = 'file'): TokenRecord => {
      const who = { id: `id of ${name}`, name, role: 'viewer', node: null, hash: `hash of ${name}` } as const
      return { ...who, origin, createdAt: '2026-11-22T09:00:00.000Z', expiresAt: null }
    }
    await store.addToken(token('x', 'api'))
    await store.setTokens('file', [token('a'), token('b')])
    await store.setTokens('file', [token('b'), token('c')])
    expect(store.tokens()).toEqual([token('b'), token('c'), token('x', 'api')])
    expect(await store.removeToken('id of x')).toBe(true)
    expect(await store.removeToken('id of x')).toBe(false)
  })

  withStore('writes asked for together are all answered, each by its own result', async (store) => {
    const written = await Promise.all(Array.from({ length: 50 }, (_, i) => store.write({ events: [event(`${i}`)] })))
    expect(written.map(([record]) => record?.id)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  })
}
