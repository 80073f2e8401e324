/** The stream of events: what a reader sees who loses the connection at any moment, reads slowly, or comes late. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventQuery, EventRecord } from '../../../control/store/store.ts'
import { createWorld } from '../world.ts'

type World = Awaited<ReturnType<typeof createWorld>>

const event = (n: number) => ({
  kind: 'note',
  service: n % 3 === 0 ? 'api' : 'web',
  node: null,
  text: `event ${n}`,
  detail: {},
})

/** A reader as browsers are: it notes the last id, and asks to go on after it. */
function createReader(it: World, query = '') {
  const seen: { kind: string; id: string; data: unknown }[] = []
  let lastId = ''
  let text = ''
  let id = ''
  let reader: ReadableStreamDefaultReader<string> | undefined
  const take = (block: string): void => {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? []
      if (name !== '') fields.set(name, value)
    }
    id = fields.get('id') ?? id
    lastId = id
    const data = fields.get('data')
    if (data !== undefined) seen.push({ kind: fields.get('event') ?? 'message', id, data: JSON.parse(data) })
  }
  return {
    seen,
    ids: () => seen.filter(({ kind }) => kind !== 'gap').map(({ data }) => (data as EventRecord).id),
    lastId: () => lastId,
    connect: async (): Promise<Response> => {
      const headers = new Headers({ authorization: 'Bearer viewer-token', accept: 'text/event-stream' })
      if (lastId !== '') headers.set('last-event-id', lastId)
      const response = await it.app.request(`/v1/events${query}`, { headers })
      text = ''
      reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      return response
    },
    /** Takes one piece; false at the end of the stream. A piece that is cut off in the middle is half an event. */
    read: async (cutAt = Number.POSITIVE_INFINITY): Promise<boolean> => {
      const { value, done } = await reader!.read()
      text += (value ?? '').slice(0, cutAt)
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) take(block)
      return !done
    },
    disconnect: async (): Promise<void> => {
      await reader?.cancel()
      reader = undefined
    },
  }
}

describe('no gap and nothing twice', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('write' as const), count: fc.integer({ min: 1, max: 130 }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('lose' as const), cutAt: fc.integer({ min: 0, max: 900 }) }),
    },
  )

  test.each(['?since=0', '?since=0&service=web'])('whatever happens to the connection (%s)', async (query) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const it = await createWorld()
        const reader = createReader(it, query)
        let written = 0
        let pending: Promise<unknown>[] = []
        const write = (count: number): void => {
          // Not awaited: the reader reads while the store writes. Of any two, one is about web: whoever waits hears it.
          for (let i = 0; i < count; i++) pending.push(it.cluster.audit(event(++written)))
        }
        await reader.connect()
        for (const step of steps) {
          if (step.kind === 'write') write(step.count)
          else if (step.kind === 'read') {
            if (reader.ids().length < it.store.events({ since: 0, limit: 10_000 }).length) {
              const waiting = reader.read()
              write(2)
              await waiting
            }
          } else {
            write(2)
            await reader.read(step.cutAt)
            await reader.disconnect()
            await reader.connect()
          }
        }
        await Promise.all(pending)
        pending = []
        const service = query.includes('service') ? { service: 'web' } : {}
        const all = it.store.events({ since: 0, limit: 10_000, ...service }).map(({ id }) => id)
        while (reader.ids().length < all.length) await reader.read()
        expect(reader.ids()).toEqual(all)
        await reader.disconnect()
      }),
      { numRuns: 40 },
    )
  })

  test('a reader who takes nothing costs nothing: events wait in the store, not in memory', async () => {
    const it = await createWorld()
    let asked = 0
    const counting = {
      ...it.store,
      events: (query: EventQuery) => {
        asked += 1
        return it.store.events(query)
      },
    }
    const world = await createWorld({ store: counting })
    const reader = createReader(world, '?since=0')
    await reader.connect()
    for (let n = 0; n < 1_000; n++) await world.cluster.audit(event(n))
    await world.idle()
    expect(asked).toBeLessThanOrEqual(3)
    while (reader.ids().length < 1_000) await reader.read()
    expect(reader.ids()).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1))
    await reader.disconnect()
  })
})

describe('what was removed is not passed over in silence', () => {
  const prune = (it: World, events: number) =>
    it.store.prune({ before: '2000-01-01T00:00:00.000Z', events, operations: 10 })

  test('a reader who comes late hears from where on the trail is whole', async () => {
    const it = await createWorld()
    for (let n = 0; n < 50; n++) await it.cluster.audit(event(n))
    await prune(it, 10)
    const reader = createReader(it, '?since=5')
    await reader.connect()
    while (reader.ids().length < 10) await reader.read()
    expect(reader.seen[0]).toMatchObject({ kind: 'gap', id: '40', data: { first: 41 } })
    expect(reader.ids()).toEqual(Array.from({ length: 10 }, (_, i) => 41 + i))
    await reader.disconnect()
  })

  test('so does one who is overtaken while reading, and one who does not care for what was removed is left alone', async () => {
    const it = await createWorld()
    const written = Array.from({ length: 1_500 }, () => it.cluster.audit({ ...event(1), service: 'web' }))
    await Promise.all(written)
    const slow = createReader(it, '?since=0')
    const other = createReader(it, '?since=0&service=api')
    await slow.connect()
    await other.connect()
    await slow.read()
    await slow.read()
    await other.read()
    await prune(it, 20)
    await it.cluster.audit({ ...event(3), service: 'api' })
    while (slow.ids().at(-1) !== 1_501) await slow.read()
    const gaps = slow.seen.filter(({ kind }) => kind === 'gap')
    expect(gaps).toHaveLength(1)
    expect((gaps[0]!.data as { first: number }).first).toBe(1_481)
    while (other.ids().length < 1) await other.read()
    expect(other.ids()).toEqual([1_501])
    await slow.disconnect()
    await other.disconnect()
  })

  test('one who has seen more than there is hears that as well', async () => {
    const it = await createWorld()
    await it.cluster.audit(event(1))
    const reader = createReader(it, '?since=70')
    await reader.connect()
    while (reader.seen.length === 0) await reader.read()
    expect(reader.seen[0]).toMatchObject({ kind: 'gap', id: '1', data: { first: 2 } })
    await reader.disconnect()
  })

  test('a page begins with the oldest that is kept, and says which that is', async () => {
    const it = await createWorld()
    for (let n = 0; n < 50; n++) await it.cluster.audit(event(n))
    await prune(it, 10)
    const page = (await (await it.call('GET', '/v1/events?since=5&limit=3', 'viewer-token')).json()) as object
    expect(page).toMatchObject({ events: [{ id: 41 }, { id: 42 }, { id: 43 }], next: 43, first: 41 })
    const beyond = await (await it.call('GET', '/v1/events?since=99', 'viewer-token')).json()
    expect(beyond).toEqual({ events: [], next: 50, first: 41 })
  })
})

describe('how a stream ends and stays', () => {
  test('an idle stream says that it is alive, with the id to go on from', async () => {
    const it = await createWorld()
    const reader = createReader(it, '?service=web')
    await reader.connect()
    await reader.read()
    const waiting = reader.read()
    await it.cluster.audit({ ...event(3), service: 'api' })
    await it.pass(15_000)
    await waiting
    expect(reader.seen).toEqual([])
    expect(reader.lastId()).toBe('1')
    await reader.disconnect()
  })

  test('control stops: the stream ends', async () => {
    const it = await createWorld()
    const reader = createReader(it)
    await reader.connect()
    await reader.read()
    const waiting = reader.read()
    it.ending.abort()
    expect(await waiting).toBe(false)
  })

  test('the token is revoked: the stream ends', async () => {
    const it = await createWorld()
    const made = await it.call('POST', '/v1/tokens', 'admin-token', { name: 'eye2', role: 'viewer' })
    const { id, token } = (await made.json()) as { id: string; token: string }
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
    const reader = (await it.app.request('/v1/events', { headers })).body!.getReader()
    await reader.read()
    const waiting = reader.read()
    await it.call('DELETE', `/v1/tokens/${id}`, 'admin-token')
    // What was written until then may still come.
    for (let piece = await waiting; !piece.done; ) piece = await reader.read()
    expect((await it.call('GET', '/v1/events', token)).status).toBe(401)
  })

  test('there is a bound, and a reader who leaves makes room', async () => {
    const it = await createWorld()
    const headers = { authorization: 'Bearer viewer-token', accept: 'text/event-stream' }
    const open = await Promise.all(Array.from({ length: 500 }, () => it.app.request('/v1/events', { headers })))
    expect((await it.app.request('/v1/events', { headers })).status).toBe(503)
    await open[0]!.body!.cancel()
    const again = await it.app.request('/v1/events', { headers })
    expect(again.status).toBe(200)
    for (const { body } of [...open.slice(1), again]) await body!.cancel()
  })
})
