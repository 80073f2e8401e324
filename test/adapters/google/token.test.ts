/** Google's tokens: by the machine's metadata server, and by the key of a service account. */
import { createVerify, generateKeyPairSync } from 'node:crypto'
import { beforeEach, expect, test, vi } from 'vitest'
import { googleToken } from '../../../adapters/google/token.ts'
import { spanOf } from '../../../adapters/rest/api.ts'
import { type TokenRequest, tokenCases } from '../thin/token-cases.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const account = { type: 'service_account', client_email: 'holdfast@lab.iam.gserviceaccount.com', private_key_id: 'k1' }
const credentials = { env: 'GOOGLE_KEY_OF_TOKENS' }

const useKey = (key: object) => vi.stubEnv(credentials.env, JSON.stringify({ ...account, private_key: pem, ...key }))

beforeEach(() => void useKey({}))

tokenCases({
  name: 'the metadata server of Compute Engine',
  signAt: (url) => googleToken({ tokenEndpoint: `${url}/token` }),
  objection: ({ method, target, headers }) => {
    if (headers['metadata-flavor'] !== 'Google') return 'without Metadata-Flavor: Google nothing is answered'
    return method === 'GET' && target === '/token' ? undefined : `${method} ${target}`
  },
  secrets: () => [],
  refusals: [
    [403, 'access_denied', 'permanent'],
    [503, 'unavailable', 'retry'],
  ],
})

function claimsOf({ body }: TokenRequest) {
  const assertion = new URLSearchParams(body).get('assertion') ?? ''
  const [header = '', claims = '', signature = ''] = assertion.split('.')
  const isSigned = createVerify('RSA-SHA256')
    .update(`${header}.${claims}`)
    .verify(publicKey, Buffer.from(signature, 'base64url'))
  const parsed = [header, claims].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { isSigned, header: parsed[0], claims: parsed[1] }
}

tokenCases({
  name: 'the key of a service account',
  signAt: (tokenEndpoint) => googleToken({ credentials, tokenEndpoint }),
  objection: (request) => {
    const { isSigned, header, claims } = claimsOf(request)
    const seconds = Date.now() / 1000
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(new URLSearchParams(request.body).get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    expect(header).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' })
    expect(claims).toEqual({
      iss: account.client_email,
      scope: 'https://www.googleapis.com/auth/compute',
      // Google's own, although the request goes elsewhere.
      aud: 'https://oauth2.googleapis.com/token',
      iat: expect.any(Number),
      exp: claims.iat + 3600,
    })
    expect(Math.abs(claims.iat - seconds)).toBeLessThan(60)
    return isSigned ? undefined : 'the signature is wrong'
  },
  secrets: (request) => {
    const assertion = new URLSearchParams(request?.body).get('assertion') ?? 'none was sent'
    return [assertion, ...assertion.split('.').slice(1), pem.slice(40, 90)]
  },
  refusals: [
    [400, 'invalid_grant', 'permanent'],
    [401, 'unauthorized_client', 'permanent'],
    [503, 'temporarily_unavailable', 'retry'],
  ],
})

test.each([
  ['no PEM', { private_key: 'secret words' }],
  [
    'a PEM that holds no key',
    { private_key: '-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHdvcmRz\n-----END PRIVATE KEY-----' },
  ],
  ['a key for people', { type: 'authorized_user' }],
  ['a token endpoint that is no URL', { token_uri: 'secret words' }],
])('%s is for a person to correct, and not quoted', async (_, key) => {
  useKey(key)
  const sign = googleToken({ credentials, tokenEndpoint: 'http://127.0.0.1:9' })
  const failed = await sign({ method: 'GET', path: '/' }, spanOf(new AbortController().signal))
  expect(failed).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
  expect(JSON.stringify(failed)).not.toMatch(/secret words|c2VjcmV0/)
})
