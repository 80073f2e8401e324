/** webhook against the strict receiver: the shared suite with and without a fence, and what is particular to deliveries. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { rowsOf } from '../../../adapters/documentation.ts'
import { webhookSchema } from '../../../adapters/webhook/schema.ts'
import { signatureOf } from '../../../adapters/webhook/signature.ts'
import { createReceiver } from '../../../infra/examples/webhook-receiver.ts'
import { adapterCases, plainAdapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, secret, useSecret, webhookWorld } from './worlds.ts'

beforeEach(() => useSecret())

adapterCases({ name: 'webhook', setup: () => webhookWorld({ fenced: false }) })
adapterCases({ name: 'webhook, fenced', setup: () => webhookWorld({ fenced: true }) })
faultMatrix({ name: 'webhook', setup: () => webhookWorld({ fenced: false }) })
faultMatrix({ name: 'webhook, fenced', setup: () => webhookWorld({ fenced: true }) })

plainAdapterCases({
  name: 'webhook with the example receiver',
  setup: async () => {
    const moved = new Map<string, { node: string | null; epoch: number }>()
    const server = createReceiver({ secret, moved })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const at = (): { node: string | null; epoch: number } => moved.get('web/hook') ?? { node: null, epoch: 0 }
    return {
      adapter: adapterAt(url, { fenced: true }),
      world: {
        owner: async () => at().node as 'n1',
        setOutOfBand: async (node) => void moved.set('web/hook', { ...at(), node }),
        unreachable: async () => adapterAt('http://127.0.0.1:1/', { fenced: true }),
        end: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
      },
    }
  },
})

const signal = new AbortController().signal

type Got = {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
type Said = { readonly status: number; readonly headers?: OutgoingHttpHeaders; readonly body?: string }

/** A receiver that says what it is told to, and keeps what it got. */
async function parrot(...said: readonly Said[]): Promise<{ readonly url: string; readonly got: readonly Got[] }> {
  const got: Got[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { status, headers = {}, body: answer = '' } = said[Math.min(got.length, said.length - 1)]!
    got.push({ method: request.method!, url: request.url!, headers: request.headers, body })
    response.writeHead(status, headers).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got }
}

const now = () => new Date(1_764_057_600_000)
const signed = (text: string) =>
  `t=1764057600,v1=${createHmac('sha256', secret).update(`1764057600.${text}`).digest('hex')}`

test('a delivery says where to, since which epoch, from where, and is signed as it is', async () => {
  const { url, got } = await parrot({ status: 204 })
  const adapter = adapterAt(url, {}, { now })
  expect(await adapter.apply({ node: 'n2', epoch: 7, token: 'n1' }, signal)).toEqual({ kind: 'done' })
  await adapter.apply({ node: 'n1', epoch: 8, token: null }, signal)
  const bodies = got.map(({ body }) => JSON.parse(body))
  expect(bodies).toEqual([
    { service: 'web', node: 'n2', epoch: 7, previous: 'n1', binding: 'hook', target: { pool: 'green' } },
    { service: 'web', node: 'n1', epoch: 8, previous: null, binding: 'hook' },
  ])
  expect(got[0]!.headers).toMatchObject({
    'content-type': 'application/json',
    'x-holdfast-epoch': '7',
    'x-holdfast-signature': signed(got[0]!.body),
  })
})

test('a look names service and binding beside what the URL has already, and signs the query', async () => {
  const { url, got } = await parrot({ status: 200, body: '{"node":"n1","epoch":4,"more":true}' })
  const adapter = adapterAt(url, { observeUrl: `${url}?tenant=a%20b` }, { now })
  expect(await adapter.observe(signal)).toEqual({
    ...{ kind: 'node', node: 'n1', token: 'n1', epochSeen: 4, raw: { node: 'n1', epoch: '4' } },
  })
  expect(got[0]!.url).toBe('/hook?tenant=a+b&service=web&binding=hook')
  expect(got[0]!.headers['x-holdfast-signature']).toBe(signed('tenant=a+b&service=web&binding=hook'))
})

test('the signature is that of RFC 2104 with SHA-256, over time and text', async () => {
  // The key and the data of RFC 4231, test case 2, as far as the form lets them through.
  const own = createHmac('sha256', 'Jefe').update('0.what do ya want for nothing?').digest('hex')
  expect(await signatureOf('Jefe', 'what do ya want for nothing?', new Date(999))).toBe(`t=0,v1=${own}`)
})

test('409 with a higher epoch is a conflict, and the next look says which, until a delivery is accepted', async () => {
  const { url } = await parrot(
    { status: 409, body: '{"epoch":12}' },
    { status: 200, body: '{"node":"n1"}' },
    { status: 200 },
    { status: 200, body: '{"node":"n2"}' },
  )
  const adapter = adapterAt(url)
  const refused = await adapter.apply({ node: 'n2', epoch: 7, token: 'n1' }, signal)
  expect(refused).toMatchObject({ kind: 'conflict', code: 'StaleEpoch', message: expect.stringContaining('12') })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 12 })
  expect(await adapter.apply({ node: 'n2', epoch: 13, token: 'n1' }, signal)).toEqual({ kind: 'done' })
  expect(await adapter.observe(signal)).not.toHaveProperty('epochSeen')
})

test.each(['{"epoch":7}', '{"epoch":"12"}', '', 'no'])('409 with %s is a conflict of another kind', async (body) => {
  const { url } = await parrot({ status: 409, body }, { status: 200, body: '{"node":null}' })
  const adapter = adapterAt(url)
  expect(await adapter.apply({ node: 'n2', epoch: 7, token: null }, signal)).toMatchObject({
    kind: 'conflict',
    code: 'HTTP 409',
  })
  expect(await adapter.observe(signal)).not.toHaveProperty('epochSeen')
})

test('a page in the place of a receiver is not believed, whatever its status', async () => {
  const { url } = await parrot(
    { status: 200, body: ' <!doctype html><title>sign in</title>' },
    { status: 200, body: 'ok' },
  )
  const adapter = adapterAt(url, { observe: false })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toMatchObject({ kind: 'unknown' })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
})

test('a receiver that cannot be asked is believed what it accepted, and no more', async () => {
  const { url, got } = await parrot({ status: 202 }, { status: 500 }, { status: 409, body: '{"epoch":9}' })
  const adapter = adapterAt(url, { observe: false })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none', token: null })
  await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', token: 'n1', epochSeen: 1 })
  await adapter.apply({ node: 'n2', epoch: 2, token: 'n1' }, signal)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 1 })
  await adapter.apply({ node: 'n2', epoch: 3, token: 'n1' }, signal)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', epochSeen: 9 })
  expect(got.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST'])
  expect(await adapter.observe(AbortSignal.abort())).toMatchObject({ kind: 'unknown' })
})

test.each<{ readonly said: Said; readonly failure: object }>([
  {
    said: { status: 301, headers: { location: 'https://elsewhere.example/x?token=1' } },
    failure: { kind: 'permanent' },
  },
  { said: { status: 307, headers: { location: '/hook2' } }, failure: { kind: 'permanent' } },
  { said: { status: 400, body: '{"error":"no such service"}' }, failure: { kind: 'permanent' } },
  { said: { status: 401 }, failure: { kind: 'permanent', code: 'HTTP 401' } },
  { said: { status: 403, body: 'forbidden' }, failure: { kind: 'permanent' } },
  { said: { status: 429 }, failure: { kind: 'throttled', afterMs: 2_000 } },
  { said: { status: 429, headers: { 'retry-after': '9' } }, failure: { kind: 'throttled', afterMs: 9_000 } },
  { said: { status: 503, headers: { 'retry-after': '9' } }, failure: { kind: 'throttled', afterMs: 9_000 } },
  { said: { status: 503 }, failure: { kind: 'retry' } },
  { said: { status: 500, body: 'boom' }, failure: { kind: 'retry', message: 'the receiver answered 500: boom' } },
  { said: { status: 502, body: '<html>bad gateway</html>' }, failure: { kind: 'unknown' } },
  { said: { status: 504 }, failure: { kind: 'unknown' } },
])('$said.status is told as it is, whether delivering or asking', async ({ said, failure }) => {
  const { url, got } = await parrot(said)
  const adapter = adapterAt(url)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure })
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject(failure)
  // Neither repeated nor followed.
  expect(got.length).toBe(2)
})

test('a redirect is named without its query', async () => {
  const { url } = await parrot({ status: 302, headers: { location: 'https://elsewhere.example/x?token=1' } })
  expect(await adapterAt(url).apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject({
    message: expect.stringMatching(/redirects to https:\/\/elsewhere\.example\/x, /),
  })
})

test.each([404, 405, 501])('GET answered with %i says what to write instead', async (status) => {
  const { url } = await parrot({ status })
  const failure = { kind: 'permanent', message: expect.stringContaining('observe: false') }
  expect(await adapterAt(url).observe(signal)).toMatchObject({ kind: 'unknown', failure })
})

test.each(['<html>log in</html>', '', '{}', '{"node":7}', '{"node":""}', '{"node":"n1","epoch":-1}', '{"node":"n'])(
  'a look that is answered with %s is not known, and not nothing',
  async (body) => {
    const { url } = await parrot({ status: 200, body })
    expect(await adapterAt(url).observe(signal)).toMatchObject({ kind: 'unknown', failure: { kind: 'unknown' } })
  },
)

test('a node of the name of what every object has is none', async () => {
  const { url, got } = await parrot({ status: 200, body: '{"node":"toString"}' })
  const adapter = adapterAt(url)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'foreign', what: 'toString' })
  const move = { node: 'toString', epoch: 1, token: null }
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'permanent', code: 'NoTarget' })
  expect(got.length).toBe(1)
})

test('a secret that is replaced is used at once, and one that is missing sends nothing', async () => {
  const { adapter, world, receiver } = await webhookWorld({ fenced: true })
  useSecret('another one')
  expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'permanent', code: 'HTTP 401' } })
  useSecret()
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  const asked = receiver.requests.length
  vi.stubEnv('WEBHOOK_SECRET_UNDER_TEST', undefined)
  expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'permanent', code: 'NoCredentials' } })
  expect(receiver.requests.length).toBe(asked)
  await world.end()
})

test('a clock that is off is named with its offset', async () => {
  const { adapter, world } = await webhookWorld({ fenced: true, clock: () => new Date(Date.now() + 900_000) })
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toMatchObject({ kind: 'permanent', code: 'HTTP 401' })
  expect(outcome).toMatchObject({ message: expect.stringMatching(/clock is (899|900|901) s behind/) })
  await world.end()
})

test('a receiver that repeats the secret does not get it into a failure', async () => {
  const { url } = await parrot({ status: 500, body: `expected a signature by ${secret}` })
  const outcome = await adapterAt(url).apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toMatchObject({ kind: 'retry', message: expect.stringContaining('withheld') })
  expect(JSON.stringify(outcome)).not.toContain(secret)
})

test('a call that is not answered ends at its own deadline', async () => {
  const { receiver, world, url } = await webhookWorld({ fenced: true })
  receiver.faults.add({ kind: 'hang-after' })
  const adapter = adapterAt(url, {}, { callTimeoutMs: 200 })
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toEqual({ kind: 'unknown', code: 'TimedOut', message: 'no answer within 200 ms' })
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test('preflight asks, and delivers nothing', async () => {
  const { adapter, world, receiver, url } = await webhookWorld({ fenced: true })
  const untried = ['n1', 'n2'].map((node) => {
    return { check: `POST ${url} (${node})`, result: 'untried', message: 'a delivery would move it' }
  })
  expect(await adapter.preflight(signal)).toEqual([
    { check: `GET ${url}`, result: 'passed', message: null },
    ...untried,
  ])
  world.inject('observe', 'denied')
  expect((await adapter.preflight(signal))[0]).toMatchObject({
    result: 'failed',
    message: expect.stringMatching(/403/),
  })
  expect(await adapterAt(url, { observe: false }).preflight(signal)).toEqual(untried)
  vi.stubEnv('WEBHOOK_SECRET_UNDER_TEST', undefined)
  expect(await adapter.preflight(signal)).toMatchObject([{ check: `sign POST ${url}`, result: 'failed' }])
  expect(receiver.requests.map(({ action }) => action)).toEqual(['look', 'look'])
  await world.end()
})

const given = { url: 'https://h.example/x', secret: { env: 'S' } }

test.each([
  ['a secret written out', { ...given, secret: 'abc' }, /where it is found/],
  ['no secret', { url: given.url }, /secret/],
  ['credentials in the URL', { ...given, url: 'https://a:b@h.example/x' }, /no user name or password/],
  ['another scheme', { ...given, url: 'ftp://h.example/x' }, /URL like https/],
  ['a fragment', { ...given, url: 'https://h.example/x#y' }, /fragment/],
  ['a place to ask of one who cannot be', { ...given, observe: false, observeUrl: given.url }, /leave observeUrl out/],
  ['an unknown key', { ...given, retries: 3 }, /retries/],
])('the configuration refuses %s', (_name, config, words) => {
  const parsed = webhookSchema.config.safeParse(config)
  expect(parsed.success).toBe(false)
  expect(parsed.error!.message).toMatch(words)
})

test('data is a JSON object of bounded size', () => {
  expect(webhookSchema.target.safeParse({ data: { a: [1, { b: null }] } }).success).toBe(true)
  for (const data of [[1], 'text', { a: () => 1 }, { a: 'x'.repeat(20_000) }]) {
    expect(webhookSchema.target.safeParse({ data }).success).toBe(false)
  }
})

test('the documentation describes each key, and the permissions name no query', () => {
  const rows = [...rowsOf(webhookSchema.config), ...rowsOf(webhookSchema.target)]
  expect(rows.map(({ key }) => key)).toEqual([
    ...['url', 'secret', 'observe', 'observeUrl', 'fenced', 'settleSeconds', 'data'],
  ])
  expect(rows.filter(({ what }) => what === '')).toEqual([])
  const config = webhookSchema.config.parse({ ...given, url: 'https://h.example/x?token=1' })
  expect(webhookSchema.permissions({ config, targets: {} })).toEqual([
    {
      kind: 'grant',
      provider: 'receiver',
      grants: [
        'accept POST at https://h.example/x, signed by the secret in the environment variable S',
        'answer GET at https://h.example/x, signed by the same secret',
      ],
    },
  ])
})

test('whoever cannot be asked is never told to only watch', () => {
  const check = (config: object, drift: 'reassert' | 'alert' | 'freeze') => {
    const parsed = webhookSchema.config.parse({ url: 'http://127.0.0.1:1/', secret: { env: 'X' }, ...config })
    return webhookSchema.check?.({ config: parsed, drift })?.message
  }
  expect(check({ observe: false }, 'alert')).toMatch(/^cannot be alert with observe: false/)
  expect(check({ observe: false }, 'freeze')).toMatch(/^cannot be freeze/)
  expect(check({ observe: false }, 'reassert')).toBeUndefined()
  expect(check({}, 'freeze')).toBeUndefined()
})
