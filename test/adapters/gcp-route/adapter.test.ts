/** gcp-route against the strict Compute Engine: the shared suite, and what is particular to a route that is made again. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { useKey } from '../gcp-alias-ip/worlds.ts'
import { adapterAt, gcpRouteWorld } from './worlds.ts'

beforeEach(() => useKey())

adapterCases({ name: 'gcp-route', setup: gcpRouteWorld })
faultMatrix({ name: 'gcp-route', setup: gcpRouteWorld })

const signal = new AbortController().signal

async function made() {
  const all = await gcpRouteWorld()
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
