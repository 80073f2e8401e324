/** The strict receiver of webhooks: what it refuses. */
import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StrictCloud } from '../../../infra/lab/clouds/strict-cloud.ts'
import { createWebhookReceiver, type ReceiverState } from '../../../infra/lab/clouds/webhook-receiver.ts'

const secret = 'lab secret'
const delivery = { service: 'web', node: 'n1', epoch: 3, previous: null as string | null, binding: 'hook' }

let receiver: StrictCloud<ReceiverState>

beforeEach(async () => {
  receiver = await createWebhookReceiver({ secret, fenced: true, bindings: [{ service: 'web', binding: 'hook' }] })
})

afterEach(() => receiver.close())

function signed(
  text: string,
  { by = secret, at = Date.now() }: { readonly by?: string; readonly at?: number } = {},
): string {
  const t = Math.floor(at / 1000)
  return `t=${t},v1=${createHmac('sha256', by).update(`${t}.${text}`).digest('hex')}`
}

/** A right delivery, with what `more` makes wrong. */
async function post(change: object = {}, more: { readonly signature?: string; readonly headers?: object } = {}) {
  const body = JSON.stringify({ ...delivery, ...change })
  const response = await fetch(`${receiver.url}/hook`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-holdfast-epoch': String(JSON.parse(body).epoch),
      'x-holdfast-signature': more.signature ?? signed(body),
      ...more.headers,
    },
  })
  return { status: response.status, body: (await response.json()) as { code?: string; epoch?: number } }
}

async function get(query: string, signature = signed(query), path = '/hook') {
  const response = await fetch(`${receiver.url}${path}?${query}`, { headers: { 'x-holdfast-signature': signature } })
  return { status: response.status, body: await response.json() }
}

const held = () => receiver.state()['web/hook']

test('a right delivery is taken, and shown', async () => {
  expect(await post({ target: { pool: 'blue' } })).toMatchObject({ status: 200 })
  expect(held()).toEqual({ node: 'n1', epoch: 3, target: { pool: 'blue' } })
  expect(await get('service=web&binding=hook')).toEqual({ status: 200, body: { node: 'n1', epoch: 3 } })
})

test.each([
  ['no signature', '', 'BadSignature'],
  ['half a signature', 't=1,v1=abc', 'BadSignature'],
  ['the signature of another text', signed('{}'), 'BadSignature'],
  ['the signature by another secret', signed(JSON.stringify(delivery), { by: 'x' }), 'BadSignature'],
  ['an old signature', signed(JSON.stringify(delivery), { at: Date.now() - 310_000 }), 'Expired'],
  ['one of the future', signed(JSON.stringify(delivery), { at: Date.now() + 310_000 }), 'Expired'],
])('%s is refused', async (_name, signature, code) => {
  expect(await post({}, { signature })).toMatchObject({ status: 401, body: { code } })
  expect(held()).toMatchObject({ node: null })
})

test.each([
  ['an unknown key', { nodes: [] }, {}],
  ['an epoch that is none', { epoch: 1.5 }, {}],
  ['no node', { node: null }, {}],
  ['no previous', { previous: undefined }, {}],
  ['another epoch in the header', {}, { 'x-holdfast-epoch': '4' }],
  ['another type', {}, { 'content-type': 'text/plain' }],
])('%s is malformed', async (_name, change, headers) => {
  expect(await post(change, { headers })).toMatchObject({ status: 400, body: { code: 'Malformed' } })
  expect(held()).toMatchObject({ node: null })
})

test('a binding that it does not have is refused, also one that every object has', async () => {
  for (const binding of ['other', '__proto__']) {
    expect(await post({ binding })).toMatchObject({ status: 404, body: { code: 'NoSuchBinding' } })
  }
  expect(await get('service=web&binding=other')).toMatchObject({ status: 404 })
})

test('a lower epoch is refused with the one that is held', async () => {
  await post()
  expect(await post({ epoch: 2, node: 'n2', previous: 'n1' })).toMatchObject({
    status: 409,
    body: { code: 'StaleEpoch', epoch: 3 },
  })
  expect(held()).toMatchObject({ node: 'n1', epoch: 3 })
})

test('a move from where it is not is refused; the same delivery again is not', async () => {
  await post()
  expect(await post({ epoch: 4, node: 'n2', previous: 'n7' })).toMatchObject({
    status: 409,
    body: { code: 'NotAsObserved' },
  })
  expect(await post()).toMatchObject({ status: 200 })
  expect(await post({ epoch: 4, node: 'n2', previous: 'n1' })).toMatchObject({ status: 200 })
})

test.each(['service=web', 'service=web&binding=hook&binding=hook', 'service=web&binding=hook&x=1', ''])(
  'a look with ?%s is malformed',
  async (query) => {
    expect(await get(query)).toMatchObject({ status: 400 })
  },
)

test('a look is signed too, and has one path', async () => {
  const query = 'service=web&binding=hook'
  expect(await get(query, signed('service=web&binding=other'))).toMatchObject({ status: 401 })
  expect(await get(query, signed(query), '/hooks')).toMatchObject({ status: 405 })
})
