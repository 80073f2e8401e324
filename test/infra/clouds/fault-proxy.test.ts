/** The proxy that goes wrong: what it passes on as it is, and what each fault does to the server behind and to whoever asks. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFaultProxy } from '../../../infra/lab/clouds/fault-proxy.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'

/** A server that holds one value, and the proxy before it. */
async function start() {
  const seen: { method: string; url: string; headers: Readonly<Record<string, unknown>> }[] = []
  let value = 'first'
  const server = createServer((request, response) => {
    seen.push({ method: request.method!, url: request.url!, headers: request.headers })
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part
    })
    request.on('end', () => {
      if (request.method === 'PUT') value = body
      const status = request.url === '/missing' ? 404 : 200
      response.writeHead(status, { 'content-type': 'text/x-value', etag: '"7"', 'x-other': 'no' }).end(value)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const timers = createManualTimers()
  const to = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const proxy = await createFaultProxy({
    to,
    timers,
    actionOf: ({ method }) => ({ action: method, kind: method === 'GET' ? 'read' : 'write' }),
    look: async () => ({ status: 200, headers: {}, body: value, outcome: 'ok' }),
    refuse: (code) => ({ status: 418, headers: { 'x-code': code }, body: `refused: ${code}`, outcome: code }),
  })
  onTestFinished(async () => {
    await proxy.close()
    await new Promise((resolve) => server.close(resolve).closeAllConnections())
  })
  const ask = (path = '/', init: RequestInit = {}) => fetch(`${proxy.url}${path}`, init)
  return {
    ...{ proxy, timers, seen, to, ask },
    get: async () => (await ask()).text(),
    put: (body: string) => ask('/', { method: 'PUT', body }),
    value: () => value,
    /** Behind the proxy's back. */
    set: (next: string) => {
      value = next
    },
    outcomes: () => proxy.requests.map(({ action, outcome }) => `${action} ${outcome}`),
  }
}

test('passes a request on as it is, and its answer with what is kept of the headers', async () => {
  const { ask, seen, to, outcomes } = await start()
  const answer = await ask('/missing?a=b%20c', { headers: { authorization: 'Bearer x', 'accept-encoding': 'gzip' } })
  expect([answer.status, await answer.text()]).toEqual([200, 'first'])
  expect(answer.headers.get('content-type')).toBe('text/x-value')
  expect(answer.headers.get('etag')).toBe('"7"')
  expect(answer.headers.get('x-other')).toBeNull()
  expect(seen).toMatchObject([{ method: 'GET', url: '/missing?a=b%20c' }])
  expect(seen[0]!.headers).toMatchObject({ authorization: 'Bearer x', host: to.host, 'accept-encoding': 'identity' })
  expect((await ask('/missing')).status).toBe(404)
  expect(outcomes()).toEqual(['GET 200', 'GET 404'])
})

test('refuses in the place of the server, which hears nothing of it, as often as it is told', async () => {
  const { proxy, put, value, seen } = await start()
  proxy.faults.add({ kind: 'error', code: 'busy', action: 'PUT', next: 1 })
  const refused = await put('second')
  expect([refused.status, refused.headers.get('x-code'), await refused.text()]).toEqual([418, 'busy', 'refused: busy'])
  expect([value(), seen.length]).toEqual(['first', 0])
  expect((await put('second')).status).toBe(200)
  expect(value()).toBe('second')
})

test('resets a connection before the server has heard of it, or after it has acted', async () => {
  const { proxy, put, value, outcomes } = await start()
  proxy.faults.add({ kind: 'reset-before', next: 1 })
  await expect(put('second')).rejects.toThrow('fetch failed')
  expect(value()).toBe('first')
  proxy.faults.add({ kind: 'reset-after', next: 1 })
  await expect(put('third')).rejects.toThrow('fetch failed')
  expect(value()).toBe('third')
  expect(outcomes()).toEqual(['PUT reset', 'PUT 200, then reset'])
})

test('lets the server act and gives no answer until the client leaves', async () => {
  const { proxy, ask, value, outcomes } = await start()
  proxy.faults.add({ kind: 'hang-after', next: 1 })
  const controller = new AbortController()
  const asked = ask('/', { method: 'PUT', body: 'second', signal: controller.signal })
  await vi.waitFor(() => expect(outcomes()).toEqual(['PUT 200, not answered']))
  controller.abort()
  await expect(asked).rejects.toThrow()
  expect(value()).toBe('second')
})

test('takes its time by the given clock, half of it before the server acts', async () => {
  const { proxy, timers, put, value } = await start()
  proxy.faults.add({ kind: 'latency', ms: 200, next: 1 })
  let isAnswered = false
  const asked = put('second').then(() => {
    isAnswered = true
  })
  await vi.waitFor(() => expect(proxy.requests.length).toBe(1))
  timers.pass(99)
  expect(value()).toBe('first')
  timers.pass(1)
  await vi.waitFor(() => expect(value()).toBe('second'))
  expect(isAnswered).toBe(false)
  await vi.waitFor(() => expect(proxy.requests[0]!.outcome).toBe('200'))
  timers.pass(100)
  await asked
})

test('delivers a write late, after a newer one, and its sender hears nothing of it', async () => {
  const { proxy, timers, put, value } = await start()
  proxy.faults.add({ kind: 'late-write', ms: 300, next: 1 })
  await expect(put('old')).rejects.toThrow('fetch failed')
  await put('new')
  timers.pass(299)
  await proxy.quiet()
  expect(value()).toBe('new')
  timers.pass(1)
  await proxy.quiet()
  expect(value()).toBe('old')
})

test('shows what was before the last changes, by itself or behind its back, for as long as it is told', async () => {
  const { proxy, timers, get, put, set } = await start()
  await put('second')
  timers.pass(100)
  await proxy.changing()
  set('third')
  proxy.faults.add({ kind: 'stale-reads', ms: 500 })
  expect(await get()).toBe('first')
  timers.pass(450)
  expect(await get()).toBe('second')
  timers.pass(100)
  expect(await get()).toBe('third')
  proxy.faults.clear()
})

test('a late write that should be answered at once is refused: nobody could know its answer', async () => {
  const { proxy } = await start()
  const wrong = () => proxy.faults.add({ kind: 'late-write', ms: 1, answer: 'success' })
  expect(wrong).toThrow(/late-write/)
})
