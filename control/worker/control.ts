/**
 * Control inside one Durable Object: database, adapters, cluster and application, put together as on Node.
 *
 * Done each time the object starts or wakes. Nothing is written then that is not new, since an object that is woken
 * every half minute would pay for it every half minute.
 */
import type { MiddlewareHandler } from 'hono'
import type { Adapter } from '../../adapters/adapter.ts'
import { createAdapter } from '../../adapters/registry.ts'
import { type AgentLink, createAgentLink } from '../agent-link.ts'
import { createApp } from '../app.ts'
import { createAuthenticate, type Env, hashToken } from '../auth.ts'
import { createCluster } from '../cluster.ts'
import type { ClusterConfig, ServiceConfig, TokenConfig } from '../config.ts'
import type { ClusterPorts, Declared, Log } from '../ports.ts'
import { serviceSchema } from '../service-config.ts'
import { createSqlStore } from '../store/sql-store.ts'
import type { DeclarationRecord, Store, TokenRecord } from '../store/store.ts'
import { type AlarmTimer, createAlarmTimer } from './alarm-timer.ts'
import { confirmed } from './confirmed.ts'
import { durableSql } from './do-sqlite.ts'
import { createHibernatingLinks, type HibernatingLinks } from './hibernating-links.ts'
import { probe } from './probe.ts'
import { adapterSchemas } from './settings.ts'

export type Control = {
  readonly fetch: (request: Request) => Promise<Response>
  readonly link: AgentLink
  readonly links: HibernatingLinks
  readonly timer: AlarmTimer
}

export type ControlInput = { readonly context: DurableObjectState; readonly config: ClusterConfig; readonly log: Log }

/** There is no monotonic clock across sleep. Leases compare instants of this one machine only, seconds apart. */
const clock = { now: () => Date.now(), wall: () => new Date() }

export async function startControl({ context, config, log }: ControlInput): Promise<Control> {
  const { storage } = context
  const store = createSqlStore(durableSql(storage))
  await storeTokens(store, config.tokens)
  const confirm = async (): Promise<void> => {
    storage.kv.put('confirmed', clock.now())
    await storage.sync()
  }
  const services = await declareAll({ config, stored: store.load().declarations, confirm, log })
  const links = createHibernatingLinks(context, clock)
  const timer = createAlarmTimer({ storage, clock, log, armedFor: await storage.getAlarm() })
  const ports: ClusterPorts = {
    store,
    clock,
    timer,
    send: links.send,
    aliveAt: links.aliveAt,
    openLinks: links.nodes,
    sleeps: true,
    probe,
    measure: () => undefined,
    random: Math.random,
    log,
  }
  const cluster = createCluster({ services, retention: config.retention }, ports)
  const link = createAgentLink({ cluster, links, ports })
  const authenticate = createAuthenticate(() => store.tokens())
  const upgrade = upgradeIn(context, link)
  const app = createApp({ cluster, store, authenticate, ownerProbe: config.ownerProbe, ports, upgrade })
  cluster.start()
  return { fetch: async (request) => app.fetch(request), link, links, timer }
}

/** The link is the object's, so that it may sleep while the link stays open. */
function upgradeIn(context: DurableObjectState, link: AgentLink): MiddlewareHandler<Env> {
  return async (request, next) => {
    if (request.req.header('upgrade')?.toLowerCase() !== 'websocket') return next()
    const node = request.get('identity').node!
    const { 0: client, 1: server } = new WebSocketPair()
    context.acceptWebSocket(server, [node])
    link.opened(node, server)
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
  readonly confirm: () => Promise<void>
  readonly log: Log
}

/** Those of the configuration, which win, and those that were declared over the API. */
async function declareAll({ config, stored, confirm, log }: Declare): Promise<ReadonlyMap<string, Declared>> {
  const declared = new Map<string, Declared>()
  for (const [service, known] of Object.entries(config.services)) {
    declared.set(service, { config: known, adapters: await makeAdapters(known, confirm), origin: 'file' })
  }
  const schema = serviceSchema(adapterSchemas())
  for (const { service, text } of stored) {
    if (declared.has(service)) continue
    const parsed = schema.safeParse(JSON.parse(text))
    if (parsed.success) {
      const adapters = await makeAdapters(parsed.data, confirm)
      declared.set(service, { config: parsed.data, adapters, origin: 'api' })
    } else {
      const [issue] = parsed.error.issues
      const msg = `its declaration does not fit this Holdfast, so nobody looks after it: ${issue?.path.join('.')}: ${issue?.message}`
      log('warn', { event: 'declaration-skipped', service, msg })
    }
  }
  return declared
}

export async function makeAdapters(
  { bindings }: ServiceConfig,
  confirm: () => Promise<void>,
): Promise<ReadonlyMap<string, Adapter>> {
  const made = bindings.map(async ({ name, adapter, config, targets }) => {
    return [name, confirmed(await createAdapter(adapter, { config, targets }), confirm)] as const
  })
  return new Map(await Promise.all(made))
}
