/** gcp-route against the strict Compute Engine: the shared suite, and what is particular to a route that is made again. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { useKey } from '../gcp-alias-ip/worlds.ts'
import { before } from '../thin/servers.ts'
import { adapterAt, gcpRouteWorld } from './worlds.ts'

beforeEach(() => useKey())

adapterCases({ name: 'gcp-route', setup: () => gcpRouteWorld() })
faultMatrix({ name: 'gcp-route', setup: () => gcpRouteWorld() })

const signal = new AbortController().signal

const move = { node: 'n1', epoch: 1, token: null }

async function made(operations: Parameters<typeof gcpRouteWorld>[0] = {}) {
  const all = await gcpRouteWorld(operations)
  onTestFinished(() => all.world.end())
  return all
}

test('a name that another writer took in between is a conflict', async () => {
  const { adapter, google } = await made()
  google.faults.add({ kind: 'error', code: 'alreadyExists', action: 'insertRoute', next: 1 })
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toMatchObject({ kind: 'conflict', code: 'alreadyExists' })
})

test('a route that is made again has the tags of the configuration', async () => {
  const { google, world } = await made()
  await world.setOutOfBand('n1')
  const adapter = adapterAt(google.url, { tags: ['lan'] })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
  expect(google.state().routes.vip).toMatchObject({ nextHopIp: '10.0.2.10', tags: ['lan'] })
})

test('preflight tells a network that is there from one that is not', async () => {
  const { google } = await made()
  const results = async (config: object) => {
    return (await adapterAt(google.url, config).preflight(signal)).map(({ result }) => result)
  }
  expect(await results({})).toEqual(['passed', 'passed', 'passed', 'untried', 'untried'])
  expect(await results({ network: 'other' })).toEqual(['passed', 'failed', 'passed', 'untried', 'untried'])
})

test.each(['rateLimitExceeded', 'backendError', 'forbidden', 'notFound'])(
  'a write of which the operation cannot be asked about, for %s, was accepted',
  async (code) => {
    const { adapter, google, world } = await made({ operationMs: 60_000 })
    google.faults.add({ kind: 'error', code, action: 'getOperation' })
    expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
    expect(await world.owner()).toBe('n1')
  },
)

test('a write that outlasts the call was accepted, but not when it was only the first of two', async () => {
  const { google, world } = await made({ operationMs: 60_000 })
  const adapter = adapterAt(google.url, {}, { callTimeoutMs: 1_500 })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  const outcome = await adapter.apply({ ...move, node: 'n2' }, signal)
  expect(outcome).toMatchObject({ kind: 'unknown', code: 'StillRunning' })
  expect(await world.owner()).toBe(null)
})

test.each([
  ['conditionNotMet', 'conflict'],
  ['resourceNotReady', 'retry'],
  ['userRateLimitExceeded', 'throttled'],
  ['tooMany', 'throttled'],
  ['quotaExceeded', 'permanent'],
  ['invalid', 'permanent'],
])('%s is told as %s', async (code, kind) => {
  const { adapter, google } = await made()
  google.faults.add({ kind: 'error', code, action: 'insertRoute' })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind, code })
})

test('a route is deleted by its id, and where Google does not find that, by its name', async () => {
  const { adapter, google, world } = await made()
  await world.setOutOfBand('n1')
  const { id } = google.state().routes.vip!
  google.faults.add({ kind: 'error', code: 'notFound', action: 'deleteRoute', about: id })
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toEqual({ kind: 'done' })
  const deleted = google.requests.filter(({ action }) => action === 'deleteRoute')
  expect(deleted.map(({ params, outcome }) => [params.route, outcome])).toEqual([
    [id, 'notFound'],
    ['vip', 'ok'],
  ])
  expect(await world.owner()).toBe('n2')
})

test('a route that somebody else has made again while it was deleted is left alone', async () => {
  const { google, world } = await made()
  await world.setOutOfBand('n1')
  const endpoint = await before(google.url, 'DELETE', () => world.setOutOfBand('foreign'))
  const adapter = adapterAt(google.url, { endpoint })
  expect(await adapter.apply({ ...move, node: 'n2' }, signal)).toMatchObject({ kind: 'conflict', code: 'RouteId' })
  expect(await world.owner()).toBe('foreign')
})
