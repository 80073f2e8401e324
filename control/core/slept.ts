/**
 * What a decision was waiting for when the program fell asleep, so that no wait begins anew each time it wakes: a
 * suppression ends, and a preferred site is returned to, when it was said, however often nodes speak in between.
 *
 * It holds only after sleep, when the clock went on and whoever is silent is silent. After a stop none of it does.
 */
import type { Decision, Move } from '../decision.ts'
import type { Kept } from './ports.ts'

type Wait = 'suspect' | 'recovering' | 'moves' | 'suppressedUntil' | 'resumedAt' | 'drainAt' | 'adopted' | 'contested'

type Slept = Pick<Decision, Wait> & {
  readonly move: (Omit<Move, 'operation'> & { readonly operation: string }) | null
}

export type Sleeper = {
  /** A decision that has just begun, where it was when the program fell asleep. */
  wake(begun: Decision, now: number): Decision
  /** To be called with each new state. Writes what has changed of its waits, which is seldom anything. */
  keep(decision: Decision): void
  /** The service is no more. */
  forget(): void
}

/** `kept`: absent where the program never sleeps. */
export function createSleeper(kept: Kept | undefined, service: string): Sleeper {
  const key = `waits ${service}`
  let last: string | null = null
  return {
    wake: (begun, now) => {
      const slept = kept?.get<Slept>(key)
      if (slept === undefined) return begun
      last = JSON.stringify(slept)
      return goOn(begun, slept, now)
    },
    keep: (decision) => {
      if (kept === undefined) return
      const slept = sleptOf(decision)
      const text = JSON.stringify(slept)
      if (text !== last) kept.put(key, slept)
      last = text
    },
    forget: () => kept?.delete(key),
  }
}

function sleptOf(decision: Decision): Slept {
  const { suspect, recovering, moves, suppressedUntil, resumedAt, drainAt, adopted, contested, move } = decision
  const waits = { suspect, recovering, moves, suppressedUntil, resumedAt, drainAt, adopted, contested }
  return { ...waits, move: move === null ? null : { ...move, operation: move.operation.id } }
}

function goOn(begun: Decision, { move: kept, ...waits }: Slept, now: number): Decision {
  const { move } = begun
  const same = move !== null && kept?.operation === move.operation.id && kept.stage === move.stage
  // Whatever is under way is looked at at once, which says when to look again; an idle service has nothing to look at.
  const underWay = move !== null || waits.suspect !== null || waits.recovering !== null
  const wakeAt = underWay ? now : waits.suppressedUntil
  return { ...begun, ...waits, move: same ? { ...kept, operation: move.operation } : move, wakeAt }
}
