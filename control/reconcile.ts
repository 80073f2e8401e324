/**
 * One binding, made to follow what is wanted of it, as a function of what its adapter answered and when.
 *
 *   settled, seen a moment ago ──a move──▶ applying: a move is one call; a fence, or the look after it, finds what changed
 *   pending ─observe─▶ equal? ──yes────────────────────────────────▶ settled ──(late check, then now and then)─┐
 *                       │ no                                            ▲                                     │
 *                       ▼                                               │ agrees                              ▼
 *                    applying ──done, or nobody knows──▶ verifying ─observe─▶ not yet: poll             drifted: apply
 *                       │
 *                       └──refused, throttled──▶ retrying (jittered)   └──not permitted──▶ failed (probed now and then)
 *
 * What somebody else changed is put back (`reassert`), or said and left alone: until the next move (`alert`), or until
 * an operator acknowledges it, moves or not (`freeze`). Where the two agree again by themselves, nothing is left to say.
 * A binding that is to come after others waits in `pending`, having looked once, so that its connection is warm.
 *
 * Never two calls at once on one binding: something newer that is wanted waits for the call in flight, and nothing
 * queues behind it but the newest. Every call carries the epoch it was made for, and its result is compared with the
 * present one: a result for an older epoch never settles anything. What is not known is observed, never repeated blindly.
 */
import type { Failure, Observation, Outcome, Token } from '../adapters/adapter.ts'
import {
  type Binding,
  type BindingEffect,
  type BindingEvent,
  type BindingPolicy,
  type BindingStep,
  type Call,
  type DriftPolicy,
  type Instant,
  untried,
} from './binding.ts'
import { fingerprint, type Known, plan, type Recent, type Verdict, type Wanted, whereOf } from './plan.ts'

export function reconcile(policy: BindingPolicy, binding: Binding, event: BindingEvent, now: Instant): BindingStep {
  switch (event.kind) {
    case 'wanted':
      return want(policy, binding, event, now)
    case 'released':
      return release(policy, binding, now)
    case 'acknowledged':
      return binding.left !== null ? resume({ ...binding, ...untried, state: 'pending' }) : stay(binding)
    case 'observed':
      return binding.call?.kind === 'observe' ? observed(policy, binding, event.observation, now) : stay(binding)
    case 'applied':
      return binding.call?.kind === 'apply' ? applied(binding, binding.call, event.outcome, now) : stay(binding)
    case 'tick':
      return binding.call === null && binding.dueAt !== null && now.ms >= binding.dueAt
        ? observe(binding)
        : stay(binding)
    case 'resumed':
      // A write that left just before control ended may still be on its way.
      return observe({ ...binding, call: null, lateCheckAt: now.ms + policy.maxInFlightMs })
  }
}

function stay(state: Binding, ...effects: BindingEffect[]): BindingStep {
  return { state, effects }
}

function observe(binding: Binding, ...before: BindingEffect[]): BindingStep {
  const epoch = binding.wanted?.epoch ?? 0
  return stay({ ...binding, call: { kind: 'observe', epoch }, dueAt: null }, ...before, { kind: 'observe', epoch })
}

/** Looks, unless a call is in flight, after which it looks anyway. */
function resume(binding: Binding): BindingStep {
  return binding.call === null ? observe(binding) : stay(binding)
}

function want(
  policy: BindingPolicy,
  binding: Binding,
  { wanted, waits, byAnother = false }: Extract<BindingEvent, { kind: 'wanted' }>,
  now: Instant,
): BindingStep {
  if (binding.wanted !== null && wanted.epoch <= binding.wanted.epoch) return stay(binding)
  if (binding.left !== null && policy.drift === 'freeze') return resume({ ...binding, wanted })
  const next: Binding = { ...binding, state: 'pending', wanted, ...untried, waits }
  return binding.state === 'settled' && !byAnother ? move(policy, next, now) : resume(next)
}

function release(policy: BindingPolicy, binding: Binding, now: Instant): BindingStep {
  if (!binding.waits) return stay(binding)
  const next: Binding = { ...binding, waits: false }
  return binding.failures === 0 ? move(policy, next, now) : resume(next)
}

/**
 * Writes at once what was seen to differ a moment ago; else looks first. What somebody has changed since that look is
 * found by the target's fence, or by the look after the write: no move waits for the look before it. Not without a fence
 * where a change must never be overwritten unseen, or a newer epoch may have been.
 */
function move(policy: BindingPolicy, binding: Binding, now: Instant): BindingStep {
  const { call, seen, wanted, waits } = binding
  const isFresh = seen !== null && now.ms - seen.at <= freshLooks * policy.restMs
  if (call !== null || waits || wanted === null || !isFresh) return resume(binding)
  const remembersEpoch = seen.observation.epochSeen !== undefined
  if (!policy.fenced && (policy.drift === 'freeze' || remembersEpoch)) return resume(binding)
  const verdict = judge(policy, { ...binding, wanted }, seen.observation, now)
  if (verdict.kind !== 'write') return resume(binding)
  return write({ policy, binding, wanted, token: verdict.token, observation: seen.observation }, now)
}

/** What `observation` means for what is wanted. */
function judge(
  policy: BindingPolicy,
  { wanted, recent }: { readonly wanted: Wanted; readonly recent: Recent | null },
  observation: Observation,
  now: Instant,
): Verdict {
  const inWindow = recent !== null && now.ms - recent.at <= policy.settleMs
  return plan({ wanted, hasTarget: policy.targets.has(wanted.node), observation, recent: inWindow ? recent : null })
}

function observed(policy: BindingPolicy, before: Binding, observation: Observation, now: Instant): BindingStep {
  const call = before.call
  const binding = {
    ...before,
    call: null,
    seen: observation.kind === 'unknown' ? before.seen : { observation, at: now.ms },
  }
  const { wanted } = binding
  // Nobody owns the service yet; the resource was only looked at, and the provider's client warmed.
  if (wanted === null) return stay({ ...binding, dueAt: now.ms + policy.restMs })
  if (call?.epoch !== wanted.epoch) return observe(binding)

  const verdict = judge(policy, { wanted, recent: binding.recent }, observation, now)
  switch (verdict.kind) {
    case 'holds':
      return settle({ policy, binding }, now)
    case 'stale':
      if (binding.unsure && now.ms - binding.recent!.at > policy.unsureMs) {
        const known = observation as Known
        return write({ policy, binding, wanted, token: known.token, observation: known }, now)
      }
      return stay({
        ...binding,
        state: binding.left === null ? 'verifying' : 'drifted',
        polls: binding.polls + 1,
        dueAt: now.ms + pollDelay(binding.polls),
      })
    case 'write':
      return write({ policy, binding, wanted, token: verdict.token, observation: observation as Known }, now)
    case 'unknown':
      return fail(binding, verdict.failure, now)
    case 'superseded': {
      const text = `carries the epoch ${verdict.epochSeen}, which this control never minted: there is a second control, \
or the database is an old copy; nothing is written`
      return alarm(binding, { name: 'superseded', text, detail: { epochSeen: verdict.epochSeen } }, now)
    }
    case 'no-target': {
      const text = `has no target for ${wanted.node}: add one under targets`
      return alarm(binding, { name: 'no-target', text, detail: {} }, now)
    }
  }
}

function settle(
  { policy, binding }: { readonly policy: BindingPolicy; readonly binding: Binding },
  now: Instant,
): BindingStep {
  const late = binding.lateCheckAt !== null && binding.lateCheckAt > now.ms ? binding.lateCheckAt : null
  const next: Binding = {
    ...binding,
    state: 'settled',
    writes: 0,
    writeAfter: 0,
    failures: 0,
    polls: 0,
    lastError: null,
    left: null,
    waits: false,
    agreedAt: now.ms,
    lateCheckAt: late,
    dueAt: Math.min(late ?? Number.POSITIVE_INFINITY, now.ms + policy.restMs),
  }
  if (binding.state === 'settled') return stay(next)
  const text = `points at ${binding.wanted?.node}, read back`
  return stay(next, { kind: 'event', name: 'binding-settled', text, detail: { attempts: binding.attempts } })
}

type Write = {
  readonly policy: BindingPolicy
  readonly binding: Binding
  readonly wanted: Wanted
  readonly token: Token
  readonly observation: Known
}

function write({ policy, binding, wanted, token, observation }: Write, now: Instant): BindingStep {
  if (binding.waits) return stay({ ...binding, dueAt: null })
  const found = { policy, binding, wanted, token, observation }
  // A write of ours may land as late as this, and is put right whatever is done about other people's.
  const ours = binding.lateCheckAt !== null && observation.kind !== 'foreign'
  if (binding.left !== null || (binding.state === 'settled' && policy.drift !== 'reassert' && !ours)) {
    return leave(found, now)
  }
  const drift = binding.state === 'settled' ? [driftEvent(found, 'reassert', now)] : []
  // Somebody keeps undoing our writes, or they have no effect: each next one waits longer.
  if (now.ms < binding.writeAfter) return stay({ ...binding, state: 'retrying', dueAt: binding.writeAfter }, ...drift)
  const writes = binding.writes + 1
  const next: Binding = {
    ...binding,
    state: binding.state === 'settled' ? 'drifted' : 'applying',
    call: { kind: 'apply', epoch: wanted.epoch, before: binding.recent },
    recent: { node: wanted.node, epoch: wanted.epoch, before: fingerprint(observation), at: now.ms },
    attempts: binding.attempts + 1,
    writes,
    writeAfter: now.ms + backoff(writes, now.random),
    dueAt: null,
    lateCheckAt: Math.max(binding.lateCheckAt ?? 0, now.ms + policy.maxInFlightMs),
  }
  return stay(next, ...drift, { kind: 'apply', node: wanted.node, epoch: wanted.epoch, token })
}

/** Somebody else's change is said, once for each place it is found at, and stays. */
function leave(found: Write, now: Instant): BindingStep {
  const { policy, binding, observation } = found
  const where = whereOf(observation)
  const lastError = `points at ${where ?? 'nothing'}, and is left there`
  const next: Binding = { ...binding, state: 'drifted', left: { where }, lastError, dueAt: now.ms + policy.restMs }
  const isKnown = binding.left !== null && binding.left.where === where
  return isKnown ? stay(next) : stay(next, driftEvent(found, policy.drift, now))
}

const remedies: Readonly<Record<DriftPolicy, (node: string) => string>> = {
  reassert: (node) => `it is put back to ${node}`,
  alert: (node) => `it is left there until the next move, or until an operator acknowledges it (${node} owns)`,
  freeze: (node) => `nothing is written any more until an operator acknowledges it (${node} owns)`,
}

/** What was found, and since when it may have been so at most. */
function driftEvent({ binding, wanted, observation }: Write, policy: DriftPolicy, now: Instant): BindingEffect {
  const where = whereOf(observation)
  const text = `was changed by somebody else, and points at ${where ?? 'nothing'}; ${remedies[policy](wanted.node)}`
  const withinMs = binding.agreedAt === null ? null : Math.round(now.ms - binding.agreedAt)
  const detail = { observed: where, raw: { ...observation.raw }, policy, withinMs }
  return { kind: 'event', name: 'drift', text, detail }
}

function applied(before: Binding, call: Extract<Call, { kind: 'apply' }>, outcome: Outcome, now: Instant): BindingStep {
  const happened = outcome.kind === 'done' || outcome.kind === 'unknown'
  const recent = happened && before.recent !== null ? { ...before.recent, at: now.ms } : call.before
  const binding: Binding = { ...before, call: null, recent, unsure: outcome.kind === 'unknown' }
  // The world may be as the older epoch wanted it, or not, or not yet: the present one begins by looking.
  if (call.epoch !== binding.wanted?.epoch) return observe(binding)
  if (outcome.kind === 'done') return observe({ ...binding, state: 'verifying', polls: 0 })
  const lastError = describe(outcome)
  if (outcome.kind === 'unknown') return observe({ ...binding, state: 'verifying', polls: 0, lastError })
  if (outcome.kind === 'conflict' && binding.failures === 0) return observe({ ...binding, failures: 1 })
  return fail(binding, outcome, now)
}

/** Nothing was learned or nothing happened: wait, then look again. */
function fail(binding: Binding, failure: Failure, now: Instant): BindingStep {
  if (failure.kind === 'permanent') {
    return alarm(binding, { name: 'binding-failed', text: describe(failure), detail: { code: failure.code } }, now)
  }
  const failures = binding.failures + 1
  const wait = backoff(failures, now.random)
  const dueAt = now.ms + (failure.kind === 'throttled' ? Math.max(failure.afterMs, wait) : wait)
  const next: Binding = { ...binding, state: 'retrying', failures, lastError: describe(failure), dueAt }
  // A write between two failures is no news: it came to the same.
  if (binding.state === 'retrying' || binding.lastError === next.lastError) return stay(next)
  const detail = { code: failure.code, failure: failure.kind }
  return stay(next, { kind: 'event', name: 'binding-retrying', text: describe(failure), detail })
}

/** A person has to change something. The event says so once; a slow probe notices when it was done. */
function alarm(
  binding: Binding,
  event: Omit<Extract<BindingEffect, { kind: 'event' }>, 'kind'>,
  now: Instant,
): BindingStep {
  const next: Binding = { ...binding, state: 'failed', lastError: event.text, dueAt: now.ms + failedMs }
  return binding.lastError === event.text ? stay(next) : stay(next, { kind: 'event', ...event })
}

function describe(failure: Failure): string {
  return `${failure.code}: ${failure.message}`
}

/** How often one is looked at that will not work until a person changes something, in milliseconds. */
const failedMs = 60_000

/** A look is fresh for so many of the times after which the next one comes: one of them may be late, or have failed. */
const freshLooks = 2

/** The first look after a write is at once; these are the pauses before the following ones. */
function pollDelay(polls: number): number {
  return [250, 500, 1_000][polls] ?? 2_000
}

/** Full jitter under a doubling ceiling. Never nothing at all: a retry storm of our own would be no better. */
function backoff(failures: number, random: number): number {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(failures, 10))
  return Math.max(100, Math.floor(random * ceiling))
}
