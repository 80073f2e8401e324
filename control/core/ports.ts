/** What a cluster needs from the process around it: on Node, in a Durable Object, or under a simulator's clock. */
import type { Adapter } from '../../adapters/adapter.ts'
import type { ProbeConfig, ServiceConfig } from '../config/service-config.ts'
import type { Command } from '../contract.ts'
import type { Operation } from '../decision.ts'
import type { Store } from '../store/store.ts'

export type Clock = {
  /** Milliseconds that never jump and never go back. */
  now(): number
  /** For people, and for nothing else. */
  wall(): Date
}

export type Timer = {
  /** Calls `work` once when `clock.now()` has reached `ms`, or soon after. Returns how to cancel that. */
  at(ms: number, work: () => void): () => void
}

export type LogEntry = { readonly event: string; readonly [key: string]: unknown }
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', entry: LogEntry) => void

/** One thing that took time or was counted, for whoever keeps metrics. Durations are milliseconds. */
export type Measure =
  /** From an event's arrival until what it led to was durable. `what`: the event's kind. */
  | { readonly kind: 'decided'; readonly what: string; readonly tookMs: number }
  | {
      readonly kind: 'called'
      readonly adapter: string
      readonly verb: 'observe' | 'apply'
      /** `ok`, or the failure's kind: `conflict`, `retry`, `throttled`, `permanent`, `unknown`. */
      readonly outcome: string
      readonly tookMs: number
    }
  /** The owner changed, and why. */
  | { readonly kind: 'moved'; readonly service: string; readonly reason: string }
  /** A binding that had settled was found to point elsewhere. */
  | { readonly kind: 'drifted'; readonly service: string; readonly binding: string }
  /** A move has ended, with its failover report. */
  | { readonly kind: 'ended'; readonly operation: Operation }

/** One look at a place that should answer. Resolves to null when it did, else to why not; ends when `signal` aborts. */
export type Probe = (target: ProbeConfig['target'], signal: AbortSignal) => Promise<string | null>

/** A service as control administers it, with the adapter of each of its bindings, already made. */
export type Declared = {
  readonly config: ServiceConfig
  readonly adapters: ReadonlyMap<string, Adapter>
  /** Where it was declared. */
  readonly origin: 'file' | 'api'
}

/**
 * What the program keeps while it sleeps, beside what the store has of it: plain values, of which none is missed for
 * longer than it takes to find it out again.
 */
export type Kept = {
  get<T>(key: string): T | undefined
  put(key: string, value: unknown): void
  delete(key: string): void
}

export type ClusterPorts = {
  readonly store: Store
  readonly clock: Clock
  readonly timer: Timer
  /** Hands commands to the node's open link. False when it has none; the node will be told when it next posts. */
  send(node: string, commands: readonly Command[]): boolean
  /**
   * When the node's open link last carried a report, or a ping, which says "as in my last report", on `clock`. Null
   * without a link, and on one that no report has come over yet.
   */
  aliveAt(node: string): number | null
  /** Nodes whose links outlived this start, because only the program slept and not its connections. Usually none. */
  openLinks(): readonly string[]
  /** The program sleeps between events and is woken by the next, so that standing still says nothing. */
  readonly sleeps: boolean
  /** Absent where it never does. */
  readonly kept?: Kept
  readonly probe: Probe
  measure(measure: Measure): void
  /** At least 0 and less than 1. */
  random(): number
  readonly log: Log
}
