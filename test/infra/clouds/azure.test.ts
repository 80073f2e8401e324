/** The strict Azure: what it refuses. */
import { expect, onTestFinished, test } from 'vitest'
import { createAzure, type Operations } from '../../../infra/lab/clouds/azure.ts'
import { cloud, secret } from '../../adapters/azure-route/worlds.ts'

async function made(operations: Operations = {}) {
  let now = Date.now()
  const azure = await createAzure({ ...cloud, ...operations, clock: () => new Date(now) })
  onTestFinished(() => azure.close())
  const grant = async (client_secret: string) => {
    const form = { grant_type: 'client_credentials', client_id: cloud.client.id, client_secret }
    const body = new URLSearchParams({ ...form, scope: 'https://management.azure.com/.default' })
    const response = await fetch(`${azure.url}/token`, { method: 'POST', body: String(body), headers: formHeaders })
    return { status: response.status, token: ((await response.json()) as { access_token?: string }).access_token }
  }
  const { token } = await grant(secret)
  const call = async (method: string, path: string, body?: object, authorization = `Bearer ${token}`) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const more = body === undefined ? {} : { body: JSON.stringify(body) }
    return (await fetch(`${azure.url}/x/routeTables/${path}`, { method, headers, ...more })).status
  }
  /** Puts the route, and asks where it is told how that goes: at once, and when it is over. */
  const follow = async (header: string) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const url = `${azure.url}/x/routeTables/lan/routes/vip?${version}`
    const put = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ properties }) })
    const look = async () => {
      const answer = await fetch(put.headers.get(header)!, { headers })
      const table = await fetch(`${azure.url}/x/routeTables/lan?${version}`, { headers })
      const state = /"name":"vip".*?"provisioningState":"(\w+)"/.exec(await table.text())?.[1]
      return [answer.status, await answer.text(), state]
    }
    const before = await look()
    now += 60_000
    return [put.status, before, await look()]
  }
  return { azure, grant, call, follow }
}

const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }
const version = 'api-version=2024-05-01'
const properties = { addressPrefix: '10.9.0.1/32', nextHopType: 'VirtualAppliance', nextHopIpAddress: '10.0.0.2' }

test('only the right secret is given a token, and only a token is let in', async () => {
  const { grant, call } = await made()
  expect(await grant('another')).toEqual({ status: 401, token: undefined })
  expect(await call('GET', `lan?${version}`, undefined, 'Bearer x')).toBe(401)
  expect([await call('GET', `lan?${version}`), await call('GET', 'lan'), await call('GET', `wan?${version}`)]).toEqual([
    200, 400, 404,
  ])
})

test.each([
  ['a read-only property', { ...properties, provisioningState: 'Succeeded' }],
  ['no next hop', { ...properties, nextHopIpAddress: undefined }],
  ['a next hop of the wrong kind', { ...properties, nextHopType: 'Internet' }],
  ['no prefix', { ...properties, addressPrefix: '10.9' }],
])('%s is refused', async (_name, wrong) => {
  const { azure, call } = await made()
  expect(await call('PUT', `lan/routes/vip?${version}`, { properties: wrong })).toBe(400)
  expect(azure.state()).toBe(cloud.initial)
})

test('a route is created, then replaced', async () => {
  const { call } = await made()
  const put = () => call('PUT', `lan/routes/vip?${version}`, { properties })
  expect([await put(), await put()]).toEqual([201, 200])
})

const operationMs = 10_000

test('an operation is told by its status, and the route says how it is provisioned', async () => {
  const well = await made({ operationMs })
  expect(await well.follow('azure-asyncoperation')).toEqual([
    ...[201, [200, '{"status":"InProgress"}', 'Updating'], [200, '{"status":"Succeeded"}', 'Succeeded']],
  ])
  const error = { code: 'InternalServerError', message: 'no' }
  const badly = await made({ operationMs, operationError: error })
  expect(await badly.follow('azure-asyncoperation')).toEqual([
    ...[201, [200, '{"status":"InProgress"}', 'Updating']],
    [200, JSON.stringify({ status: 'Failed', error }), 'Failed'],
  ])
})

test('an operation is told by its location', async () => {
  const { follow } = await made({ operationMs, follow: 'Location' })
  expect(await follow('location')).toEqual([202, [202, '', 'Updating'], [200, '', 'Succeeded']])
})
