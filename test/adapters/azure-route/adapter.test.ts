/** azure-route against the strict Azure: the shared suite, and what is particular to routes and tokens. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Operations } from '../../../infra/lab/clouds/azure.ts'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { serve, through } from '../thin/servers.ts'
import { adapterAt, azureRouteWorld, useSecret } from './worlds.ts'

beforeEach(() => useSecret())

adapterCases({ name: 'azure-route', setup: () => azureRouteWorld() })
faultMatrix({ name: 'azure-route', setup: () => azureRouteWorld() })

const signal = new AbortController().signal

const move = { node: 'n1', epoch: 1, token: null }

async function made(operations: Operations = {}) {
  const all = await azureRouteWorld(operations)
  onTestFinished(() => all.world.end())
  return all
}

test('other routes of the table are left alone, and a token is renewed once when it is refused', async () => {
  const { adapter, azure } = await made()
  const { out } = azure.state().routes
  for (const node of ['n1', 'n2']) {
    expect(await adapter.apply({ node, epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
    azure.revoke()
  }
  expect(azure.state().routes.out).toBe(out)
  expect(azure.tokens).toHaveLength(2)
})

test('a wrong secret is permanent, and not quoted', async () => {
  const { adapter } = await made()
  useSecret('a wrong secret')
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ kind: 'unknown', failure: { kind: 'permanent', code: 'invalid_client' } })
  expect(JSON.stringify(seen)).not.toContain('a wrong secret')
})

test('an IPv6 address and prefix are known however they are written', async () => {
  const { azure } = await made()
  const properties = {
    addressPrefix: '2001:DB8:0::/64',
    nextHopType: 'VirtualAppliance',
    nextHopIpAddress: 'FD00:0::10',
  }
  azure.setOutOfBand((state) => ({ ...state, routes: { vip: { version: 1, properties } } }))
  const config = { addressPrefix: '2001:db8::/64' }
  const targets = { n1: { nextHopIpAddress: 'fd00::9' }, n2: { nextHopIpAddress: 'fd00:0:0::10' } }
  expect(await adapterAt(azure.url, config, {}, targets).observe(signal)).toMatchObject({ kind: 'node', node: 'n2' })
})

test('too much is waited for as long as Azure says', async () => {
  const { adapter, world } = await made()
  world.inject('apply', 'throttled')
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toMatchObject({ kind: 'throttled', afterMs: 7_000 })
})

test('preflight tells a table that is there from one that is not, and a route of another prefix', async () => {
  const { azure } = await made()
  const results = async (config: object) =>
    (await adapterAt(azure.url, config).preflight(signal)).map((each) => each.result)
  expect(await results({})).toEqual(['passed', 'untried', 'untried'])
  expect(await results({ routeTable: 'wan' })).toEqual(['failed', 'untried', 'untried'])
  expect(await results({ route: 'out' })).toEqual(['failed', 'untried', 'untried'])
})

test.each([
  ['ScopeLocked', 'permanent'],
  ['Conflict', 'conflict'],
  ['PreconditionFailed', 'conflict'],
  ['AnotherOperationInProgress', 'retry'],
  ['RetryableErrorDueToAnotherOperation', 'retry'],
  ['TooManyRequests', 'throttled'],
  ['InvalidRequestFormat', 'permanent'],
])('%s is told as %s', async (code, kind) => {
  const { adapter, azure } = await made()
  azure.faults.add({ kind: 'error', code, action: 'putRoute' })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind, code })
})

describe.each(['Azure-AsyncOperation', 'Location'] as const)('an operation that is told by %s', (follow) => {
  test('is followed to its end', async () => {
    const { world, azure } = await made({ follow, operationMs: 1_200 })
    const pause = (ms: number) => world.pass(ms)
    expect(await adapterAt(azure.url, {}, { pause }).apply(move, signal)).toEqual({ kind: 'done' })
    const asked = azure.requests.filter(({ action }) => action === 'getOperation')
    expect(asked.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
  })

  test('and outlasts the call was accepted', async () => {
    const { azure } = await made({ follow, operationMs: 60_000 })
    const adapter = adapterAt(azure.url, {}, { callTimeoutMs: 1_500 })
    expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
    expect(await adapter.observe(signal)).toMatchObject({
      ...{ kind: 'node', node: 'n1', raw: { provisioningState: 'Updating' } },
    })
  })

  test.each(['TooManyRequests', 'ServiceUnavailable', 'AuthorizationFailed', 'ResourceNotFound'])(
    'and cannot be asked about, for %s, was accepted',
    async (code) => {
      const { adapter, azure } = await made({ follow })
      azure.faults.add({ kind: 'error', code, action: 'getOperation' })
      expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
      expect(azure.requests.at(-1)).toMatchObject({ action: 'getOperation', outcome: code })
    },
  )
})

test('Azure is not asked again before it wants to be', async () => {
  const { azure } = await made({ operationMs: 60_000 })
  const waited: number[] = []
  const pause = async (ms: number) => void waited.push(ms)
  const endpoint = await through(azure.url, { 'retry-after': '2' })
  const adapter = adapterAt(azure.url, { endpoint }, { pause, callTimeoutMs: 3_500 })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(waited[0]).toBe(2_000)
})

test.each([
  ['RetryableError', 'retry'],
  ['InternalServerError', 'retry'],
  ['Canceled', 'conflict'],
  ['ScopeLocked', 'permanent'],
])('an operation that fails with %s is told as %s, and the route is nowhere', async (code, kind) => {
  const { adapter } = await made({ operationError: { code, message: 'it went wrong' } })
  expect(await adapter.apply(move, signal)).toEqual({ kind, code, message: 'it went wrong' })
  expect(await adapter.observe(signal)).toMatchObject({
    ...{ kind: 'foreign', what: '10.0.1.10 (Failed)', raw: { provisioningState: 'Failed' } },
  })
})

test('an operation that is said to be elsewhere is not asked about: the token is for Azure alone', async () => {
  const { azure } = await made()
  const elsewhere: string[] = []
  const stranger = await serve((request, response) => {
    elsewhere.push(request.url ?? '')
    response.end('{"status": "Failed"}')
  })
  const endpoint = await through(azure.url, { 'azure-asyncoperation': `${stranger}/operations/1` })
  expect(await adapterAt(azure.url, { endpoint }).apply(move, signal)).toEqual({ kind: 'done' })
  expect(elsewhere).toEqual([])
  expect(azure.requests.at(-1)?.action).toBe('putRoute')
})
