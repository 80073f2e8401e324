/** The strict Compute Engine: what it refuses. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { googleToken } from '../../../adapters/google/token.ts'
import { spanOf } from '../../../adapters/rest/api.ts'
import { createGoogle } from '../../../infra/lab/clouds/google.ts'
import { account, initial, project, useKey, vip } from '../../adapters/gcp-alias-ip/worlds.ts'

beforeEach(() => useKey())

/** What is used of any answer. */
type Said = {
  readonly name?: string
  readonly status?: string
  readonly networkInterfaces?: readonly { readonly fingerprint: string }[]
  readonly error?: { readonly errors?: readonly { readonly reason?: string }[] }
}

async function made(options: { readonly operationMs?: number } = {}) {
  const google = await createGoogle({ project, account, initial, ...options })
  onTestFinished(() => google.close())
  const sign = googleToken({ credentials: { env: 'GOOGLE_KEY_UNDER_TEST' }, tokenEndpoint: `${google.url}/token` })
  const signed = await sign({ method: 'GET', path: '/' }, spanOf(new AbortController().signal))
  const own = signed.kind === 'signed' ? signed.headers.authorization! : 'none'
  const call = async (method: string, path: string, body?: object, authorization = own) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const more = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${google.url}/projects/${project}${path}`, { method, headers, ...more })
    const json = (await response.json()) as Said
    return { status: response.status, json, reason: json.error?.errors?.[0]?.reason }
  }
  return { google, call }
}

const web1 = '/zones/z1/instances/web-1'
const update = `${web1}/updateNetworkInterface?networkInterface=nic0`

test('a call without a token that was granted is refused', async () => {
  const { call } = await made()
  expect(await call('GET', web1, undefined, 'Bearer x')).toMatchObject({ status: 401, reason: 'authError' })
  expect(await call('GET', web1)).toMatchObject({ status: 200 })
})

test('an update needs the fingerprint, and the present one', async () => {
  const { call, google } = await made()
  const aliasIpRanges = [{ ipCidrRange: vip }]
  expect(await call('PATCH', update, { aliasIpRanges })).toMatchObject({ status: 400, reason: 'required' })
  expect(await call('PATCH', update, { aliasIpRanges, fingerprint: 'x' })).toMatchObject({ status: 412 })
  expect(google.state()).toBe(initial)
  const { fingerprint } = (await call('GET', web1)).json.networkInterfaces![0]!
  expect(await call('PATCH', `${update}&requestId=1`, { aliasIpRanges, fingerprint })).toMatchObject({ status: 400 })
  expect(await call('PATCH', update, { aliasIpRanges, fingerprint })).toMatchObject({ status: 200 })
  expect(await call('PATCH', update, { aliasIpRanges, fingerprint })).toMatchObject({ status: 412 })
})

test('an address of another interface fails in the operation, which runs for a while', async () => {
  const { call } = await made({ operationMs: 200 })
  const { fingerprint } = (await call('GET', web1)).json.networkInterfaces![0]!
  const sent = await call('PATCH', update, { aliasIpRanges: [{ ipCidrRange: '10.1.0.78/32' }], fingerprint })
  const look = () => call('GET', `/zones/z1/operations/${sent.json.name}`)
  expect((await look()).json.status).toBe('RUNNING')
  await expect
    .poll(async () => (await look()).json)
    .toMatchObject({
      status: 'DONE',
      error: { errors: [{ code: 'IP_IN_USE_BY_ANOTHER_RESOURCE' }] },
    })
})

test('a route has one next hop and a name of its own', async () => {
  const { call } = await made()
  const route = { name: 'vip', network: 'x/global/networks/default', destRange: '10.9.0.1/32', nextHopIp: '10.0.0.2' }
  expect(await call('POST', '/global/routes', { ...route, nextHopIp: undefined })).toMatchObject({ status: 400 })
  expect(await call('POST', '/global/routes', route)).toMatchObject({ status: 200 })
  expect(await call('POST', '/global/routes', route)).toMatchObject({ status: 409, reason: 'alreadyExists' })
  expect(await call('DELETE', '/global/routes/vip')).toMatchObject({ status: 200 })
  expect(await call('DELETE', '/global/routes/vip')).toMatchObject({ status: 404, reason: 'notFound' })
})
