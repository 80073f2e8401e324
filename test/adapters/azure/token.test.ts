/** Azure's tokens: by the machine's managed identity, and by a client's credentials. */
import { beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { azureToken } from '../../../adapters/azure/token.ts'
import { call, spanOf } from '../../../adapters/rest/api.ts'
import { serve } from '../thin/servers.ts'
import { tokenCases } from '../thin/token-cases.ts'

const id = '8d5c9f3e-51d8-4a6b-9d0d-2f1f6f0c7a11'
const resource = 'https://management.azure.com'
const clientSecret = { env: 'AZURE_SECRET_OF_TOKENS' }
const secret = 'client secret/under+test='

beforeEach(() => void vi.stubEnv(clientSecret.env, secret))

for (const clientId of [undefined, id]) {
  tokenCases({
    name: `the machine's managed identity${clientId === undefined ? '' : ', one of several'}`,
    signAt: (url) => azureToken({ clientId, tokenEndpoint: `${url}/metadata/identity/oauth2/token` }, resource),
    objection: ({ method, target, headers }) => {
      if (headers.metadata !== 'true') return 'without Metadata: true nothing is answered'
      const { pathname, searchParams } = new URL(target, 'http://imds')
      expect([method, pathname]).toEqual(['GET', '/metadata/identity/oauth2/token'])
      expect(Object.fromEntries(searchParams)).toEqual({
        ...{ 'api-version': '2018-02-01', resource: `${resource}/` },
        ...(clientId === undefined ? {} : { client_id: id }),
      })
      return undefined
    },
    secrets: () => [],
    refusals: [
      [400, 'invalid_request', 'permanent'],
      [403, 'access_denied', 'permanent'],
      [500, 'unknown', 'retry'],
    ],
  })
}

tokenCases({
  name: "a client's credentials",
  signAt: (tokenEndpoint) => azureToken({ tenant: id, clientId: id, clientSecret, tokenEndpoint }, resource),
  objection: ({ method, headers, body }) => {
    expect([method, headers['content-type']]).toEqual(['POST', 'application/x-www-form-urlencoded'])
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      ...{ grant_type: 'client_credentials', client_id: id, client_secret: secret },
      scope: `${resource}/.default`,
    })
    return undefined
  },
  secrets: () => [secret, encodeURIComponent(secret), String(new URLSearchParams({ secret })).slice('secret='.length)],
  refusals: [
    [401, 'invalid_client', 'permanent'],
    [400, 'unauthorized_client', 'permanent'],
    [503, 'temporarily_unavailable', 'retry'],
  ],
})

test.each([404, 410])('a metadata server that is being updated says %i, which is worth a retry', async (status) => {
  const url = await serve((_, response) => response.writeHead(status).end('gone for a minute'))
  const api = {
    provider: 'Azure',
    endpoint: url,
    sign: azureToken({ tokenEndpoint: url }, resource),
    refusal: () => undefined,
  }
  const span = spanOf(new AbortController().signal)
  expect(await call(api, { method: 'GET', path: '/' }, z.object({}), span)).toMatchObject({ kind: 'retry' })
})

test('a secret that is not there is for a person to provide', async () => {
  vi.stubEnv(clientSecret.env, undefined)
  const sign = azureToken({ tenant: id, clientId: id, clientSecret, tokenEndpoint: 'http://127.0.0.1:9' }, resource)
  const failed = await sign({ method: 'GET', path: '/' }, spanOf(new AbortController().signal))
  expect(failed).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
})
