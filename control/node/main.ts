/**
 * Control on one machine: configuration, database, adapters, cluster and HTTP server, put together and taken apart.
 *
 * Started in the order in which each needs the one before it; stopped in the reverse order, so that nothing is
 * accepted that can no longer be stored.
 */
import { hash } from 'node:crypto'
import { getConnInfo } from '@hono/node-server/conninfo'
import program from '../../package.json' with { type: 'json' }
import { hashToken } from '../access/auth.ts'
import { createTokens } from '../access/tokens.ts'
import { type Adapters, adaptersOf } from '../adapters.ts'
import { createApp } from '../app.ts'
import type { ControlConfig } from '../config/config.ts'
import { type Cluster, createCluster } from '../core/cluster.ts'
import { declarationsOfFile, declareStored } from '../core/declarations.ts'
import type { ClusterPorts, Declared, Log } from '../core/ports.ts'
import { createAgentLink } from '../link/agent-link.ts'
import { createLinks, type Links } from '../link/links.ts'
import { messageOf } from '../message-of.ts'
import { refuseNewer } from '../store/migrations.ts'
import { createSqlStore } from '../store/sql-store.ts'
import type { Store } from '../store/store.ts'
import { watchStore } from '../store/watched-store.ts'
import { createBackups } from './backup.ts'
import { loadControlConfig } from './load-config.ts'
import { createLog, endUnread } from './log.ts'
import { DatabaseError, openDatabase } from './node-sqlite.ts'
import { probe } from './probe.ts'
import { createSeeing, type Seeing } from './seeing.ts'
import { type Server, startServer } from './server.ts'
import { expiryWarning, readTls, TlsError, type TlsFiles } from './tls.ts'
import { upgradeOn } from './upgrade.ts'

export { ListenError } from './server.ts'

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
  /** Reads the certificate again. A bad one changes nothing, and the log says what is wrong with it. */
  renew(): void
  /** Stops everything; resolves when the last write is on disk. Safe to call twice. */
  close(): Promise<void>
  /** Resolves when it has been closed, for whatever reason. */
  readonly closed: Promise<void>
}

export async function runControl(options: RunControl): Promise<RunningControl> {
  const { configFile, signals = true } = options
  const { config, text, registry } = await loadControlConfig(configFile, options.environment)
  const adapters = adaptersOf(registry)
  const log = options.log ?? (await createLog())
  const tls = config.tls === null ? null : certificate(config.tls, configFile, log)
  const database = openDatabase(config.database, refuseNewer)
  try {
    const store = openStore(config.database, () => watchStore(createSqlStore(database), { clock, timer, log }))
    await storeTokens(store, config)
    const links = createLinks(clock)
    const seeing = createSeeing({ config, store, links, ports: { clock, timer, log }, version })
    const ports = createPorts({ store, links, log, measure: seeing.measure })
    const services = await declareAll({ services: config.services, adapters, store, log })
    const cluster = createCluster({ services, retention: config.retention }, ports)
    const ending = new AbortController()
    const tokens = createTokens(store, clock, (token) => hash('sha256', token))
    const app = createApp({
      cluster,
      store,
      links,
      ports,
      makeAdapters: adapters.make,
      tokens,
      ownerProbe: config.ownerProbe,
      rateLimit: config.rateLimit,
      adapters: adapters.schemas,
      fileDeclarations: declarationsOfFile(text, adapters.schemas),
      ending: ending.signal,
      addressOf: (context) => getConnInfo(context).remote.address,
      upgrade: upgradeOn(createAgentLink({ cluster, links, tokens, ports })),
      metrics: seeing.metrics,
      answered: seeing.metrics.answered,
      storeTrouble: store.trouble,
      takeBackup: createBackups(config.database, database),
    })
    const server = await startServer({ fetch: app.fetch, listen: config.listen, tls })
    cluster.start()
    const renew = (): void => renewTls({ config, configFile, server, log })
    const running = controlOver({ server, links, cluster, seeing, database, log, ending, renew })
    if (signals) obeySignals(running, log)
    for (const name of guessable(config)) {
      const msg = `the token ${name} is short enough to be guessed: openssl rand -hex 32`
      log('warn', { event: 'weak-token', token: name, msg })
    }
    log('info', { event: 'listening', url: running.url })
    return running
  } catch (error) {
    database.close()
    throw error
  }
}

/** A database of a newer version is refused with its file named. */
function openStore<Opened extends Store>(file: string, open: () => Opened): Opened {
  try {
    return open()
  } catch (error) {
    const message = messageOf(error)
    throw new DatabaseError(`database ${file}: ${message}`, { cause: error })
  }
}

/** Names of tokens that somebody with patience finds by trying. */
function guessable({ tokens }: ControlConfig): string[] {
  return tokens.filter(({ token }) => token.length < 16).map(({ name }) => name)
}

async function storeTokens(store: Store, { tokens }: ControlConfig): Promise<void> {
  const createdAt = new Date().toISOString()
  const records = await Promise.all(
    tokens.map(async ({ name, role, node, token }) => {
      const hash = await hashToken(token)
      return { id: hash.slice(0, 12), name, role, node, hash, origin: 'file', createdAt, expiresAt: null } as const
    }),
  )
  await store.setTokens('file', records)
}

type Declare = {
  readonly services: ControlConfig['services']
  readonly adapters: Adapters
  readonly store: Store
  readonly log: Log
}

/** All adapters before anything is decided, so that loading a provider's SDK is never in the path of a move. */
async function declareAll({ services, adapters, store, log }: Declare): Promise<ReadonlyMap<string, Declared>> {
  const made = Object.entries(services).map(async ([service, config]) => {
    return [service, { config, adapters: await adapters.make(service, config), origin: 'file' }] as const
  })
  const inFile = new Map<string, Declared>(await Promise.all(made))
  const { declarations: records } = store.load()
  const stored = await declareStored({ records, inFile, adapters: adapters.schemas, makeAdapters: adapters.make, log })
  return new Map([...inFile, ...stored])
}

const { version } = program as { version: string }

const clock = { now: () => performance.now(), wall: () => new Date() }

const timer = {
  at: (ms: number, work: () => void) => {
    // The server keeps the process alive; a timer of somebody who waits must not keep it from ending.
    const timer = setTimeout(work, Math.max(0, Math.ceil(ms - performance.now()))).unref()
    return () => clearTimeout(timer)
  },
}

type PortsInput = { store: Store; links: Links; log: Log; measure: ClusterPorts['measure'] }

function createPorts({ store, links, log, measure }: PortsInput): ClusterPorts {
  return {
    store,
    clock,
    timer,
    send: links.send,
    aliveAt: links.aliveAt,
    openLinks: () => [],
    sleeps: false,
    probe,
    measure,
    random: Math.random,
    log,
  }
}

type Renewal = { config: ControlConfig; configFile: string; server: Server; log: Log }

function certificate(tls: NonNullable<ControlConfig['tls']>, configFile: string, log: Log): TlsFiles {
  const { files, expires } = readTls(tls, configFile)
  const msg = expiryWarning(tls.certificate, expires, clock.wall())
  if (msg !== null) log('warn', { event: 'certificate-expires', msg })
  return files
}

function renewTls({ config, configFile, server, log }: Renewal): void {
  if (config.tls === null) return
  try {
    server.renew(certificate(config.tls, configFile, log))
    log('info', { event: 'certificate-renewed', certificate: config.tls.certificate })
  } catch (error) {
    if (!(error instanceof TlsError)) throw error
    log('error', { event: 'certificate-refused', msg: `${error.message}; the former one stays in use` })
  }
}

type Parts = {
  readonly server: Server
  readonly links: Links
  readonly cluster: Cluster
  readonly seeing: Seeing
  readonly database: { close(): void }
  readonly log: Log
  readonly ending: AbortController
  readonly renew: () => void
}

function controlOver({ server, links, cluster, seeing, database, log, ending, renew }: Parts): RunningControl {
  let closing: Promise<void> | undefined
  const { promise: closed, resolve: ended } = Promise.withResolvers<void>()

  const shutDown = async (): Promise<void> => {
    ending.abort()
    links.closeAll('control is stopping')
    const stopped = server.close()
    await cluster.stop()
    // Idle keep-alive connections, and peers that do not answer the close, would hold the server open.
    server.cut()
    await stopped
    seeing.stop()
    database.close()
    log('info', { event: 'stopped' })
    ended()
  }
  const close = (): Promise<void> => {
    closing ??= shutDown()
    return closing
  }
  return { url: server.url, renew, close, closed }
}

function obeySignals(running: RunningControl, log: Log): void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const close = (signal: NodeJS.Signals): void => {
    log('info', { event: 'stopping', signal })
    void running.close()
  }
  for (const signal of signals) process.once(signal, close)
  process.on('SIGHUP', running.renew)
  void running.closed.then(() => {
    for (const signal of signals) process.off(signal, close)
    process.off('SIGHUP', running.renew)
    endUnread()
  })
}
