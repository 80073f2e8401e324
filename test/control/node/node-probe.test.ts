/** Node's probes against real servers on loopback: that answer, refuse, hang, fail, redirect, and lie about who they are. */
import { once } from 'node:events'
import { createServer as createHttp, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server as TcpServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { probe } from '../../../control/node/probe.ts'

async function listen(server: Server | TcpServer, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const page = async (answer: RequestListener): Promise<string> => `http://127.0.0.1:${await listen(createHttp(answer))}/`
const look = (url: string, signal = AbortSignal.timeout(10_000)) => probe({ kind: 'http', url }, signal)
const knock = (address: string, signal = AbortSignal.timeout(10_000)) => probe({ kind: 'tcp', address }, signal)

/** A port on which nobody listens any more. */
async function closedPort(): Promise<number> {
  const server = createTcp()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

test.each([
  { status: 200, good: true },
  { status: 204, good: true },
  { status: 302, good: true },
  { status: 404, good: false },
  { status: 500, good: false },
  { status: 503, good: false },
])('a page that answers $status', async ({ status, good }) => {
  const url = await page((_, response) => response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end())
  expect(await look(url)).toBe(good ? null : `it answered ${status}`)
})

test('a redirect is not followed', async () => {
  let asked = 0
  const url = await page((_, response) => {
    asked += 1
    response.writeHead(301, { location: '/elsewhere' }).end()
  })
  await look(url)
  expect(asked).toBe(1)
})

test('a page whose body never ends is no worse for it', async () => {
  const url = await page((_, response) => void response.writeHead(200).write('and so on'))
  expect(await look(url)).toBeNull()
})

test('each look has a connection of its own', async () => {
  const ports = new Set<number>()
  const url = await page(({ socket }, response) => {
    ports.add(socket.remotePort!)
    response.end('ok')
  })
  for (let i = 0; i < 3; i += 1) await look(url)
  expect(ports.size).toBe(3)
})

test('nobody listens', async () => {
  const port = await closedPort()
  expect(await look(`http://127.0.0.1:${port}/`)).toMatch(/ECONNREFUSED/)
  expect(await knock(`127.0.0.1:${port}`)).toMatch(/ECONNREFUSED/)
})

test('a server that takes the connection and says nothing', async () => {
  const port = await listen(createTcp((socket) => socket.on('error', () => undefined)))
  expect(await look(`http://127.0.0.1:${port}/`, AbortSignal.timeout(100))).toBe('it did not answer in time')
  expect(await knock(`127.0.0.1:${port}`)).toBeNull()
})

test('a server that hangs up', async () => {
  const port = await listen(createTcp((socket) => socket.destroy()))
  expect(await look(`http://127.0.0.1:${port}/`)).toMatch(/hang up|ECONNRESET/)
})

test('a server that speaks no TLS, and so cannot prove who it is', async () => {
  const url = await page((_, response) => response.end('ok'))
  expect(await look(url.replace('http:', 'https:'))).toMatch(/SSL|EPROTO|wrong version/i)
})

test('a signal that has already been given', async () => {
  expect(await knock('127.0.0.1:9', AbortSignal.abort())).toBe('it did not answer in time')
})

test('an IPv6 address in its brackets', async () => {
  const server = createTcp()
  server.listen(0, '::1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  expect(await knock(`[::1]:${(server.address() as AddressInfo).port}`)).toBeNull()
})

test('a server that goes down and comes back', async () => {
  const answer: RequestListener = (_, response) => response.end('ok')
  const first = createHttp(answer)
  const port = await listen(first)
  const url = `http://127.0.0.1:${port}/`
  expect(await look(url)).toBeNull()
  first.closeAllConnections()
  await new Promise((resolve) => first.close(resolve))
  expect(await look(url)).toMatch(/ECONNREFUSED/)
  await listen(createHttp(answer), port)
  expect(await look(url)).toBeNull()
})
