/**
 * Control on one machine: configuration, database, adapters, cluster and HTTP server, put together and taken apart.
 *
 * Started in the order in which each needs the one before it; stopped in the reverse order, so that nothing is
 * accepted that can no longer be stored.
 */
import type { AddressInfo } from 'node:net'
import { type ServerType, serve, upgradeWebSocket, type WebSocketServerLike } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { Adapter } from '../../adapters/adapter.ts'
import { createAdapter } from '../../adapters/registry.ts'
import { createApp } from '../app.ts'
import { createAuthenticate, hashToken } from '../auth.ts'
import { type Cluster, createCluster } from '../cluster.ts'
import type { ControlConfig } from '../config.ts'
import { createLinks, type Links } from '../links.ts'
import type { ClusterPorts, Log } from '../ports.ts'
import { refuseNewer } from '../store/migrations.ts'
import { createSqlStore } from '../store/sql-store.ts'
import type { Store, TokenRecord } from '../store/store.ts'
import { loadControlConfig } from './load-config.ts'
import { createLog } from './log.ts'
import { DatabaseError, openDatabase } from './node-sqlite.ts'

export type RunControl = {
  readonly configFile: string
  /** Default: this process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly log?: Log
  /** Whether SIGTERM and SIGINT stop it. Default: yes. */
  readonly signals?: boolean
}

export type RunningControl = {
  readonly url: string
  /** Stops everything; resolves when the last write is on disk. Safe to call twice. */
  close(): Promise<void>
  /** Resolves when it has been closed, for whatever reason. */
  readonly closed: Promise<void>
}

/** The server could not listen; the message names the address and says what to do. */
export class ListenError extends Error {
  override name = 'ListenError' as const
}

export async function runControl(options: RunControl): Promise<RunningControl> {
  const config = loadControlConfig(options.configFile, options.environment)
  const log = options.log ?? (await createLog())
  const database = openDatabase(config.database, refuseNewer)
  try {
    const store = openStore(config.database, () => createSqlStore(database))
    const tokens = await storeTokens(store, config)
    const adapters = await createAdapters(config)
    const links = createLinks(() => performance.now())
    const ports = createPorts({ store, adapters, links, log })
    const cluster = createCluster(config.services, ports)
    const authenticate = createAuthenticate(tokens)
    const { ownerProbe } = config
    const app = createApp({ cluster, store, authenticate, ownerProbe, links, ports, upgrade: upgradeWebSocket })
    const server = await listen(app.fetch, config.listen)
    cluster.start()
    const running = controlOver({ server, links, cluster, database, log, host: config.listen.host })
    if (options.signals !== false) closeOnSignals(running, log)
    for (const name of guessable(config)) {
      log('warn', {
        event: 'weak-token',
        token: name,
        msg: `the token ${name} is short enough to be guessed: openssl rand -hex 32`,
      })
    }
    log('info', { event: 'listening', url: running.url })
    return running
  } catch (error) {
    database.close()
    throw error
  }
}

/** A database of a newer version is refused with its file named. */
function openStore(file: string, open: () => Store): Store {
  try {
    return open()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new DatabaseError(`database ${file}: ${message}`, { cause: error })
  }
}

/** Names of tokens that somebody with patience finds by trying. */
function guessable({ tokens }: ControlConfig): string[] {
  return tokens.filter(({ token }) => token.length < 16).map(({ name }) => name)
}

async function storeTokens(store: Store, { tokens }: ControlConfig): Promise<readonly TokenRecord[]> {
  const records = await Promise.all(
    tokens.map(async ({ name, role, node, token }) => ({ name, role, node, hash: await hashToken(token) })),
  )
  await store.setTokens(records)
  return store.tokens()
}

/** All of them before anything is decided, so that loading a provider's SDK is never in the path of a move. */
async function createAdapters({ services }: ControlConfig): Promise<ReadonlyMap<string, Adapter>> {
  const made = Object.entries(services).flatMap(([service, { bindings }]) =>
    bindings.map(async ({ name, adapter, config, targets }) => {
      return [`${service} ${name}`, await createAdapter(adapter, { config, targets })] as const
    }),
  )
  return new Map(await Promise.all(made))
}

type PortsInput = { store: Store; adapters: ReadonlyMap<string, Adapter>; links: Links; log: Log }

function createPorts({ store, adapters, links, log }: PortsInput): ClusterPorts {
  return {
    store,
    adapters: (service, binding) => adapters.get(`${service} ${binding}`)!,
    clock: { now: () => performance.now(), wall: () => new Date() },
    timer: {
      at: (ms, work) => {
        // The server keeps the process alive; a timer of somebody who waits must not keep it from ending.
        const timer = setTimeout(work, Math.max(0, Math.ceil(ms - performance.now()))).unref()
        return () => clearTimeout(timer)
      },
    },
    send: links.send,
    random: Math.random,
    log,
  }
}

type Fetch = Parameters<typeof serve>[0]['fetch']

function listen(fetch: Fetch, { host, port }: ControlConfig['listen']): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 256 * 1024, perMessageDeflate: false })
    const server = serve({ fetch, hostname: host, port, websocket: { server: sockets as WebSocketServerLike } }, () =>
      resolve(server),
    )
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = listenProblems[error.code ?? ''] ?? error.message
      reject(new ListenError(`listen ${host}:${port}: ${why}`, { cause: error }))
    })
  })
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use: stop what uses it, or change listen:',
  EACCES: 'not permitted: take a port from 1024 up, or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address: change listen:',
  ENOTFOUND: 'the host name is unknown: write an address in listen:',
}

type Parts = {
  readonly server: ServerType
  readonly links: Links
  readonly cluster: Cluster
  readonly database: { close(): void }
  readonly log: Log
  readonly host: string
}

function controlOver({ server, links, cluster, database, log, host }: Parts): RunningControl {
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  const { promise: closed, resolve: ended } = Promise.withResolvers<void>()

  const shutDown = async (): Promise<void> => {
    links.closeAll('control is stopping')
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
    await cluster.stop()
    // Idle keep-alive connections, event streams and peers that do not answer the close would hold the server open.
    if ('closeAllConnections' in server) server.closeAllConnections()
    await stopped
    database.close()
    log('info', { event: 'stopped' })
    ended()
  }
  const close = (): Promise<void> => {
    closing ??= shutDown()
    return closing
  }
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close, closed }
}

function closeOnSignals(running: RunningControl, log: Log): void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const close = (signal: NodeJS.Signals): void => {
    log('info', { event: 'stopping', signal })
    void running.close()
  }
  for (const signal of signals) process.once(signal, close)
  void running.closed.then(() => {
    for (const signal of signals) process.off(signal, close)
  })
}
