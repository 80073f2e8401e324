/**
 * Control inside one Durable Object: database, adapters, cluster and application, put together as on Node.
 *
 * Done each time the object starts or wakes. Nothing is written then that is not new, since an object that is woken
 * every half minute would pay for it every half minute.
 */
import type { MiddlewareHandler } from 'hono'
import { callerOf, type Env, hashToken } from '../access/auth.ts'
import { createTokens } from '../access/tokens.ts'
import { ownAdapters } from '../adapters.ts'
import { createApp } from '../app.ts'
import type { ClusterConfig, TokenConfig } from '../config/config.ts'
import { createCluster } from '../core/cluster.ts'
import { declarationsOfFile, declareStored, type MakeAdapters } from '../core/declarations.ts'
import type { ClusterPorts, Declared, Kept, Log } from '../core/ports.ts'
import { type AgentLink, createAgentLink } from '../link/agent-link.ts'
import { createSqlStore } from '../store/sql-store.ts'
import type { DeclarationRecord, Store, TokenRecord } from '../store/store.ts'
import { type AlarmTimer, createAlarmTimer } from './alarm-timer.ts'
import { confirmed } from './confirmed.ts'
import { durableSql } from './do-sqlite.ts'
import { createHibernatingLinks, type HibernatingLinks } from './hibernating-links.ts'
import { probe } from './probe.ts'
import { seeingIn } from './seeing.ts'

export type Control = {
  readonly fetch: (request: Request) => Promise<Response>
  readonly link: AgentLink
  readonly links: HibernatingLinks
  readonly timer: AlarmTimer
}

export type ControlInput = {
  readonly context: DurableObjectState
  readonly config: ClusterConfig
  /** As it was written, to be shown. */
  readonly text: string
  readonly log: Log
}

/** There is no monotonic clock across sleep. Instants are compared on this one machine only: a lease, or a wait, apart. */
const clock = { now: () => Date.now(), wall: () => new Date() }

export async function startControl({ context, config, text, log }: ControlInput): Promise<Control> {
  const { storage } = context
  const store = createSqlStore(durableSql(storage))
  await storeTokens(store, config.tokens)
  const make = confirmedIn(storage)
  const services = await declareAll({ config, stored: store.load().declarations, make, log })
  const links = createHibernatingLinks(context, clock)
  const timer = createAlarmTimer({ storage, clock, log, armedFor: await storage.getAlarm() })
  const seeing = seeingIn({ context, config, ports: { clock, aliveAt: links.aliveAt, log } })
  const ports: ClusterPorts = {
    store,
    clock,
    timer,
    send: links.send,
    aliveAt: links.aliveAt,
    openLinks: links.nodes,
    sleeps: true,
    kept: keptIn(storage),
    probe,
    measure: seeing.measure,
    random: Math.random,
    log,
  }
  const cluster = createCluster({ services, retention: config.retention }, ports)
  const tokens = createTokens(store, clock)
  const link = createAgentLink({ cluster, links, tokens, ports })
  const app = createApp({
    cluster,
    store,
    links,
    ports,
    tokens,
    makeAdapters: make,
    ownerProbe: config.ownerProbe,
    rateLimit: config.rateLimit,
    adapters: ownAdapters.schemas,
    fileDeclarations: declarationsOfFile(text, ownAdapters.schemas),
    // An object is never told that it ends.
    ending: new AbortController().signal,
    addressOf: (request) => request.req.header('cf-connecting-ip'),
    upgrade: upgradeIn(context, link),
    metrics: seeing.metrics,
    answered: seeing.metrics.answered,
  })
  cluster.start()
  return { fetch: async (request) => app.fetch(request), link, links, timer }
}

/** The number belongs to the shapes of what is kept: whoever changes one counts it up, and begins without. */
function keptIn({ kv }: DurableObjectStorage): Kept {
  const named = (key: string): string => `kept 1 ${key}`
  return {
    get: (key) => kv.get(named(key)),
    put: (key, value) => kv.put(named(key), value),
    delete: (key) => void kv.delete(named(key)),
  }
}

/** The link is the object's, so that it may sleep while the link stays open. */
function upgradeIn(context: DurableObjectState, link: AgentLink): MiddlewareHandler<Env> {
  return async (request, next) => {
    if (request.req.header('upgrade')?.toLowerCase() !== 'websocket') return next()
    const { id, node } = callerOf(request)
    const { 0: client, 1: server } = new WebSocketPair()
    context.acceptWebSocket(server, [node!])
    link.opened({ node: node!, token: id }, server)
    return new Response(null, { status: 101, webSocket: client })
  }
}

async function storeTokens(store: Store, tokens: readonly TokenConfig[]): Promise<void> {
  const createdAt = clock.wall().toISOString()
  const wanted = await Promise.all(
    tokens.map(async ({ token, ...rest }): Promise<TokenRecord> => {
      const hash = await hashToken(token)
      return { id: hash.slice(0, 12), ...rest, hash, origin: 'file', createdAt, expiresAt: null }
    }),
  )
  const known = store.tokens().filter(({ origin }) => origin === 'file')
  if (gistOf(known) !== gistOf(wanted)) await store.setTokens('file', wanted)
}

function gistOf(tokens: readonly TokenRecord[]): string {
  const gists = tokens.map(({ name, role, node, hash }) => JSON.stringify([name, role, node, hash]))
  return gists.toSorted().join()
}

type Declare = {
  readonly config: ClusterConfig
  readonly stored: readonly DeclarationRecord[]
  readonly make: MakeAdapters
  readonly log: Log
}

/** Those of the configuration, which win, and those that were declared over the API. */
async function declareAll({ config, stored, make, log }: Declare): Promise<ReadonlyMap<string, Declared>> {
  const inFile = new Map<string, Declared>()
  for (const [service, known] of Object.entries(config.services)) {
    inFile.set(service, { config: known, adapters: await make(service, known), origin: 'file' })
  }
  const declared = await declareStored({
    records: stored,
    inFile,
    adapters: ownAdapters.schemas,
    makeAdapters: make,
    log,
  })
  return new Map([...inFile, ...declared])
}

/** Adapters that write only as long as this object is the present one, which a write of its own proves. */
function confirmedIn(storage: DurableObjectStorage): MakeAdapters {
  const confirm = async (): Promise<void> => {
    storage.kv.put('confirmed', clock.now())
    await storage.sync()
  }
  return async (service, config) => {
    const made = await ownAdapters.make(service, config)
    return new Map([...made].map(([name, adapter]) => [name, confirmed(adapter, confirm)]))
  }
}
