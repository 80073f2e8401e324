/** The HTTP server on Node, with WebSockets, and with TLS where that is configured. */
import { createServer as createHttps, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type ServerType, serve, type WebSocketServerLike } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { ControlConfig } from '../config/config.ts'
import type { TlsFiles } from './tls.ts'

/** The server could not listen; the message names the address and says what to do. */
export class ListenError extends Error {
  override name = 'ListenError' as const
}

export type Server = {
  readonly url: string
  /** For connections that are made from now on; those that are open go on. */
  renew(tls: TlsFiles): void
  /** Takes no new connection; resolves when the last one has ended. */
  close(): Promise<void>
  /** Ends those that are still open. */
  cut(): void
}

type Fetch = Parameters<typeof serve>[0]['fetch']
type ServerInput = { readonly fetch: Fetch; readonly listen: ControlConfig['listen']; readonly tls: TlsFiles | null }

export async function startServer({ fetch, listen, tls }: ServerInput): Promise<Server> {
  const { host, port } = listen
  const server = await new Promise<ServerType>((resolve, reject) => {
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 256 * 1024, perMessageDeflate: false })
    const secure = tls === null ? {} : { createServer: createHttps, serverOptions: { ...tls } }
    const options = { fetch, hostname: host, port, websocket: { server: sockets as WebSocketServerLike }, ...secure }
    const started = serve(options, () => resolve(started))
    started.once('error', (error: NodeJS.ErrnoException) => {
      const why = listenProblems[error.code ?? ''] ?? error.message
      reject(new ListenError(`listen ${host}:${port}: ${why}`, { cause: error }))
    })
  })
  const { port: given } = server.address() as AddressInfo
  return {
    url: `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${given}`,
    renew: (renewed) => (server as HttpsServer).setSecureContext(renewed),
    close: () => new Promise((resolve) => server.close(() => resolve())),
    cut: () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
    },
  }
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use: stop what uses it, or change listen:',
  EACCES: 'not permitted: take a port from 1024 up, or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address: change listen:',
  ENOTFOUND: 'the host name is unknown: write an address in listen:',
}
