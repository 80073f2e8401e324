/**
 * What agents of a service say to each other when control is lost: `GET /v1/failsafe/{service}?node=n1`.
 *
 * | answer | means                                              |
 * |--------|----------------------------------------------------|
 * | 200    | this agent runs the service, and is not active     |
 * | 409    | it is active for it                                |
 * | 404    | it does not run it                                 |
 * | 503    | it does not know: its VRRP process does not answer |
 */
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Endpoint } from './config/fields.ts'
import { type PeerWord, pollTimeoutMs } from './link/lease.ts'
import type { Log } from './log.ts'

export type Says = PeerWord['says']

const statusOf = { free: 200, active: 409, absent: 404, unknown: 503 } as const

const saysOf: Readonly<Record<number, Says>> = { 200: 'free', 409: 'active', 404: 'absent' }

export type PeerServer = { readonly close: () => void }

/** How long until an address that can't be listened on is tried again: its interface may only be coming up. */
const retryMs = 1_000

/** Answers peers until closed. */
export function servePeers(
  { host, port }: Endpoint,
  say: (service: string) => keyof typeof statusOf,
  log: Log,
): PeerServer {
  const app = new Hono().get('/v1/failsafe/:service', (context) => {
    const says = say(context.req.param('service'))
    return context.json({ says }, statusOf[says])
  })
  const server = createAdaptorServer({ fetch: app.fetch })
  let retry: NodeJS.Timeout | undefined
  let complained = false
  const listen = (): void => void server.listen(port, host)
  server.on('listening', () => {
    complained = false
    log('info', { event: 'peers-listening', host, port, msg: `peers are answered on ${host}:${port}` })
  })
  server.on('error', (error: Error) => {
    if (!complained)
      log('warn', { event: 'peers-refused', host, port, msg: `peers.listen: ${error.message}; it is tried again` })
    complained = true
    retry = setTimeout(listen, retryMs)
  })
  listen()
  return {
    close: () => {
      clearTimeout(retry)
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
    },
  }
}

export type Inquiry = { readonly peer: Endpoint; readonly service: string; readonly node: string }

export type Inquirer = {
  /** What the peer says; undefined when it does not answer, or does not know. */
  readonly ask: (inquiry: Inquiry) => Promise<Says | undefined>
  readonly close: () => void
}

/** A router that has just been outranked says so a moment later. */
const secondThoughtMs = 200

export function createInquirer(): Inquirer {
  // A connection that is kept repeats a lost packet sooner than a new one its handshake.
  const agent = new Agent({ keepAlive: true })
  const once = (inquiry: Inquiry, timeoutMs: number): Promise<Says | undefined> =>
    new Promise((resolve) => {
      const { peer, service, node } = inquiry
      const path = `/v1/failsafe/${encodeURIComponent(service)}?node=${encodeURIComponent(node)}`
      const { host, port } = peer
      const request = get({ agent, host, port, path, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
        response.resume()
        resolve(saysOf[response.statusCode ?? 0])
      })
      request.on('error', () => resolve(undefined))
    })
  return {
    ask: async (inquiry) => {
      const first = await once(inquiry, pollTimeoutMs)
      if (first !== 'active') return first
      await sleep(secondThoughtMs)
      return once(inquiry, pollTimeoutMs)
    },
    close: () => agent.destroy(),
  }
}
