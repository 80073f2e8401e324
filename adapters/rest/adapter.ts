/**
 * How an adapter of a provider's REST API is made: it says how to look, what that means, how to move and what to try,
 * and has `Calls` to do so.
 *
 *   observe    look ──▶ seen             all calls of one look, or of one move, share a deadline
 *   apply      move ──▶ follow           what was accepted, and has not ended when time is over, is done (`accepted.ts`)
 *   preflight  try                       each call has a deadline of its own
 */
import type { z } from 'zod'
import type { Adapter, AdapterInput, Capabilities, Failure, Finding, Move, Observation } from '../adapter.ts'
import { noTarget } from '../failures.ts'
import type { Answer } from '../http.ts'
import { type Pause, pauseFor } from '../pause.ts'
import { type Ended, endOf, type Following } from './accepted.ts'
import { type Api, answerTo, call, type Request, type Span, sign, spanOf, type Value, withheld } from './api.ts'

/** What an adapter may be made with besides its configuration. Defaults: `callMs`, and a pause that lasts. */
export type Options = { readonly callTimeoutMs?: number; readonly pause?: Pause }

export type Calls = {
  /** Whether requests can be signed. Calls that are made at once, after it, share what that has taken. */
  sign(): Promise<Value<null> | Failure>
  /** One request, and its answer where that is a success. */
  ask(request: Request): Promise<Answer | Failure>
  /** One request, and its answer as `schema` has it. */
  call<Schema extends z.ZodType>(request: Request, schema: Schema): Promise<Value<z.output<Schema>> | Failure>
  /** The end of what was accepted and is at `first`. */
  follow<Job>(first: Job, following: Following<Job>): Promise<Ended>
}

export type RestAdapter<Target, Found> = {
  readonly api: Api
  readonly can: Pick<Capabilities, 'cas' | 'ipv6' | 'settleMs' | 'unsureMs'>
  /** What there is. */
  look(calls: Calls): Promise<Value<Found> | Failure>
  /** What that means. */
  seen(found: Found): Observation
  move(calls: Calls, target: Target, move: Move): Promise<Ended>
  /** Whether all that moves need is there and permitted. Changes nothing. */
  try(calls: Calls): Promise<readonly Finding[]>
}

/** For how long a network holds on to a request that is still on its way, in milliseconds. */
const onTheWayMs = 35_000

export function createRestAdapter<Target, Found>(
  { targets }: Pick<AdapterInput<unknown, Target>, 'targets'>,
  adapter: RestAdapter<Target, Found>,
  { callTimeoutMs, pause = pauseFor }: Options = {},
): Adapter {
  const { api, can } = adapter
  const spanFrom = (signal: AbortSignal) => () => spanOf(signal, callTimeoutMs)
  const callsOf = (signal: AbortSignal) => {
    const span = spanOf(signal, callTimeoutMs)
    return callsWithin(api, () => span, pause)
  }
  return {
    // What comes late takes its time to show after that.
    capabilities: { ...can, dryRun: false, maxInFlightMs: onTheWayMs + can.settleMs },
    observe: async (signal) => {
      const found = await adapter.look(callsOf(signal))
      return found.kind === 'value' ? adapter.seen(found.value) : { kind: 'unknown', failure: found }
    },
    apply: async (move, signal) => {
      // Every object has something of some names.
      const target = Object.hasOwn(targets, move.node) ? targets[move.node] : undefined
      if (target === undefined) return noTarget(move.node)
      const ended = await adapter.move(callsOf(signal), target, move)
      return ended.kind === 'unclear' ? { kind: 'done' } : ended
    },
    preflight: (signal) => adapter.try(callsWithin(api, spanFrom(signal), pause)),
    dispose: () => {},
  }
}

/** `spanNow`: that of the next call. */
function callsWithin(api: Api, spanNow: () => Span, pause: Pause): Calls {
  const secrets = new Set<string>()
  const noting: Api = {
    ...api,
    sign: async (request, span) => {
      const signed = await api.sign(request, span)
      if (signed.kind === 'signed') for (const secret of signed.secrets) secrets.add(secret)
      return signed
    },
  }
  return {
    sign: async () => {
      const signed = await sign(noting, { method: 'GET', path: '/' }, spanNow())
      if (signed.kind !== 'signed') return signed
      // Nothing was sent.
      signed.answered?.(undefined)
      return { kind: 'value', value: null }
    },
    ask: (request) => answerTo(noting, request, spanNow()),
    call: (request, schema) => call(noting, request, schema, spanNow()),
    follow: async (first, following) => {
      const ended = await endOf(first, following, { span: spanNow(), pause })
      return ended.kind === 'unclear' || ended.kind === 'done' ? ended : withheld(ended, [...secrets])
    },
  }
}
