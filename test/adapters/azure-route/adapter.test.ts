/** azure-route against the strict Azure: the shared suite, and what is particular to routes and tokens. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, azureRouteWorld, useSecret } from './worlds.ts'

beforeEach(() => useSecret())

adapterCases({ name: 'azure-route', setup: azureRouteWorld })
faultMatrix({ name: 'azure-route', setup: azureRouteWorld })

const signal = new AbortController().signal

async function made() {
  const all = await azureRouteWorld()
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
