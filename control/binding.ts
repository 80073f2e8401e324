/** The words of one binding: what is wanted of it, what is known of it, what it hears and asks for. */
import type { DriftPolicy, Observation, Outcome, Token } from '../adapters/adapter.ts'
import type { Json } from './decision.ts'
import { type Known, type Recent, type Wanted, whereOf } from './plan.ts'

export type BindingWord = 'pending' | 'applying' | 'verifying' | 'settled' | 'retrying' | 'failed' | 'drifted'

export type { DriftPolicy }

export type BindingPolicy = {
  /** The nodes that have a target. */
  readonly targets: ReadonlySet<string>
  readonly drift: DriftPolicy
  /** How often one that has come to rest is looked at, in milliseconds: settled, left alone, or wanted by nobody. */
  readonly restMs: number
  readonly settleMs: number
  readonly maxInFlightMs: number
  /**
   * How long reads may go on showing the state before a write of which nobody knows whether it happened, in
   * milliseconds, until it is made again. Short where nothing is known of the provider: most often it did not happen,
   * and making it twice does what making it once does.
   */
  readonly unsureMs: number
  /** A write made from an old look is refused by the target where that is not as it was. */
  readonly fenced: boolean
}

export type Call =
  | { readonly kind: 'observe'; readonly epoch: number }
  /** `before`: what was known of our writes until this one, in case it turns out not to have happened. */
  | { readonly kind: 'apply'; readonly epoch: number; readonly before: Recent | null }

export type Binding = {
  readonly state: BindingWord
  readonly wanted: Wanted | null
  readonly call: Call | null
  readonly recent: Recent | null
  /** Nobody knows whether `recent` happened. */
  readonly unsure: boolean
  /** What was last seen there, and when. */
  readonly seen: { readonly observation: Known; readonly at: number } | null
  /** Writes made for the present epoch. */
  readonly attempts: number
  /** Writes made since it last agreed; the more, the longer the next one waits. */
  readonly writes: number
  readonly writeAfter: number
  /** Changed by somebody else, and left alone where it was found. */
  readonly left: { readonly where: string | null } | null
  /** Other bindings come first, or a word from the owner. */
  readonly waits: boolean
  /** When it was last seen to agree. */
  readonly agreedAt: number | null
  readonly failures: number
  readonly polls: number
  readonly lastError: string | null
  readonly dueAt: number | null
  /** Until then a write that has left may still take effect, after a newer one even. */
  readonly lateCheckAt: number | null
}

export type BindingEvent =
  /** `waits`: other bindings come first; `released` ends that. `byAnother`: another control decided it, and may have written. */
  | { readonly kind: 'wanted'; readonly wanted: Wanted; readonly waits: boolean; readonly byAnother?: boolean }
  | { readonly kind: 'released' }
  /** An operator has seen what somebody else did: it may be put back. */
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'observed'; readonly observation: Observation }
  | { readonly kind: 'applied'; readonly outcome: Outcome }
  | { readonly kind: 'tick' }
  /** Control has started: whatever was in flight may or may not have happened. */
  | { readonly kind: 'resumed' }

export type BindingEffect =
  | { readonly kind: 'observe'; readonly epoch: number }
  /** Must not leave when `epoch` is not the present one any more. */
  | { readonly kind: 'apply'; readonly node: string; readonly epoch: number; readonly token: Token }
  | {
      readonly kind: 'event'
      readonly name: string
      readonly text: string
      readonly detail: { readonly [key: string]: Json }
    }

/** `random` is at least 0 and less than 1; it spreads retries. */
export type Instant = { readonly ms: number; readonly random: number }
export type BindingStep = { readonly state: Binding; readonly effects: readonly BindingEffect[] }

/** What an epoch begins with. */
export const untried = {
  ...{ attempts: 0, writes: 0, writeAfter: 0, failures: 0, polls: 0, lastError: null },
  ...{ left: null, waits: false },
} as const

export type Was = 'settled' | 'left' | 'unsettled'

/**
 * `was`: what it was when control stopped. Settled: finding it elsewhere is somebody else's doing. Left: that was found
 * before, and is still not to be touched. `waits`: nobody has vouched for `wanted` since.
 */
export function beginBinding(wanted: Wanted | null, was: Was = 'unsettled', waits = false): Binding {
  return {
    state: was === 'settled' ? 'settled' : was === 'left' ? 'drifted' : 'pending',
    wanted,
    call: null,
    recent: null,
    unsure: false,
    seen: null,
    ...untried,
    left: was === 'left' ? { where: null } : null,
    waits,
    agreedAt: null,
    dueAt: null,
    lateCheckAt: null,
  }
}

/** Where it was last seen to point, for people. */
export function placeOf({ seen }: Binding): string | null {
  return seen === null ? null : whereOf(seen.observation)
}

/** Whether nothing is under way or wanted, so that the next look is only to see that it is still so. */
export function isAtRest({ call, wanted, state, left, lateCheckAt }: Binding): boolean {
  return (
    call === null &&
    lateCheckAt === null &&
    (wanted === null || state === 'settled' || state === 'failed' || left !== null)
  )
}
