/** `GET /v1/edge`: what the edge is told, when it is told, and when it is told that nothing has changed. */
import { expect, test } from 'vitest'
import { type ServiceConfig, serviceDefaults } from '../../../control/config/service-config.ts'
import type { Probe } from '../../../control/core/ports.ts'
import type { EdgeMap } from '../../../control/edge/contract.ts'
import { eventually } from '../../support/eventually.ts'
import { begin, talk } from '../scenario-world.ts'

const down = new Set<string>()
const probe: Probe = async (target) =>
  target.kind === 'http' && down.has(new URL(target.url).hostname) ? 'it is down' : null

const originOf = (site: string, probed = true) => ({
  url: `https://${site}.test`,
  probe: probed
    ? {
        target: { kind: 'http', url: `https://${site}.test/healthz` } as const,
        intervalMs: 1_000,
        timeoutMs: 500,
        rise: 1,
        fall: 1,
      }
    : null,
})

const service: Partial<ServiceConfig> = {
  sites: ['dc1', 'dc2', 'aws'],
  hosts: ['www.example.com', '*.example.net'],
  origins: { aws: originOf('aws'), dc1: originOf('dc1'), dc2: originOf('dc2'), lab: { url: null, probe: null } },
}

/** n1 owns in dc1, n2 is active in dc2, and everything answers. */
async function world(more: Partial<ServiceConfig> = {}) {
  down.clear()
  const it = await begin({ service: { ...service, ...more }, probe, siteOf: { n1: 'dc1', n2: 'dc2' } })
  it.connect('n1')
  it.connect('n2')
  const states = { n1: 'active', n2: 'active' } as const
  await talk(it, 7_000, states)
  const get = async (query = '', etag?: string) => {
    const headers = { authorization: 'Bearer viewer-token', ...(etag === undefined ? {} : { 'if-none-match': etag }) }
    const response = await it.app.request(`/v1/edge${query}`, { headers })
    const map = response.status === 200 ? ((await response.json()) as EdgeMap) : null
    return { status: response.status, etag: response.headers.get('etag')!, map }
  }
  // A request is authenticated in real time and waits in the clock's: it has to wait before that clock goes on, or
  // it would find the change already there and never have waited at all.
  let waiters = 0
  const { subscribe } = it.cluster
  it.cluster.subscribe = (listener) => {
    waiters += 1
    return subscribe(listener)
  }
  const wait = async (query: string, etag: string) => {
    const before = waiters
    const answer = get(query, etag)
    await eventually(
      () => waiters,
      (now) => expect(now).toBe(before + 1),
    )
    return { answer }
  }
  return { ...it, get, wait, talk: (ms: number) => talk(it, ms, states) }
}

const sitesOf = (map: EdgeMap | null) => map?.routes[0]?.sites.map(({ site, healthy }) => `${site} ${healthy}`)

test('a route for each service with hosts: the owner’s site first, then by preference', async () => {
  const it = await world()
  const { map } = await it.get()
  expect(map?.routes).toEqual([
    {
      hosts: ['www.example.com', '*.example.net'],
      service: 'web',
      epoch: 1,
      owner: { node: 'n1', site: 'dc1' },
      sites: [
        { site: 'dc1', url: 'https://dc1.test', healthy: true },
        { site: 'dc2', url: 'https://dc2.test', healthy: true },
        { site: 'aws', url: 'https://aws.test', healthy: true },
      ],
    },
  ])
})

test('healthy before unhealthy, but the owner’s site is first whatever its probes say', async () => {
  const it = await world({ failback: { kind: 'manual' } })
  down.add('dc2.test')
  await it.talk(1_500)
  expect(sitesOf((await it.get()).map)).toEqual(['dc1 true', 'aws true', 'dc2 false'])
  down.add('dc1.test')
  await it.talk(1_500)
  expect(sitesOf((await it.get()).map)).toEqual(['dc1 false', 'aws true', 'dc2 false'])
})

test('where nobody probes, the nodes’ own word counts', async () => {
  const it = await world({ origins: { dc1: originOf('dc1', false), dc2: originOf('dc2', false) } })
  expect(sitesOf((await it.get()).map)).toEqual(['dc1 true', 'dc2 true'])
  await it.say('n2', 'fault')
  expect(sitesOf((await it.get()).map)).toEqual(['dc1 true', 'dc2 false'])
})

test('a service without hosts has no route', async () => {
  const it = await world({ hosts: [] })
  expect((await it.get()).map?.routes).toEqual([])
})

test('304 as long as nothing changes, and another ETag when something has', async () => {
  const it = await world()
  const first = await it.get()
  await it.talk(5_000)
  expect(await it.get('', first.etag)).toEqual({ status: 304, etag: first.etag, map: null })
  down.add('dc1.test')
  await it.talk(1_500)
  const second = await it.get('', first.etag)
  expect(second.map?.routes[0]).toMatchObject({ epoch: 2, owner: { node: 'n2', site: 'dc2' } })
  expect(second.etag).not.toBe(first.etag)
  expect((await it.get('', '"not ours"')).status).toBe(200)
})

test('a wait ends at once when the owner changes', async () => {
  const it = await world()
  const { etag } = await it.get()
  const waiting = await it.wait('?wait=20s', etag)
  const asked = it.clock.now()
  await it.cluster.switchover({ service: 'web', to: 'n2', by: 'ops', reason: null })
  expect((await waiting.answer).map?.routes[0]?.owner).toEqual({ node: 'n2', site: 'dc2' })
  expect(it.clock.now()).toBe(asked)
})

test('and when the probes of an origin that is not the owner’s change their mind', async () => {
  const it = await world()
  const { etag } = await it.get()
  const waiting = await it.wait('?wait=20s', etag)
  down.add('dc2.test')
  await it.talk(1_500)
  expect(sitesOf((await waiting.answer).map)).toEqual(['dc1 true', 'aws true', 'dc2 false'])
})

test('and when a service is declared anew, or forgotten', async () => {
  const it = await world()
  const { etag } = await it.get()
  const first = await it.wait('?wait=20s', etag)
  const config = { ...serviceDefaults, ...service, hosts: ['other.example.com'] }
  await it.cluster.declare('web', { config, adapters: new Map(), origin: 'api' }, null)
  const { map, etag: later } = await first.answer
  expect(map?.routes[0]?.hosts).toEqual(['other.example.com'])
  const second = await it.wait('?wait=20s', later)
  await it.cluster.forget({ service: 'web', by: 'root', reason: null })
  expect((await second.answer).map?.routes).toEqual([])
})

test('a wait that is over says that nothing has changed', async () => {
  const it = await world()
  const { etag } = await it.get()
  const waiting = await it.wait('?wait=2s', etag)
  await it.talk(2_500)
  expect((await waiting.answer).status).toBe(304)
})
