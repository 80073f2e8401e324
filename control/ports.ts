/** What a cluster needs from the process around it: on Node, in a Durable Object, or under a simulator's clock. */
import type { Adapter } from '../adapters/adapter.ts'
import type { Command } from './contract.ts'
import type { Store } from './store/store.ts'

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

export type ClusterPorts = {
  readonly store: Store
  /** The binding's adapter, made before the cluster is. */
  adapters(service: string, binding: string): Adapter
  readonly clock: Clock
  readonly timer: Timer
  /** Hands commands to the node's open link. False when it has none; the node will be told when it next posts. */
  send(node: string, commands: readonly Command[]): boolean
  /** At least 0 and less than 1. */
  random(): number
  readonly log: Log
}
