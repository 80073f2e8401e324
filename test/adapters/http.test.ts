/** One call of a provider's HTTP API, against real servers that behave and misbehave. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttp, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { type Answer, ask, jsonOf } from '../../adapters/http.ts'
import { expired, key, otherName } from './certificates.ts'

const signal = new AbortController().signal

afterEach(() => {
  vi.useRealTimers()
})

async function listening(server: Server, scheme = 'http'): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const serve = (listener: RequestListener) => listening(createHttp({ keepAliveTimeout: 0 }, listener))
/** A server below HTTP, which is given each connection once it has asked for something. */
const answering = (give: (socket: Socket) => void) =>
  listening(createTcp((socket) => void socket.once('data', () => give(socket))))

const get = (url: string, more: object = {}) => ask({ method: 'GET', url, ...more }, signal)

test('a call is what it says, and so is its answer', async () => {
  let got: { readonly method?: string; readonly headers: IncomingHttpHeaders; readonly body: string } | undefined
  const url = await serve(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    got = { method: request.method!, headers: request.headers, body }
    response.writeHead(418, { 'retry-after': '3', 'x-own': 'yes' }).end('grüße')
  })
  const answer = await ask({ method: 'PATCH', url, headers: { 'x-mine': '1' }, body: '{"ü":1}' }, signal)
  expect(answer).toMatchObject({ kind: 'answered', status: 418, text: 'grüße', retryAfterMs: 3_000 })
  expect(answer.kind === 'answered' && answer.headers.get('x-own')).toBe('yes')
  expect(got).toMatchObject({ method: 'PATCH', headers: { 'x-mine': '1', 'user-agent': 'holdfast' }, body: '{"ü":1}' })
})

test('characters that come in parts are put together', async () => {
  const url = await serve((_, response) => {
    const bytes = Buffer.from('grüße 🎈')
    response.write(bytes.subarray(0, 3))
    setImmediate(() => {
      response.write(bytes.subarray(3, bytes.length - 2))
      setImmediate(() => response.end(bytes.subarray(bytes.length - 2)))
    })
  })
  expect(await get(url)).toMatchObject({ text: 'grüße 🎈' })
})

test.each([301, 302, 303, 307, 308])('a redirect (%i) is an answer, and is not followed', async (status) => {
  let followed = 0
  const elsewhere = await serve((_, response) => {
    followed += 1
    response.end()
  })
  const url = await serve((_, response) => response.writeHead(status, { location: elsewhere }).end())
  const headers = { authorization: 'Bearer of-nobody-else' }
  expect(await ask({ method: 'POST', url, headers, body: 'x' }, signal)).toMatchObject({ kind: 'answered', status })
  expect(followed).toBe(0)
})

const mib = Buffer.alloc(1024 * 1024, 'x')

test('an answer that never ends is left, and its connection closed', async () => {
  let closed: Promise<unknown> | undefined
  const url = await serve((request, response) => {
    closed = new Promise((resolve) => request.socket.on('error', () => {}).once('close', resolve))
    const more = (): void => {
      while (response.write(mib));
      response.once('drain', more)
    }
    more()
  })
  expect(await get(url)).toEqual({ kind: 'unknown', code: 'TooLong', message: 'the answer is too long' })
  await closed
})

test('an answer of the longest length is one', async () => {
  const url = await serve((_, response) => response.end('x'.repeat(4_000_000)))
  const answer = await get(url)
  expect(answer.kind === 'answered' && answer.text.length).toBe(4_000_000)
})

/** What breaks on the way, and what it means. Each is done to a real socket. */
const breaks: Readonly<Record<string, { readonly url: () => Promise<string>; readonly failure: object }>> = {
  'nobody listens': {
    url: async () => {
      const server = createTcp()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      await new Promise((resolve) => server.close(resolve))
      return `http://127.0.0.1:${port}/`
    },
    failure: { kind: 'retry', code: 'ECONNREFUSED' },
  },
  'the name does not exist': {
    url: async () => 'http://nobody.invalid/',
    failure: { kind: 'retry', code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
  },
  'the connection is reset before an answer': {
    url: () => answering((socket) => socket.resetAndDestroy()),
    failure: { kind: 'unknown', code: 'ECONNRESET' },
  },
  'the connection is closed before an answer': {
    url: () => answering((socket) => socket.end()),
    failure: { kind: 'unknown', code: 'UND_ERR_SOCKET' },
  },
  'the connection is closed within the headers': {
    url: () => answering((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')),
    failure: { kind: 'unknown' },
  },
  'the connection is closed within the body': {
    url: () => answering((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"a"')),
    failure: { kind: 'unknown' },
  },
  'the connection is reset within a chunked body': {
    url: () =>
      answering((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a"', () => socket.resetAndDestroy())
      }),
    failure: { kind: 'unknown' },
  },
  'the answer is no HTTP': {
    url: () => answering((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    failure: { kind: 'unknown' },
  },
  'the headers do not end': {
    url: () =>
      answering((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n')
        for (let i = 0; i < 200; i += 1) socket.write(`x-${i}: ${'y'.repeat(1_000)}\r\n`)
      }),
    failure: { kind: 'unknown', code: 'UND_ERR_HEADERS_OVERFLOW' },
  },
  'the certificate is signed by itself': {
    url: () => listening(createHttps({ key, cert: otherName }), 'https'),
    failure: { kind: 'permanent', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  },
  'the certificate names somebody else': {
    url: () => {
      trust(otherName)
      return listening(createHttps({ key, cert: otherName }), 'https')
    },
    failure: { kind: 'permanent', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  },
  'the certificate has expired': {
    url: () => {
      trust(expired)
      return listening(createHttps({ key, cert: expired }), 'https')
    },
    failure: { kind: 'permanent', code: 'CERT_HAS_EXPIRED' },
  },
}

function trust(certificate: string): void {
  const before = getCACertificates('default')
  setDefaultCACertificates([certificate])
  onTestFinished(() => setDefaultCACertificates(before))
}

test.each(Object.entries(breaks))('%s', async (_name, { url, failure }) => {
  expect(await get(await url())).toMatchObject(failure)
})

test('a machine that does not take the connection is one that was told nothing', async () => {
  // A process that listens and is then stopped: its system takes as many connections as it may keep, and no more.
  const child = fork(join(import.meta.dirname, 'deaf-main.ts'))
  onTestFinished(() => void child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  child.kill('SIGSTOP')
  const fill = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  onTestFinished(() => {
    for (const socket of fill) socket.destroy()
  })
  await once(fill[0]!, 'connect')
  expect(await get(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'retry', code: 'UND_ERR_CONNECT_TIMEOUT' })
})

test.each(['nothing', 'half an answer'])('a server that says %s and no more is given up', async (what) => {
  const url = await answering((socket) => {
    if (what !== 'nothing') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"a"')
  })
  const message = 'no answer within 150 ms'
  expect(await get(url, { timeoutMs: 150 })).toEqual({ kind: 'unknown', code: 'TimedOut', message })
})

test.each(['nothing', 'half an answer'])("a caller's signal ends a call that was told %s", async (what) => {
  const controller = new AbortController()
  let reached: () => void
  const asked = new Promise<void>((resolve) => {
    reached = resolve
  })
  const url = await answering((socket) => {
    if (what !== 'nothing') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"a"')
    reached()
  })
  const call = ask({ method: 'GET', url }, controller.signal)
  await asked
  controller.abort()
  expect(await call).toMatchObject({ kind: 'unknown', code: 'Aborted' })
})

test('a signal that has aborted sends nothing', async () => {
  let asked = 0
  const url = await serve(() => {
    asked += 1
  })
  expect(await ask({ method: 'GET', url }, AbortSignal.abort())).toMatchObject({ kind: 'unknown', code: 'Aborted' })
  expect(asked).toBe(0)
})

test('no failure quotes what it was told to keep', async () => {
  const secret = 'kept under test'
  const failures = [
    await get(`http://127.0.0.1:1/${secret}`, { secrets: [secret] }),
    await get(`nonsense://${secret}`, { secrets: [secret] }),
    await get('http://127.0.0.1:1/', { headers: { [`bad ${secret}`]: 'x' }, secrets: [secret] }),
    await get('http://127.0.0.1:1/', { headers: { authorization: `${secret}\n${secret}` }, secrets: [secret] }),
  ]
  for (const { kind } of failures) expect(kind).not.toBe('answered')
  expect(JSON.stringify(failures)).not.toContain(secret)
})

/** How many connections two calls take with a minute between them, on a clock that the test moves. */
async function connectionsOf(call: (url: string) => Promise<unknown>): Promise<number> {
  let connections = 0
  const server = createHttp({ keepAliveTimeout: 0 }, (_, response) => response.end('{}'))
  server.on('connection', () => {
    connections += 1
  })
  const url = await listening(server)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await call(url)
  await vi.advanceTimersByTimeAsync(60_000)
  await call(url)
  return connections
}

test("a connection outlives a minute's pause, which the library's own settings would not let it", async () => {
  expect(await connectionsOf(get)).toBe(1)
  vi.useRealTimers()
  const agent = new Agent()
  onTestFinished(() => agent.close())
  const ordinary = async (url: string) => (await undiciFetch(url, { dispatcher: agent })).text()
  expect(await connectionsOf(ordinary)).toBe(2)
})

test.each([
  ['{"a":1,"b":2}', { kind: 'value', value: { a: 1 } }],
  ['{"a":"1"}', { kind: 'unknown', code: 'HTTP 200' }],
  ['{"a":1', { kind: 'unknown', code: 'HTTP 200' }],
  ['', { kind: 'unknown', code: 'HTTP 200' }],
  ['<html>log in</html>', { kind: 'unknown', message: expect.stringContaining('none of EC2') }],
])('of %s is used what the schema has', (text, read) => {
  const answer: Answer = { kind: 'answered', status: 200, headers: new Headers(), text, retryAfterMs: undefined }
  expect(jsonOf(answer, z.object({ a: z.number() }), 'EC2')).toMatchObject(read)
})

test('a page that says when to come again is waited for', () => {
  const answer: Answer = { kind: 'answered', status: 429, headers: new Headers(), text: '<html>', retryAfterMs: 7_000 }
  expect(jsonOf(answer, z.object({}), 'EC2')).toMatchObject({ kind: 'throttled', afterMs: 7_000 })
})
