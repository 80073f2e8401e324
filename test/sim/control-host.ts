/**
 * The machine that control runs on, simulated: the production cluster and SQL store, and a process that can be killed
 * between any two awaits.
 *
 * Every port call may be where it dies: before the call has an effect, or after. What was durable stays; the dead
 * process's timers, promises and links are never heard of again. Then it is started anew on the same database.
 */
import type { Adapter, Move } from '../../adapters/adapter.ts'
import { createMemoryAdapter, type MemoryResource } from '../../adapters/memory.ts'
import { bindingDefaults, type ServiceConfig, serviceDefaults } from '../../control/config/service-config.ts'
import type { Command, Report } from '../../control/contract.ts'
import { type Cluster, createCluster } from '../../control/core/cluster.ts'
import { openDatabase } from '../../control/node/node-sqlite.ts'
import { migrate } from '../../control/store/migrations.ts'
import type { Sql } from '../../control/store/sql.ts'
import { createSqlStore } from '../../control/store/sql-store.ts'
import type { Random } from '../support/prng.ts'
import type { SimulatedNode } from './node.ts'
import { millisecond, type Simulated } from './time.ts'

export type ControlHost = {
  readonly cluster: () => Cluster | undefined
  readonly start: () => void
  readonly crash: () => void
  /** Dies at one of the next port calls: at the nth, before or after its effect. */
  readonly crashAtCall: (nth: number) => void
  readonly connect: (node: SimulatedNode) => void
  /** What a node sends and is sent is held back, as TCP holds it; `heal` delivers it or closes the connection. */
  readonly partition: (node: string) => void
  readonly heal: (node: string, outcome: 'deliver' | 'close') => void
  /** A node's connections end without a word from it: it lost its power. */
  readonly forget: (node: string) => void
  /** Each write that left for the cloud, with the epoch that was durable then. */
  readonly writes: readonly { readonly move: Move; readonly durableEpoch: number }[]
  readonly durableEpoch: () => number
  /** Epochs in the order in which they became durable. */
  readonly epochs: readonly number[]
  readonly close: () => void
}

export type ControlHostOptions = {
  readonly time: Simulated
  readonly random: Random
  readonly nodes: readonly string[]
  readonly resource: MemoryResource
  readonly trace: (line: string) => void
}

type Connection = { readonly node: SimulatedNode; held: (() => unknown)[] | undefined }

/** One run of the process. Everything it set in motion ends with it. */
type Process = {
  alive: boolean
  readonly cluster: Cluster
  readonly connections: Map<string, Connection>
  /** When each connection last carried a report that was taken, or a ping after one. */
  readonly heard: Map<string, number>
}

/** Faults come more often than any flap bound would bear, and what is judged is how it comes to rest. */
const web: ServiceConfig = {
  ...serviceDefaults,
  flap: { ...serviceDefaults.flap, moves: 1_000 },
  bindings: [{ ...bindingDefaults, name: 'eip', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }],
}

const retention = { ageMs: 90 * 24 * 3_600_000, events: 100_000, operations: 10_000 }

export function createControlHost({ time, random, nodes, resource, trace }: ControlHostOptions): ControlHost {
  const database = openDatabase(':memory:')
  migrate(database)
  const writes: { move: Move; durableEpoch: number }[] = []
  const epochs: number[] = []
  let process: Process | undefined
  let callsToLive: number | undefined

  const durableEpoch = (): number => createSqlStore(database).load().owners.web?.epoch ?? 0

  /** Counts down to an ordered death. True when the process has just died. */
  const diesNow = (): boolean => {
    if (callsToLive === undefined) return false
    callsToLive -= 1
    if (callsToLive > 0) return false
    callsToLive = undefined
    crash()
    return true
  }

  /** A call that leaves the process: it may die before, and after; then nobody hears the answer. */
  const call = <T>(mine: () => Process | undefined, work: () => Promise<T>): Promise<T> => {
    const never = new Promise<T>(() => {})
    if (mine()?.alive === false || diesNow()) return never
    const result = work()
    if (diesNow()) return never
    return new Promise((resolve, reject) => {
      const ifAlive = (settle: () => void) => () => mine()?.alive !== false && settle()
      result.then(
        (value) => ifAlive(() => resolve(value))(),
        (error: unknown) => ifAlive(() => reject(error))(),
      )
    })
  }

  const sqlFor = (mine: () => Process | undefined): Sql => ({
    all: database.all,
    tx: database.tx,
    write: (work) =>
      call(mine, () => {
        const done = Promise.withResolvers<ReturnType<typeof work>>()
        time.after(random.between(100, 900), () => {
          // A process that died before its disk answered has written nothing.
          if (mine()?.alive === false) return
          const before = durableEpoch()
          try {
            done.resolve(database.tx(work))
          } catch (error) {
            done.reject(error)
          }
          if (durableEpoch() !== before) epochs.push(durableEpoch())
        })
        return done.promise
      }),
  })

  const adapterFor = (mine: () => Process | undefined): Adapter => {
    const adapter = createMemoryAdapter({ resource, nodes, capabilities: { settleMs: 5_000, maxInFlightMs: 12_000 } })
    return {
      ...adapter,
      observe: (signal) => call(mine, () => adapter.observe(signal)),
      apply: (move, signal) =>
        call(mine, () => {
          writes.push({ move, durableEpoch: durableEpoch() })
          trace(`control applies ${move.node} for epoch ${move.epoch}`)
          return adapter.apply(move, signal)
        }),
    }
  }

  const start = (): void => {
    trace('control starts')
    let self: Process | undefined
    const mine = (): Process | undefined => self
    const adapter = adapterFor(mine)
    const connections = new Map<string, Connection>()
    const services = new Map([['web', { config: web, adapters: new Map([['eip', adapter]]), origin: 'file' }]] as const)
    const heard = new Map<string, number>()
    const cluster = createCluster(
      { services, retention },
      {
        store: createSqlStore(sqlFor(mine)),
        aliveAt: (node) => (connections.has(node) ? (heard.get(node) ?? null) : null),
        openLinks: () => [],
        sleeps: false,
        probe: () => Promise.resolve(null),
        measure: () => {},
        clock: {
          now: () => time.now() / millisecond,
          wall: () => new Date(Date.UTC(2026, 10, 22) + time.now() / millisecond),
        },
        // A microsecond later, so that no rounding makes a deadline look like the future when it rings.
        timer: { at: (ms, work) => time.at(Math.ceil(ms * millisecond) + 1, () => mine()?.alive !== false && work()) },
        send: (node, commands) => {
          const connection = connections.get(node)
          if (connection === undefined || mine()?.alive === false || diesNow()) return false
          carry(connection, () => connection.node.commanded(commands as Command[]))
          return true
        },
        random: random.next,
        log: (_, entry) => trace(`control ${entry.event} ${String(entry.msg ?? entry.node ?? '')}`),
      },
    )
    self = { alive: true, cluster, connections, heard }
    process = self
    cluster.start()
  }

  const crash = (): void => {
    if (process === undefined) return
    trace('control dies')
    const died = process
    died.alive = false
    process = undefined
    for (const { node } of died.connections.values()) time.after(random.between(100, 1_000), () => node.closed())
  }

  /** One message on a connection, in order, a little later; held back while partitioned. */
  const carry = (connection: Connection, deliver: () => unknown): void => {
    if (connection.held !== undefined) connection.held.push(deliver)
    else time.after(600, deliver)
  }

  const connect = (node: SimulatedNode): void => {
    time.after(random.between(300, 2_000), () => {
      const server = process
      if (server === undefined || partitioned.has(node.name)) return node.closed()
      const connection: Connection = { node, held: undefined }
      server.connections.set(node.name, connection)
      server.heard.delete(node.name)
      server.cluster.connected(node.name)
      const isPresent = (): boolean => server.alive && server.connections.get(node.name) === connection
      const hear = (report: Report): void => {
        const at = time.now() / millisecond
        const taken = (): void => {
          if (isPresent()) server.heard.set(node.name, Math.max(at, server.heard.get(node.name) ?? at))
        }
        server.cluster.report(report, 'link').then(taken, () => {})
      }
      node.opened({
        send: (report) => carry(connection, () => isPresent() && hear(report)),
        // As in the last report, which is what control makes of it.
        ping: () =>
          carry(connection, () => {
            if (!isPresent()) return
            if (server.heard.has(node.name)) server.heard.set(node.name, time.now() / millisecond)
            carry(connection, () => node.ponged())
          }),
      })
    })
  }

  const partitioned = new Set<string>()

  return {
    cluster: () => process?.cluster,
    start,
    crash,
    crashAtCall: (nth) => {
      callsToLive = nth
    },
    connect,
    partition(node) {
      partitioned.add(node)
      const connection = process?.connections.get(node)
      if (connection !== undefined) connection.held = []
    },
    heal(node, outcome) {
      partitioned.delete(node)
      const connection = process?.connections.get(node)
      if (connection?.held === undefined) return
      const held = connection.held
      connection.held = undefined
      if (outcome === 'deliver') for (const deliver of held) time.after(600, deliver)
      else {
        drop(node)
        connection.node.closed()
      }
    },
    forget: (node) => drop(node),
    writes,
    durableEpoch,
    epochs,
    close: () => database.close(),
  }

  function drop(node: string): void {
    if (process?.connections.delete(node)) process.cluster.disconnected(node)
  }
}
