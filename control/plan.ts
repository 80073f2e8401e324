/**
 * What one observation of a binding means for what is wanted of it: the whole comparison, and no memory.
 *
 *   wanted n2 at 7 │ observed                                   │ verdict
 *   ───────────────┼────────────────────────────────────────────┼──────────────────────────────────────────────
 *                  │ n2 (and no epoch, or 7)                    │ holds
 *                  │ n2 at 6                                    │ write: the epoch must get there too
 *                  │ n1, nothing, something foreign             │ write
 *                  │ the same as before our write of 7          │ stale, inside the settle window: it may be a lag
 *                  │ n2 as before our write of 6 to n1          │ write: that older write may only be invisible yet
 *                  │ anything at 8                              │ superseded: a second controller, or our old backup
 *                  │ unknown                                    │ unknown
 */
import type { Failure, Observation, Token } from '../adapters/adapter.ts'

export type Wanted = { readonly node: string; readonly epoch: number }

/** Our last write that succeeded or may have, and what was seen before it. */
export type Recent = { readonly node: string; readonly epoch: number; readonly before: string; readonly at: number }

export type Known = Exclude<Observation, { kind: 'unknown' }>

export type Verdict =
  | { readonly kind: 'holds' }
  | { readonly kind: 'write'; readonly token: Token }
  | { readonly kind: 'stale' }
  | { readonly kind: 'superseded'; readonly epochSeen: number }
  | { readonly kind: 'no-target' }
  | { readonly kind: 'unknown'; readonly failure: Failure }

export type Question = {
  readonly wanted: Wanted
  readonly hasTarget: boolean
  readonly observation: Observation
  /** Only while a read may still show the state before it; otherwise null. */
  readonly recent: Recent | null
}

export function plan({ wanted, hasTarget, observation, recent }: Question): Verdict {
  if (observation.kind === 'unknown') return { kind: 'unknown', failure: observation.failure }
  const { epochSeen } = observation
  if (epochSeen !== undefined && epochSeen > wanted.epoch) return { kind: 'superseded', epochSeen }
  if (!hasTarget) return { kind: 'no-target' }

  const unchanged = recent !== null && recent.before === fingerprint(observation)
  const atNode = observation.kind === 'node' && observation.node === wanted.node
  const fenced = epochSeen === undefined || epochSeen === wanted.epoch
  // A write elsewhere, for an older epoch, may have happened without being visible yet: agreement proves nothing.
  if (unchanged && recent.node !== wanted.node) return { kind: 'write', token: observation.token }
  if (atNode && fenced) return { kind: 'holds' }
  if (unchanged && recent.epoch === wanted.epoch) return { kind: 'stale' }
  return { kind: 'write', token: observation.token }
}

/** Two observations with the same fingerprint show the same state: nobody has written between them, as far as one can see. */
export function fingerprint(observation: Known): string {
  return JSON.stringify([whereOf(observation), observation.token, observation.epochSeen ?? null])
}

/** Where the resource points, for people: a node's name, or what a foreign target is called. */
export function whereOf(observation: Known): string | null {
  if (observation.kind === 'node') return observation.node
  return observation.kind === 'foreign' ? observation.what : null
}
