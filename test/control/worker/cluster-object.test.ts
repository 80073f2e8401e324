/** A cluster as a Durable Object: found by path or host, asleep and woken, restarted, and unable to start. */
import {
  abortAllDurableObjects,
  evictDurableObject,
  reset,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import type { NodeView, ServiceView } from '../../../control/core/view.ts'
import type { ClusterObject } from '../../../control/worker/cluster-object.ts'
import { eventually } from '../../support/eventually.ts'
import { answerOf, call, connect } from './agents.ts'

const { CLUSTERS } = env as unknown as { CLUSTERS: DurableObjectNamespace<ClusterObject> }
const object = () => CLUSTERS.getByName('default')

const web = () => answerOf<ServiceView>('/v1/services/web')
const nodes = async () => (await answerOf<{ nodes: NodeView[] }>('/v1/nodes')).nodes
const eventKinds = async () => {
  const { events } = await answerOf<{ events: { kind: string; node: string | null }[] }>('/v1/events')
  return events.map(({ kind }) => kind)
}
const untilOwner = (node: string, epoch: number) =>
  eventually(web, (seen) => expect(seen.owner).toMatchObject({ node, epoch }))

afterEach(() => reset())

test('these tests run in workerd', () => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers')
})

describe('which cluster', () => {
  const services = async (path: string, host = 'control.example.com') => {
    const response = await call(`${path}/v1/services`, { host })
    return response.status === 200
      ? ((await response.json()) as { services: unknown[] }).services.length
      : response.status
  }
  test('the path names it, else the host, else it is the one at the root', async () => {
    expect(await services('')).toBe(1)
    expect(await services('/clusters/default')).toBe(1)
    expect(await services('/clusters/prod')).toBe(0)
    expect(await services('', 'prod.example.com')).toBe(0)
    expect(await services('/clusters/default', 'prod.example.com')).toBe(1)
  })

  test.each(['nobody', '__proto__', 'prod%2F'])('nobody can make the cluster %s', async (name) => {
    const response = await call(`/clusters/${name}/v1/services`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not-found', title: 'Not Found' })
  })

  test('what it points to is under the path that it was asked under', async () => {
    for (const prefix of ['', '/clusters/default']) {
      const [n1, n2] = [await connect('n1'), await connect('n2')]
      n1.report('active')
      n2.report('backup')
      await eventually(web, ({ phase }) => expect(phase).toBe('settled'))
      const begun = await call(`${prefix}/v1/services/web/switchover`, { method: 'POST', body: { to: 'n2' } })
      expect(begun.status).toBe(202)
      const { operation } = (await begun.json()) as { operation: { id: string } }
      expect(begun.headers.get('location')).toBe(`${prefix}/v1/operations/${operation.id}`)
      await reset()
    }
  })

  test('what a cluster knows, another does not', async () => {
    const link = await connect('n1')
    link.report('active')
    await untilOwner('n1', 1)
    expect(await answerOf('/clusters/prod/v1/nodes')).toEqual({ nodes: [] })
  })
})

describe('the link of a node', () => {
  test('carries reports up and commands down; a ping is answered and does not wake the object', async () => {
    const link = await connect('n1')
    link.report('active')
    await untilOwner('n1', 1)
    await eventually(
      () => link.received,
      (received) => expect(received.join()).toContain('"kind":"owner"'),
    )
    await evictDurableObject(object())
    const before = link.received.length
    link.send('ping')
    await eventually(
      () => link.received,
      (received) => expect(received.slice(before)).toEqual(['pong']),
    )
    // Only what is awake can be put to sleep.
    await expect(evictDurableObject(object())).rejects.toThrow(/not.*running/)
    // Woken by this, it knows from the time of the ping that the node is there.
    expect((await nodes()).map(({ node, connected, fresh }) => ({ node, connected, fresh }))).toEqual([
      { node: 'n1', connected: true, fresh: true },
    ])
  })

  test('a newer one takes its place, and the end of the older one means nothing', async () => {
    const older = await connect('n1')
    older.report('active')
    await untilOwner('n1', 1)
    const newer = await connect('n1')
    await eventually(older.closed, (closed) => expect(closed?.code).toBe(4000))
    newer.report('active')
    await eventually(nodes, ([n1]) => expect(n1?.connected).toBe(true))
    newer.close()
    await eventually(nodes, ([n1]) => expect(n1?.connected).toBe(false))
  })

  test('a newer one says nothing before a report has come over it, and neither does a ping, or sleep', async () => {
    const former = await connect('n1')
    former.report('active')
    await untilOwner('n1', 1)
    former.close()
    await eventually(nodes, ([n1]) => expect(n1?.connected).toBe(false))
    const [before] = await nodes()
    const link = await connect('n1')
    link.send('ping')
    await eventually(
      () => link.received,
      (received) => expect(received).toContain('pong'),
    )
    expect(await nodes()).toEqual([{ ...before, connected: true }])
    await evictDurableObject(object())
    expect(await nodes()).toMatchObject([{ connected: true, fresh: false }])
    link.report('active')
    await eventually(nodes, ([n1]) => expect(n1?.fresh).toBe(true))
  })

  test('something that is no report ends it', async () => {
    const link = await connect('n1')
    link.send('{"node": "n2"}')
    await eventually(link.closed, (closed) => expect(closed).toMatchObject({ code: 1008 }))
    expect(link.closed()?.reason).toContain('report')
  })

  test('ends with its token, also when the object slept in between', async () => {
    const { id, token } = await answerOf<{ id: string; token: string }>('/v1/tokens', {
      method: 'POST',
      body: { name: 'spare', role: 'node', node: 'n2' },
    })
    const [kept, link] = [await connect('n1'), await connect('n2', token)]
    kept.report('active')
    link.report('backup')
    await untilOwner('n1', 1)
    await evictDurableObject(object())
    const revoked = await call(`/v1/tokens/${id}`, { method: 'DELETE' })
    expect(revoked.status).toBeLessThan(300)
    await revoked.text()
    await eventually(link.closed, (closed) => expect(closed?.code).toBe(1008))
    expect(kept.closed()).toBeNull()
  })

  test('is refused to whoever is no node', async () => {
    const response = await call('/v1/agent', { token: 'admin-token' })
    expect(response.status).toBe(403)
  })
})

describe('sleep', () => {
  test('its links stay open, and it wakes with what it knew: the next report is judged at once', async () => {
    const [n1, n2] = [await connect('n1'), await connect('n2')]
    n1.report('active')
    n2.report('backup')
    await untilOwner('n1', 1)
    await evictDurableObject(object())
    n1.report('backup')
    n2.report('active')
    await untilOwner('n2', 2)
    expect(await eventKinds()).not.toContain('disconnected')
    expect([n1.closed(), n2.closed()]).toEqual([null, null])
  })

  test('the end of a link wakes it', async () => {
    const n1 = await connect('n1')
    n1.report('active')
    await untilOwner('n1', 1)
    await evictDurableObject(object())
    n1.close()
    await eventually(nodes, ([node]) => expect(node?.connected).toBe(false))
  })
})

test('what its probes have found is known at once when it wakes, and not told of again', async () => {
  const { pages, closed } = inject('outside')
  // An object that looks every few seconds would not fall asleep. The first look is soon all the same.
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.001)
  onTestFinished(() => random.mockRestore())
  const seldom = { interval: '10m', timeout: '5s', rise: 1, fall: 2 }
  const body = {
    sites: ['dc1', 'dc2'],
    origins: {
      dc1: { probe: { http: `${pages}/status/200`, ...seldom } },
      dc2: { probe: { http: `${pages}/status/503`, ...seldom } },
    },
    probe: { tcp: `127.0.0.1:${closed}`, ...seldom },
  }
  const declared = await call('/v1/services/mail', { method: 'PUT', body })
  expect(declared.status, await declared.text()).toBe(201)
  const mail = () => answerOf<ServiceView>('/v1/services/mail')
  const found = { origins: { dc1: 'healthy', dc2: 'unhealthy' }, reachable: false }
  await eventually(mail, (seen) => expect(seen).toMatchObject(found), { withinMs: 15_000 })
  for (let i = 0; i < 3; i += 1) {
    await evictDurableObject(object())
    expect(await mail()).toMatchObject(found)
  }
  expect((await eventKinds()).filter((kind) => kind === 'origin-down')).toHaveLength(1)
})

test('what is too much to keep is removed when it wakes', async () => {
  const n1 = await connect('n1')
  n1.report('active')
  await untilOwner('n1', 1)
  const count = () =>
    runInDurableObject(object(), (_, { storage }) =>
      Number(storage.sql.exec('SELECT count(*) AS many FROM events').one().many),
    )
  await runInDurableObject(object(), (_, { storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE more (id) AS (SELECT 1000 UNION ALL SELECT id + 1 FROM more WHERE id < 1150)
       INSERT INTO events (id, at, kind, text, detail) SELECT id, '2026-11-22T00:00:00Z', 'test', '', '{}' FROM more`,
    )
  })
  expect(await count()).toBeGreaterThan(150)
  await evictDurableObject(object())
  await eventually(count, (many) => expect(many).toBeLessThanOrEqual(101))
})

describe('a restart, as after a deployment', () => {
  test('drops all links, and nobody is taken for dead: the owner stays while it comes back', async () => {
    const [n1, n2] = [await connect('n1'), await connect('n2')]
    n1.report('active')
    n2.report('backup')
    await untilOwner('n1', 1)
    await evictDurableObject(object(), { webSockets: 'close' })
    await eventually(n1.closed, (closed) => expect(closed).not.toBeNull())
    const again = await connect('n2')
    again.report('active')
    // A rival without the owner's own word, within the first lease of a control that has only just started.
    await eventually(nodes, (seen) =>
      expect(seen.find(({ node }) => node === 'n2')?.services.web?.state).toBe('active'),
    )
    expect((await web()).owner).toMatchObject({ node: 'n1', epoch: 1 })
    const back = await connect('n1')
    back.report('active')
    again.report('backup')
    await eventually(web, ({ phase }) => expect(phase).toBe('settled'))
    expect((await web()).owner).toMatchObject({ node: 'n1', epoch: 1 })
  })

  test('in the middle of a move: the alarm brings the object back, and the move to its end', async () => {
    const [n1, n2] = [await connect('n1'), await connect('n2')]
    n1.report('active')
    n2.report('backup')
    await eventually(web, ({ phase }) => expect(phase).toBe('settled'))
    await answerOf('/v1/services/web/switchover', { method: 'POST', body: { to: 'n2' } })
    expect((await web()).phase).toBe('moving')
    const alarmInMs = () =>
      runInDurableObject(object(), async (_, { storage }) => (await storage.getAlarm())! - Date.now())
    // In time for the move's own deadline, 10 s from its beginning, and a second to spare.
    const before = await alarmInMs()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(11_500)
    await abortAllDurableObjects()
    // It is early, finds nothing due, and sees to it that there is another.
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await alarmInMs()).toBeLessThan(11_500)
    await eventually(web, ({ phase }) => expect(phase).toBe('settled'), { withinMs: 25_000, everyMs: 250 })
    expect(await eventKinds()).toContain('switchover-failed')
  })

  test('what was declared over the API is there again; what does not fit any more is left out', async () => {
    const declared = await call('/v1/services/mail', { method: 'PUT', body: { sites: ['dc1', 'dc2'] } })
    expect(declared.status).toBe(201)
    await declared.text()
    await runInDurableObject(object(), (_, { storage }) => {
      storage.sql.exec(
        `INSERT INTO declarations (service, version, text, by_whom, at) VALUES ('odd', 1, '{"sites": 1}', 'root', '2026-11-22T00:00:00Z')`,
      )
    })
    await evictDurableObject(object())
    const { services } = await answerOf<{ services: ServiceView[] }>('/v1/services')
    expect(services.map(({ service }) => service).toSorted()).toEqual(['mail', 'web'])
  })
})

describe('a cluster that cannot start', () => {
  const broken = () => CLUSTERS.getByName('broken')

  test('says so, and not why, to whoever asks', async () => {
    const response = await call('/clusters/broken/v1/services')
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('log says why'),
    })
  })

  test('its alarm does not throw, and comes again', async () => {
    await call('/clusters/broken/v1/services')
    const alarm = () => runInDurableObject(broken(), (_, { storage }) => storage.getAlarm())
    await runInDurableObject(broken(), (_, { storage }) => storage.setAlarm(Date.now() + 600_000))
    expect(await runDurableObjectAlarm(broken())).toBe(true)
    expect(await alarm()).toBeGreaterThan(Date.now())
  })
})
