/** A control without a network: production cores, shell and store, under a clock that the test turns. */
import type { Adapter, Observation, Outcome } from '../../adapters/adapter.ts'
import { createApp } from '../../control/app.ts'
import { createAuthenticate, hashToken } from '../../control/auth.ts'
import { createCluster } from '../../control/cluster.ts'
import type { Role, ServiceConfig } from '../../control/config.ts'
import type { Command, Report, RouterState, ServiceReport } from '../../control/contract.ts'
import { createLinks, type Links } from '../../control/links.ts'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import type { ClusterPorts, LogEntry } from '../../control/ports.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import type { Store } from '../../control/store/store.ts'

/** Time that passes only when told to. Work that is due is done in order, one turn of the event loop apart. */
export function createClock() {
  let now = 0
  const due = new Set<{ at: number; work: () => void }>()
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const idle = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await turn()
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
    pass: async (ms: number): Promise<void> => {
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
    },
    /** Time passes and nothing runs: what SIGSTOP does. */
    freeze: (ms: number): void => {
      now += ms
    },
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
    dispose: () => undefined,
  }
  return { resource, adapter }
}

export const webService: ServiceConfig = {
  confirmMs: 150,
  bindings: [{ name: 'eip', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }],
}

const priorities: Readonly<Record<string, number>> = { n1: 200, n2: 100 }

export function serviceReport(node: string, state: RouterState, priority = priorities[node] ?? 50): ServiceReport {
  const since = '2026-11-22T08:00:00.000Z'
  return { state, priority, basePriority: priorities[node] ?? 50, healthy: true, since }
}

export type WorldOptions = {
  readonly services?: Readonly<Record<string, ServiceConfig>>
  readonly ownerProbe?: 'token' | 'public'
  /** The database to use, when it is to outlive the world. */
  readonly store?: Store
  readonly resource?: ReturnType<typeof createResource>
  readonly time?: ReturnType<typeof createClock>
}

export const tokens: readonly { name: string; role: Role; node: string | null; token: string }[] = [
  { name: 'root', role: 'admin', node: null, token: 'admin-token' },
  { name: 'ops', role: 'operator', node: null, token: 'operator-token' },
  { name: 'eye', role: 'viewer', node: null, token: 'viewer-token' },
  { name: 'n1', role: 'node', node: 'n1', token: 'node-token-1' },
  { name: 'n2', role: 'node', node: 'n2', token: 'node-token-2' },
]

export async function createWorld(options: WorldOptions = {}) {
  const time = options.time ?? createClock()
  const { resource, adapter } = options.resource ?? createResource(time.clock)
  const database = openDatabase(':memory:')
  const store = options.store ?? createSqlStore(database)
  const links = createLinks(time.clock.now)
  const logged: LogEntry[] = []
  const ports: ClusterPorts = {
    store,
    adapters: () => adapter,
    clock: time.clock,
    timer: time.timer,
    send: links.send,
    random: Math.random,
    log: (_, entry) => void logged.push(entry),
  }
  const cluster = createCluster(options.services ?? { web: webService }, ports)
  const records = await Promise.all(
    tokens.map(async ({ token, ...rest }) => ({ ...rest, hash: await hashToken(token) })),
  )
  const authenticate = createAuthenticate(records)
  const app = createApp({ cluster, store, authenticate, ownerProbe: options.ownerProbe ?? 'token', links, ports })
  const sequences = new Map<string, number>()
  const said = (node: string, state: RouterState, more: Partial<Report> = {}): Report => {
    const sequence = (sequences.get(node) ?? 0) + 1
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
  return { ...time, time, cluster, store, resource, logged, app, call, said, links, connect: connectTo(cluster, links) }
}

/** A node’s link without a socket: what it was sent. */
function connectTo(cluster: ReturnType<typeof createCluster>, links: Links) {
  return (node: string) => {
    const received: Command[] = []
    const socket = {
      send: (text: string) => void received.push(...(JSON.parse(text) as { commands: Command[] }).commands),
      close: () => undefined,
    }
    links.open(node, socket)
    cluster.connected(node)
    const close = (): void => {
      if (links.close(node, socket)) cluster.disconnected(node)
    }
    return { received, close }
  }
}
