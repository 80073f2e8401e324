/** A control without a network: production cores, shell and store, under a clock that the test turns. */
import type { Adapter, Observation, Outcome } from '../../adapters/adapter.ts'
import { memorySchema } from '../../adapters/memory.ts'
import { hashToken } from '../../control/access/auth.ts'
import { createTokens } from '../../control/access/tokens.ts'
import { type AppInput, createApp } from '../../control/app.ts'
import type { Role, ServiceConfig } from '../../control/config/config.ts'
import { bindingDefaults, serviceDefaults } from '../../control/config/service-config.ts'
import type { Command, Report, RouterState, ServiceReport } from '../../control/contract.ts'
import { createCluster } from '../../control/core/cluster.ts'
import type { ClusterPorts, LogEntry, Measure, Probe } from '../../control/core/ports.ts'
import { createLinks, type Links } from '../../control/link/links.ts'
import { createMetrics } from '../../control/seeing/metrics.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import type { Store, TokenRecord } from '../../control/store/store.ts'
import { openTestDatabase, turn } from './runtime.ts'

/** Time that passes only when told to. Work that is due is done in order, one turn of the event loop apart. */
export function createClock() {
  let now = 0
  const due = new Set<{ at: number; work: () => void }>()
  const idle = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await turn()
  }
  /** Time passes until this has come: what waits for a time may have begun to wait at any moment. */
  const passUntil = async <T>(coming: Promise<T>): Promise<T> => {
    let come = false
    const noted = coming.finally(() => {
      come = true
    })
    while (!come) await pass(500)
    return noted
  }
  return {
    clock: { now: () => now, wall: () => new Date(Date.UTC(2026, 10, 22) + now) },
    timer: {
      at: (ms: number, work: () => void) => {
        const entry = { at: ms, work }
        due.add(entry)
        return () => void due.delete(entry)
      },
    },
    /** Lets everything that was begun come to its end. */
    idle,
    pass,
    passUntil,
    /** Time passes and nothing runs: what SIGSTOP does. */
    freeze: (ms: number): void => {
      now += ms
    },
  }
  async function pass(ms: number): Promise<void> {
    const until = now + ms
    await idle()
    for (;;) {
      const next = [...due].toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > until) break
      due.delete(next)
      now = Math.max(now, next.at)
      next.work()
      await idle()
    }
    now = until
  }
}

/** A resource that does what it is told, notes each call, and can be made to do otherwise. */
export function createResource(clock: { now(): number }) {
  const resource = {
    node: null as string | null,
    version: 0,
    calls: [] as string[],
    callAt: [] as number[],
    /** Answers instead of the resource, while set. */
    outcome: null as Outcome | null,
    hang: false,
  }
  const noted = <T>(call: string, value: () => T): Promise<T> => {
    resource.calls.push(call)
    resource.callAt.push(clock.now())
    if (!resource.hang) return Promise.resolve(value())
    return new Promise(() => undefined)
  }
  const adapter: Adapter = {
    capabilities: { cas: 'none', dryRun: false, ipv6: false, settleMs: 5_000, maxInFlightMs: 10_000 },
    observe: () =>
      noted('observe', (): Observation => {
        const { node, version } = resource
        const seen = { token: `${version}`, raw: {} }
        return node === null ? { kind: 'none', ...seen } : { kind: 'node', node, ...seen }
      }),
    apply: ({ node, epoch }) =>
      noted(`apply ${node} ${epoch}`, () => {
        if (resource.outcome !== null) return resource.outcome
        resource.node = node
        resource.version += 1
        return { kind: 'done' }
      }),
    preflight: async () => [],
    dispose: () => undefined,
  }
  return { resource, adapter }
}

export const webService: ServiceConfig = {
  ...serviceDefaults,
  confirmMs: 150,
  bindings: [{ ...bindingDefaults, name: 'eip', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }],
}

const priorities: Readonly<Record<string, number>> = { n1: 200, n2: 100 }

export function serviceReport(node: string, state: RouterState, priority = priorities[node] ?? 50): ServiceReport {
  const since = '2026-11-22T08:00:00.000Z'
  return { state, priority, basePriority: priorities[node] ?? 50, healthy: true, since }
}

export type WorldOptions = {
  readonly services?: Readonly<Record<string, ServiceConfig>>
  readonly ownerProbe?: 'token' | 'public'
  /** Of the API, in place of what it would be given otherwise. */
  readonly app?: Partial<AppInput>
  /** The database to use, when it is to outlive the world. */
  readonly store?: Store
  readonly resource?: ReturnType<typeof createResource>
  /** By binding name; one that is not here is the resource's. */
  readonly adapters?: ReadonlyMap<string, Adapter>
  readonly time?: ReturnType<typeof createClock>
  /** In place of what it would have otherwise. */
  readonly ports?: Partial<ClusterPorts>
  /** Default: everything answers. */
  readonly probe?: Probe
}

export const tokens: readonly { name: string; role: Role; node: string | null; token: string }[] = [
  { name: 'root', role: 'admin', node: null, token: 'admin-token' },
  { name: 'ops', role: 'operator', node: null, token: 'operator-token' },
  { name: 'eye', role: 'viewer', node: null, token: 'viewer-token' },
  { name: 'n1', role: 'node', node: 'n1', token: 'node-token-1' },
  { name: 'n2', role: 'node', node: 'n2', token: 'node-token-2' },
]

const retention = { ageMs: 90 * 24 * 3_600_000, events: 100_000, operations: 10_000 }

/** The same adapter for every binding that has none of its own. */
export function adaptersOf(
  { bindings }: ServiceConfig,
  adapter: Adapter,
  own: ReadonlyMap<string, Adapter> = new Map(),
): ReadonlyMap<string, Adapter> {
  return new Map(bindings.map(({ name }) => [name, own.get(name) ?? adapter]))
}

function tokenRecords(): Promise<TokenRecord[]> {
  return Promise.all(
    tokens.map(async ({ token, ...rest }): Promise<TokenRecord> => {
      const createdAt = '2026-11-22T00:00:00.000Z'
      return {
        id: `id-of-${rest.name}`,
        ...rest,
        hash: await hashToken(token),
        origin: 'file',
        createdAt,
        expiresAt: null,
      }
    }),
  )
}

export async function createWorld(options: WorldOptions = {}) {
  const time = options.time ?? createClock()
  const { resource, adapter } = options.resource ?? createResource(time.clock)
  const store = options.store ?? createSqlStore(openTestDatabase())
  const links = createLinks(time.clock)
  const logged: LogEntry[] = []
  const measured: Measure[] = []
  const metrics = createMetrics({ ports: { ...time, aliveAt: links.aliveAt }, version: '1.2.3' })
  const ports: ClusterPorts = {
    store,
    clock: time.clock,
    timer: time.timer,
    send: links.send,
    aliveAt: links.aliveAt,
    openLinks: () => [],
    sleeps: false,
    probe: options.probe ?? (() => Promise.resolve(null)),
    measure: (measure) => {
      measured.push(measure)
      metrics.measure(measure)
    },
    random: Math.random,
    log: (_, entry) => void logged.push(entry),
    ...options.ports,
  }
  const declared = Object.entries(options.services ?? { web: webService }).map(([name, config]) => {
    return [name, { config, adapters: adaptersOf(config, adapter, options.adapters), origin: 'file' }] as const
  })
  const cluster = createCluster({ services: new Map(declared), retention }, ports)
  const records = await tokenRecords()
  await store.setTokens('file', records)
  // The tests' clock does not wait for the thread that WebCrypto hashes on; what it was told once is known at once.
  const hashes = new Map(tokens.map(({ token }, i) => [token, records[i]!.hash]))
  const ending = new AbortController()
  const app = createApp({
    cluster,
    store,
    links,
    ports,
    tokens: createTokens(store, time.clock, (token) => hashes.get(token) ?? hashToken(token)),
    ownerProbe: options.ownerProbe ?? 'token',
    rateLimit: { perSecond: 100_000, burst: 100_000 },
    adapters: [memorySchema],
    makeAdapters: async (_service, config) => adaptersOf(config, adapter),
    fileDeclarations: {},
    metrics,
    ending: ending.signal,
    ...options.app,
  })
  const sequences = new Map<string, number>()
  const said = (node: string, state: RouterState, more: Partial<Report> = {}): Report => {
    // Grows over the whole test, also where a second control takes over from a first.
    const sequence = Math.max((sequences.get(node) ?? 0) + 1, Math.floor(time.clock.now()))
    sequences.set(node, sequence)
    const services = { web: serviceReport(node, state) }
    return { node, site: 'dc1', incarnation: `${node}-incarnation`, sequence, services, ...more }
  }
  const call = (method: string, path: string, token: string | null, body?: unknown): Promise<Response> => {
    const headers = new Headers(token === null ? {} : { authorization: `Bearer ${token}` })
    if (body !== undefined) headers.set('content-type', 'application/json')
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    return Promise.resolve(app.request(path, { method, headers, body: text }))
  }
  return {
    ...time,
    time,
    cluster,
    store,
    resource,
    logged,
    measured,
    metrics,
    app,
    call,
    ending,
    said,
    links,
    connect: connectTo(cluster, links),
  }
}

/** A node’s link without a socket: what it was sent. */
function connectTo(cluster: ReturnType<typeof createCluster>, links: Links) {
  return (node: string) => {
    const received: Command[] = []
    const socket = {
      send: (text: string) => void received.push(...(JSON.parse(text) as { commands: Command[] }).commands),
      close: () => undefined,
    }
    links.open(node, socket, node)
    cluster.connected(node)
    const close = (): void => {
      if (links.close(node, socket)) cluster.disconnected(node)
    }
    return { received, close }
  }
}
