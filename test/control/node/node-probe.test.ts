/** Node's probes against real servers on loopback: that answer, refuse, hang, fail, redirect, and lie about who they are. */
import { once } from 'node:events'
import { createServer as createHttp, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { probe } from '../../../control/node/probe.ts'
import { startOutside } from '../../support/outside.ts'
import { probeCases } from '../probe-cases.ts'

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const page = async (answer: RequestListener): Promise<string> => `http://127.0.0.1:${await listen(createHttp(answer))}/`
const look = (url: string, signal = AbortSignal.timeout(10_000)) => probe({ kind: 'http', url }, signal)

const places = await startOutside()
afterAll(places.close)
probeCases(probe, () => places.outside)

test('each look has a connection of its own', async () => {
  const ports = new Set<number>()
  const url = await page(({ socket }, response) => {
    ports.add(socket.remotePort!)
    response.end('ok')
  })
  for (let i = 0; i < 3; i += 1) await look(url)
  expect(ports.size).toBe(3)
})

test('why, in words that tell one trouble from another', async () => {
  const { closed, hangsUp, pages } = places.outside
  expect(await look(`http://127.0.0.1:${closed}/`)).toMatch(/ECONNREFUSED/)
  expect(await probe({ kind: 'tcp', address: `127.0.0.1:${closed}` }, AbortSignal.timeout(10_000))).toMatch(
    /ECONNREFUSED/,
  )
  expect(await look(`http://127.0.0.1:${hangsUp}/`)).toMatch(/hang up|ECONNRESET/)
  expect(await look(pages.replace('http:', 'https:'))).toMatch(/SSL|EPROTO|wrong version/i)
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
