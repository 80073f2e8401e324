/**
 * What the agent owes control, as a pure function of what happened: the newest report, answers to questions, results
 * of commands, and when to try the connection again.
 *
 * A report is a level. While the connection is down nothing queues up: the newest state replaces the one before, and
 * is sent as soon as the connection is open.
 */
import type { CommandResult, Report, ServiceReport } from '../../control/contract.ts'

export type Identity = { readonly node: string; readonly site: string; readonly incarnation: string }

export type Outbox = {
  readonly identity: Identity
  readonly sequence: number
  readonly services: Readonly<Record<string, ServiceReport>>
  readonly answers: readonly string[]
  readonly results: readonly CommandResult[]
  readonly connection: Connection
}

export type Connection =
  | { readonly kind: 'open' }
  | { readonly kind: 'connecting'; readonly failures: number }
  /** Milliseconds on the caller's monotonic clock. */
  | { readonly kind: 'waiting'; readonly retryAt: number; readonly failures: number }

export type OutboxEvent =
  /** The present state, just asked for or just changed; `answers` are the asks that it answers. */
  | {
      readonly kind: 'state'
      readonly services: Readonly<Record<string, ServiceReport>>
      readonly answers: readonly string[]
    }
  | { readonly kind: 'result'; readonly result: CommandResult }
  | { readonly kind: 'opened' }
  /** `random` in 0..1 spreads the agents of a restarted control. */
  | { readonly kind: 'closed'; readonly random: number }
  | { readonly kind: 'tick' }
  /** Something says that the network is back: do not wait out the back-off. */
  | { readonly kind: 'hurry' }

export type OutboxEffect = { readonly kind: 'send'; readonly report: Report } | { readonly kind: 'connect' }

export type OutboxStep = { readonly outbox: Outbox; readonly effects: readonly OutboxEffect[] }

/** First pause after a failed connection, in milliseconds; doubles with each failure. */
const firstRetryMs = 200
const longestRetryMs = 5_000

export function createOutbox(identity: Identity): Outbox {
  const connection: Connection = { kind: 'waiting', retryAt: 0, failures: 0 }
  return { identity, sequence: 0, services: {}, answers: [], results: [], connection }
}

export function stepOutbox(outbox: Outbox, event: OutboxEvent, now: number): OutboxStep {
  switch (event.kind) {
    case 'state':
      return flush({ ...outbox, services: event.services, answers: [...outbox.answers, ...event.answers] })
    case 'result':
      return flush({ ...outbox, results: [...outbox.results, event.result].slice(-64) })
    case 'opened':
      return flush({ ...outbox, connection: { kind: 'open' } })
    case 'closed': {
      const failures = outbox.connection.kind === 'open' ? 0 : outbox.connection.failures
      const pause = Math.min(longestRetryMs, firstRetryMs * 2 ** failures) * (0.5 + event.random / 2)
      // An ask that was not answered on its own connection is void: control has given up on it.
      return {
        outbox: {
          ...outbox,
          answers: [],
          connection: { kind: 'waiting', retryAt: now + pause, failures: failures + 1 },
        },
        effects: [],
      }
    }
    case 'hurry':
    case 'tick': {
      const { connection } = outbox
      if (connection.kind !== 'waiting' || (event.kind === 'tick' && now < connection.retryAt))
        return { outbox, effects: [] }
      return {
        outbox: { ...outbox, connection: { kind: 'connecting', failures: connection.failures } },
        effects: [{ kind: 'connect' }],
      }
    }
  }
}

/** When `tick` is next wanted, in milliseconds; undefined while connected or connecting. */
export function nextRetry({ connection }: Outbox): number | undefined {
  return connection.kind === 'waiting' ? connection.retryAt : undefined
}

function flush(outbox: Outbox): OutboxStep {
  if (outbox.connection.kind !== 'open' || Object.keys(outbox.services).length === 0) return { outbox, effects: [] }
  const { identity, services, answers, results } = outbox
  const sequence = outbox.sequence + 1
  const report: Report = {
    ...identity,
    sequence,
    services,
    ...(answers.length > 0 ? { answers: answers.slice(-64) } : {}),
    ...(results.length > 0 ? { results: [...results] } : {}),
  }
  return { outbox: { ...outbox, sequence, answers: [], results: [] }, effects: [{ kind: 'send', report }] }
}
