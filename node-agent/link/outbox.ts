/**
 * What the agent owes control, as a pure function of what happened: the newest report, answers to questions, results
 * of commands, the pings between them, and when to try the connection again.
 *
 *   opened   change   ask      pulse   pulse   pulse …       every `wholeReportMs`
 *   report   report   report   ping    ping    ping   …      report, ping
 *
 * A report is a level. While the connection is down nothing queues up: the newest state replaces the one before, and
 * is sent as soon as the connection is open; but one that has grown old is not said, and waits for the next. A ping says
 * `as in my last report on this link`, and control answers each with a pong, in order: so it is known until when control
 * has surely heard this node.
 */
import { type CommandResult, heartbeatMs, type Report, type ServiceReport } from '../../control/contract.ts'

export type Identity = { readonly node: string; readonly site: string; readonly incarnation: string }

export type Outbox = {
  readonly identity: Identity
  readonly sequence: number
  readonly services: Readonly<Record<string, ServiceReport>>
  /** When the services were last known to be like this. */
  readonly knownAt: number
  readonly answers: readonly string[]
  readonly results: readonly CommandResult[]
  readonly connection: Connection
  /** When the last ping was sent that control answered, on any connection. Null: it has answered none yet. */
  readonly confirmedAt: number | null
}

/** Instants are milliseconds on the caller's clock, which never jumps and counts the time of a suspended machine. */
export type Connection =
  | {
      readonly kind: 'open'
      /** What was last reported on this connection, and when; undefined: nothing yet. */
      readonly said?: { readonly services: string; readonly at: number }
      /** When each ping was sent that was not answered yet. */
      readonly pings: readonly number[]
    }
  | { readonly kind: 'connecting'; readonly failures: number }
  | { readonly kind: 'waiting'; readonly retryAt: number; readonly failures: number }

export type OutboxEvent =
  /**
   * The present state, just asked for or just changed; `answers` are the asks that it answers. `pulse`: those whom it
   * is about have just said so themselves, a heartbeat after the last time.
   */
  | {
      readonly kind: 'state'
      readonly services: Readonly<Record<string, ServiceReport>>
      readonly answers: readonly string[]
      readonly pulse: boolean
    }
  /** Control has answered the oldest ping that was not answered yet. */
  | { readonly kind: 'pong' }
  | { readonly kind: 'result'; readonly result: CommandResult }
  | { readonly kind: 'opened' }
  /** `random` in 0..1 spreads the agents of a restarted control. */
  | { readonly kind: 'closed'; readonly random: number }
  | { readonly kind: 'tick' }
  /** Something says that the network is back: do not wait out the back-off. */
  | { readonly kind: 'hurry' }

export type OutboxEffect =
  | { readonly kind: 'send'; readonly report: Report }
  | { readonly kind: 'ping' }
  | { readonly kind: 'connect' }

export type OutboxStep = { readonly outbox: Outbox; readonly effects: readonly OutboxEffect[] }

/** First pause after a failed connection, in milliseconds; doubles with each failure. */
const firstRetryMs = 200
const longestRetryMs = 5_000

/** How often all is said again although nothing has changed, in milliseconds. */
const wholeReportMs = 30_000

/** How long a state that was known is taken for the present one: two heartbeats, and a slow machine. Milliseconds. */
export const freshForMs = 2 * heartbeatMs + 500

export function createOutbox(identity: Identity): Outbox {
  const connection: Connection = { kind: 'waiting', retryAt: 0, failures: 0 }
  return { identity, sequence: 0, services: {}, knownAt: 0, answers: [], results: [], connection, confirmedAt: null }
}

export function stepOutbox(outbox: Outbox, event: OutboxEvent, now: number): OutboxStep {
  switch (event.kind) {
    case 'state': {
      const { services, answers, pulse } = event
      return flush({ ...outbox, services, knownAt: now, answers: [...outbox.answers, ...answers] }, { pulse, now })
    }
    case 'result':
      return flush({ ...outbox, results: [...outbox.results, event.result].slice(-64) }, { pulse: false, now })
    case 'opened':
      return flush({ ...outbox, connection: { kind: 'open', pings: [] } }, { pulse: false, now })
    case 'pong':
      return { outbox: confirm(outbox), effects: [] }
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

/** Since when control owes the answer to a ping; undefined while it owes none. */
export function unansweredSince({ connection }: Outbox): number | undefined {
  return connection.kind === 'open' ? connection.pings[0] : undefined
}

type Occasion = { readonly pulse: boolean; readonly now: number }

function flush(outbox: Outbox, { pulse, now }: Occasion): OutboxStep {
  const { connection } = outbox
  const known = Object.keys(outbox.services).length > 0 && now - outbox.knownAt <= freshForMs
  if (connection.kind !== 'open' || !known) return { outbox, effects: [] }
  const reported = isReportDue(outbox, now) ? report(outbox, now) : { outbox, effects: [] }
  return pulse ? ping(reported, now) : reported
}

function isReportDue({ connection, services, answers, results }: Outbox, now: number): boolean {
  if (answers.length > 0 || results.length > 0) return true
  if (connection.kind !== 'open' || connection.said === undefined) return true
  return now - connection.said.at >= wholeReportMs || connection.said.services !== JSON.stringify(services)
}

function report(outbox: Outbox, now: number): OutboxStep {
  const { identity, services, answers, results, connection } = outbox
  const sequence = outbox.sequence + 1
  const report: Report = {
    ...identity,
    sequence,
    services,
    ...(answers.length > 0 ? { answers: answers.slice(-64) } : {}),
    ...(results.length > 0 ? { results: [...results] } : {}),
  }
  const said = { services: JSON.stringify(services), at: now }
  return {
    outbox: { ...outbox, sequence, answers: [], results: [], connection: { ...connection, said } as Connection },
    effects: [{ kind: 'send', report }],
  }
}

function ping({ outbox, effects }: OutboxStep, now: number): OutboxStep {
  const { connection } = outbox
  if (connection.kind !== 'open') return { outbox, effects }
  return {
    outbox: { ...outbox, connection: { ...connection, pings: [...connection.pings, now] } },
    effects: [...effects, { kind: 'ping' }],
  }
}

/** Answers come in the order of the pings. One that nobody asked for confirms nothing. */
function confirm(outbox: Outbox): Outbox {
  const { connection } = outbox
  if (connection.kind !== 'open') return outbox
  const [answered, ...pings] = connection.pings
  if (answered === undefined) return outbox
  return { ...outbox, confirmedAt: answered, connection: { ...connection, pings } }
}
