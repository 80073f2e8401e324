/**
 * Drives one binding: feeds `reconcile`, makes the adapter calls it asks for, and bounds each of them in time.
 *
 * At most one call is in flight. One that outlives `callMs` is told to stop, and one that does not even stop then is
 * taken as of unknown outcome and its late answer dropped, since a write may have happened all the same.
 */
import type { Adapter, Failure, Observation, Outcome } from '../../adapters/adapter.ts'
import {
  type Binding,
  type BindingEffect,
  type BindingEvent,
  type BindingPolicy,
  beginBinding,
  type DriftPolicy,
  isAtRest,
  type Was,
} from '../binding.ts'
import { messageOf } from '../message-of.ts'
import type { Wanted } from '../plan.ts'
import { reconcile } from '../reconcile.ts'
import type { Budgets } from './budgets.ts'
import type { ClusterPorts } from './ports.ts'

/** How long an adapter call may take, in milliseconds. */
const callMs = 8_000
/**
 * How often a binding at rest is looked at, in milliseconds. Short enough to keep the provider's connection open, so that
 * a move is one round trip; a program that sleeps keeps none, and is woken less often.
 */
const restMs = 30_000
const sleepyRestMs = 60_000
/** When a write whose answer was lost is made again, unless the adapter knows better, in milliseconds. */
const defaultUnsureMs = 5_000
/** How long an adapter gets to stop once it was told to. */
const graceMs = 1_000

export type Said = Extract<BindingEffect, { kind: 'event' }>

export type DriverInput = {
  readonly adapter: Adapter
  /** What kind of binding it is, for metrics. */
  readonly kind: string
  readonly targets: ReadonlySet<string>
  readonly drift: DriftPolicy
  readonly wanted: Wanted | null
  /** What the binding was when control stopped. */
  readonly was: Was
  /** It only looks until it is released. */
  readonly waits: boolean
  readonly budgets: Budgets
  readonly ports: Pick<ClusterPorts, 'clock' | 'random' | 'log' | 'measure' | 'sleeps'>
  /** The epoch that is durable now; a write for any other must not leave. Null: none may. */
  presentEpoch(): number | null
  changed(before: Binding, said: readonly Said[]): void
}

export type Driver = {
  binding(): Binding
  feed(event: BindingEvent): void
  /** Looks for the first time: at once, or in its turn when nothing is known to be wrong. */
  start(): void
  /** On the clock's scale; null while nothing is awaited. */
  deadline(): number | null
  tick(): void
  stop(): void
}

type Running = { readonly abort: AbortController; stopAt: number; give(failure: Failure): void }

type Work = DriverInput & {
  readonly policy: BindingPolicy
  binding: Binding
  running: Running | null
  /** When a look at rest has its turn; null while it has not asked for one. */
  turnAt: number | null
  /** Its first look is still to come. */
  unstarted: boolean
  stopped: boolean
}

export function createDriver(input: DriverInput): Driver {
  const { settleMs, maxInFlightMs, unsureMs = defaultUnsureMs, cas } = input.adapter.capabilities
  const work: Work = {
    ...input,
    policy: {
      targets: input.targets,
      drift: input.drift,
      restMs: input.ports.sleeps ? sleepyRestMs : restMs,
      settleMs,
      maxInFlightMs,
      unsureMs,
      fenced: cas !== 'none',
    },
    binding: beginBinding(input.wanted, input.was, input.waits),
    running: null,
    turnAt: null,
    unstarted: false,
    stopped: false,
  }
  return {
    binding: () => work.binding,
    feed: (event) => feed(work, event),
    start: () => {
      work.unstarted = true
      tick(work)
    },
    deadline: () => deadline(work),
    tick: () => tick(work),
    stop: () => {
      work.stopped = true
      work.running?.abort.abort(new Error('control is stopping'))
      work.adapter.dispose()
    },
  }
}

function deadline({ running, turnAt, unstarted, binding }: Work): number | null {
  if (running !== null) return running.stopAt
  return unstarted || turnAt !== null ? turnAt : binding.dueAt
}

/** Whether a look at rest has to wait for its turn. */
function waitsForTurn(work: Work, now: number): boolean {
  const { budget } = work.adapter
  if (budget === undefined || !isAtRest(work.binding)) return false
  work.turnAt ??= now + work.budgets.look(budget)
  return now < work.turnAt
}

function feed(work: Work, event: BindingEvent): void {
  if (work.stopped) return
  const before = work.binding
  const { state, effects } = reconcile(work.policy, before, event, {
    ms: work.ports.clock.now(),
    random: work.ports.random(),
  })
  work.binding = state
  if (effects.some(({ kind }) => kind !== 'event')) work.unstarted = false
  for (const effect of effects) perform(work, effect)
  const said = effects.filter((effect) => effect.kind === 'event')
  if (state !== before) work.changed(before, said)
}

function perform(work: Work, effect: BindingEffect): void {
  if (effect.kind === 'observe') {
    void call<Observation>(work, {
      verb: 'observe',
      outcomeOf: (observation) => (observation.kind === 'unknown' ? observation.failure.kind : 'ok'),
      make: (signal) => work.adapter.observe(signal),
      answer: (observation) => feed(work, { kind: 'observed', observation }),
      failed: (failure) => ({ kind: 'unknown', failure }),
    })
  }
  if (effect.kind === 'apply') {
    void call<Outcome>(work, {
      verb: 'apply',
      outcomeOf: ({ kind }) => (kind === 'done' ? 'ok' : kind),
      make: (signal) => applyIfPresent(work, effect, signal),
      answer: (outcome) => feed(work, { kind: 'applied', outcome }),
      failed: (failure) => failure,
    })
  }
}

async function applyIfPresent(
  { adapter, presentEpoch }: Work,
  { node, epoch, token }: Extract<BindingEffect, { kind: 'apply' }>,
  signal: AbortSignal,
): Promise<Outcome> {
  if (epoch === presentEpoch()) return adapter.apply({ node, epoch, token }, signal)
  return { kind: 'conflict', code: 'superseded', message: 'a newer epoch was decided before the write left' }
}

type CallOf<T> = {
  readonly verb: 'observe' | 'apply'
  outcomeOf(value: T): string
  make(signal: AbortSignal): Promise<T>
  answer(value: T): void
  failed(failure: Failure): T
}

/** Runs one adapter call to an answer, whatever the adapter does. */
async function call<T>(work: Work, { verb, outcomeOf, make, answer, failed }: CallOf<T>): Promise<void> {
  const began = work.ports.clock.now()
  // A look at rest was counted when it took its turn.
  if (work.turnAt === null && work.adapter.budget !== undefined) work.budgets.spend(work.adapter.budget)
  work.turnAt = null
  const give = (value: T): void => {
    if (work.running !== mine) return
    work.running = null
    const tookMs = work.ports.clock.now() - began
    work.ports.measure({ kind: 'called', adapter: work.kind, verb, outcome: outcomeOf(value), tookMs })
    answer(value)
  }
  const mine: Running = {
    abort: new AbortController(),
    stopAt: work.ports.clock.now() + callMs,
    give: (failure) => give(failed(failure)),
  }
  work.running = mine
  try {
    give(await make(mine.abort.signal))
  } catch (error) {
    const message = messageOf(error)
    work.ports.log('error', { event: 'adapter-threw', message })
    mine.give({ kind: 'unknown', code: 'adapter-threw', message })
  }
}

function tick(work: Work): void {
  const now = work.ports.clock.now()
  const { running } = work
  if (running !== null && now >= running.stopAt) {
    if (running.abort.signal.aborted) {
      running.give({ kind: 'unknown', code: 'timeout', message: `no answer within ${callMs + graceMs} ms` })
    } else {
      running.stopAt = now + graceMs
      running.abort.abort(new Error(`no answer within ${callMs} ms`))
    }
  }
  if (work.running !== null || now < (deadline(work) ?? Number.NEGATIVE_INFINITY)) return
  if (waitsForTurn(work, now)) return
  feed(work, { kind: work.unstarted ? 'resumed' : 'tick' })
}
