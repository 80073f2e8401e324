/** One binding against a world that lies, forgets, delays and refuses; the test is the world. */
import { expect } from 'vitest'
import type { Failure, Observation, Outcome } from '../../adapters/adapter.ts'
import {
  type Binding,
  type BindingEffect,
  type BindingEvent,
  beginBinding,
  type DriftPolicy,
} from '../../control/binding.ts'
import { reconcile } from '../../control/reconcile.ts'

export const policy = {
  restMs: 30_000,
  targets: new Set(['n1', 'n2']),
  settleMs: 30_000,
  maxInFlightMs: 35_000,
  unsureMs: 5_000,
  fenced: true,
}

/** Drives one binding. Every effect must be answered by the test before the next call can leave. */
export function binding(begin: Binding = beginBinding(null), drift: DriftPolicy = 'reassert', fenced = true) {
  let state = begin
  let now = 0
  let calls: BindingEffect[] = []
  const events: string[] = []
  const feed = (event: BindingEvent): void => {
    const step = reconcile({ ...policy, drift, fenced }, state, event, { ms: now, random: 0.5 })
    state = step.state
    for (const effect of step.effects) {
      if (effect.kind === 'event') events.push(effect.name)
      else calls.push(effect)
    }
    expect(calls.length, 'never two calls at once').toBeLessThanOrEqual(1)
  }
  /** The call in flight, taken to be answered. */
  const call = (): string => {
    const [effect] = calls
    if (effect === undefined) return 'nothing'
    return effect.kind === 'apply' ? `apply ${effect.node} ${effect.epoch} ${effect.token}` : effect.kind
  }
  return {
    feed,
    call,
    events,
    state: () => state,
    observed: (observation: Observation): string => {
      expect(call()).toBe('observe')
      calls = []
      feed({ kind: 'observed', observation })
      return call()
    },
    applied: (outcome: Outcome): string => {
      expect(call()).toMatch(/^apply/)
      calls = []
      feed({ kind: 'applied', outcome })
      return call()
    },
    want: (node: string, epoch: number, waits = false): string => {
      feed({ kind: 'wanted', wanted: { node, epoch }, waits })
      return call()
    },
    /** Waits for what is due next, and says how long that took and what left. */
    wait: (): [number, string] => {
      const from = now
      now = state.dueAt ?? now
      feed({ kind: 'tick' })
      return [now - from, call()]
    },
    advance: (ms: number): void => {
      now += ms
    },
  }
}

export const at = (node: string, token: string | null = node): Observation => ({ kind: 'node', node, token, raw: {} })
export const done: Outcome = { kind: 'done' }
export const failure = (kind: 'retry' | 'conflict' | 'permanent' | 'unknown', code: string = kind): Failure => ({
  kind,
  code,
  message: 'm',
})
export const throttled: Failure = { kind: 'throttled', code: 'throttled', message: 'm', afterMs: 7_000 }

/** n1 is wanted at 1 and was read back. */
export function settled(drift: DriftPolicy = 'reassert') {
  const it = binding(beginBinding(null), drift)
  it.want('n1', 1)
  it.observed(at('n1'))
  expect(it.state().state).toBe('settled')
  return it
}

/** The same, and its last look is too old to write by. */
export function settledLongAgo(drift: DriftPolicy = 'reassert') {
  const it = settled(drift)
  it.advance(2 * policy.restMs + 1)
  return it
}

export const foreign = (what: string): Observation => ({ kind: 'foreign', what, token: what, raw: { found: what } })
