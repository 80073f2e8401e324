/** What an answer of Cloudflare's API means, whoever gave it. */
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import { adapterAt, useLabToken } from '../cloudflare-dns/worlds.ts'

beforeEach(() => useLabToken())

const signal = new AbortController().signal
const refusal = (...errors: [number, string][]) =>
  JSON.stringify({
    success: false,
    errors: errors.map(([code, message]) => ({ code, message })),
    messages: [],
    result: null,
  })

type Answered = { status: number; body: string; headers?: Record<string, string> }

/** What observe and apply say when everything is answered so. */
async function both({ status, body, headers = { 'content-type': 'application/json' } }: Answered) {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`)
  const seen = await adapter.observe(signal)
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  server.close()
  return [seen.kind === 'unknown' ? seen.failure : seen, outcome]
}

test.each([
  // The record is not as it was observed.
  { code: 81044, status: 404, kind: 'conflict' },
  { code: 81053, status: 400, kind: 'conflict' },
  { code: 81054, status: 400, kind: 'conflict' },
  { code: 81057, status: 400, kind: 'conflict' },
  { code: 81058, status: 400, kind: 'conflict' },
  // What is asked for cannot be.
  { code: 9005, status: 400, kind: 'permanent' },
  { code: 9021, status: 400, kind: 'permanent' },
  { code: 1004, status: 400, kind: 'permanent' },
  { code: 81056, status: 400, kind: 'permanent' },
  { code: 7003, status: 404, kind: 'permanent' },
  // The token.
  { code: 1000, status: 401, kind: 'permanent' },
  { code: 6003, status: 400, kind: 'permanent' },
  { code: 9109, status: 403, kind: 'permanent' },
  { code: 10000, status: 403, kind: 'permanent' },
  // Too much, or its own trouble.
  { code: 10429, status: 429, kind: 'throttled' },
  { code: 971, status: 429, kind: 'throttled' },
  { code: 971, status: 400, kind: 'throttled' },
  { code: 10013, status: 500, kind: 'retry' },
  { code: 10000, status: 503, kind: 'retry' },
])('$code with status $status is $kind', async ({ code, status, kind }) => {
  const failures = await both({ status, body: refusal([code, 'as it is']) })
  for (const failure of failures) expect(failure).toMatchObject({ kind, code: String(code) })
  for (const failure of failures)
    expect(failure).toMatchObject({ message: expect.stringContaining(`as it is (${code})`) })
})

test('of several errors the one that is known decides, also inside another one', async () => {
  const [failure] = await both({ status: 400, body: refusal([1004, 'DNS Validation Error'], [81058, 'identical']) })
  expect(failure).toMatchObject({ kind: 'conflict', code: '81058' })
  const chained = { code: 1004, message: 'DNS Validation Error', error_chain: [{ code: 81057, message: 'it exists' }] }
  const body = JSON.stringify({ success: false, errors: [chained], messages: [], result: null })
  expect((await both({ status: 400, body }))[0]).toMatchObject({ kind: 'conflict', code: '81057' })
})

test('a wait is taken from the answer, and is a minute without one: whoever is shut out stays so for a while', async () => {
  const body = refusal([10429, 'too much'])
  const headers = { 'content-type': 'application/json', 'retry-after': '240' }
  expect((await both({ status: 429, body, headers }))[1]).toMatchObject({ kind: 'throttled', afterMs: 240_000 })
  expect((await both({ status: 429, body }))[1]).toMatchObject({ kind: 'throttled', afterMs: 60_000 })
})

test.each([
  { status: 200, body: '<html><title>log in</title></html>', kind: 'unknown' },
  { status: 200, body: 'no JSON', kind: 'unknown' },
  { status: 200, body: '{"success":true,"result":[{"id":"1","na', kind: 'unknown' },
  { status: 200, body: '{"success":true,"result":null}', kind: 'unknown' },
  { status: 200, body: '[]', kind: 'unknown' },
  { status: 200, body: '', kind: 'unknown' },
  { status: 204, body: '', kind: 'unknown' },
  { status: 302, body: '', kind: 'unknown' },
  { status: 404, body: '{"error":"not found"}', kind: 'permanent' },
  { status: 429, body: '', kind: 'throttled' },
  { status: 502, body: '<html>bad gateway</html>', kind: 'unknown' },
  { status: 503, body: '', kind: 'retry' },
])(
  "an answer that is none of Cloudflare's is $kind, never an empty zone: $status $body",
  async ({ status, body, kind }) => {
    for (const type of ['application/json', 'text/html']) {
      for (const failure of await both({ status, body, headers: { 'content-type': type } })) {
        expect(failure).toMatchObject({ kind, code: `HTTP ${status}` })
      }
    }
  },
)

test('a success that is none, is none', async () => {
  const [failure, outcome] = await both({ status: 200, body: refusal([81044, 'Record does not exist.']) })
  expect(failure).toMatchObject({ kind: 'conflict' })
  expect(outcome).toMatchObject({ kind: 'conflict' })
})

test('a token that is quoted in an answer is withheld', async () => {
  const failures = await both({ status: 403, body: refusal([10000, `no such token: Bearer ${labToken.value}`]) })
  expect(JSON.stringify(failures)).not.toContain(labToken.value)
  expect(failures[1]).toMatchObject({ message: expect.stringContaining('withheld') })
})

test('a token that is not there is a permanent failure that says where it was sought', async () => {
  useLabToken('')
  const adapter = adapterAt('http://127.0.0.1:1/client/v4')
  const message = expect.stringContaining('CLOUDFLARE_TOKEN_UNDER_TEST')
  expect(await adapter.observe(signal)).toMatchObject({
    failure: { kind: 'permanent', code: 'NoCredentials', message },
  })
})

test('a token that no header can hold is a permanent failure that does not quote it', async () => {
  useLabToken('one line\nand another-of-the-token')
  const adapter = adapterAt('http://127.0.0.1:1/client/v4')
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ failure: { kind: 'permanent', code: 'NotSent' } })
  expect(JSON.stringify(seen)).not.toContain('another-of-the-token')
})

test('a control without a binding at Cloudflare does not load the SDK', () => {
  const registry = join(import.meta.dirname, '..', '..', '..', 'adapters', 'registry.ts')
  const program = `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { builtIn } = await import(${JSON.stringify(registry)})
    const count = () => loaded.filter((url) => url.includes('/node_modules/cloudflare/')).length
    const names = { service: 'web', binding: 'dns' }
    await builtIn.create('memory', { ...names, config: {}, targets: {} })
    const before = count()
    const { example } = builtIn.schemaOf('cloudflare-dns')
    await builtIn.create('cloudflare-dns', { ...names, ...example })
    console.log(JSON.stringify([before, count() > 0]))`
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(JSON.parse(printed)).toEqual([0, true])
})
