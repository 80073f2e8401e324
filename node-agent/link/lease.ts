/**
 * What a service does when control is lost, as a pure function: the agent's lease on control, and what its peers say.
 *
 *   ping sent, answered     overdue: peers are polled     lease over: hold, release, failsafe     control's lease over
 *   ├────────────────────────┼─────────────────────────────┼──── leaving ────┼──── spare ──────────┼──▶
 *   confirmedAt              + half a lease                + holderLeaseMs                         + leaseMs
 *
 * Half of what lies between the two ends is for leaving: a router answers until its successor is heard, for an
 * advertisement interval at most. One that takes longer begins earlier. The other half stays spare.
 *
 * The lease counts from when the answered ping was SENT, since control cannot have heard it earlier; an answer that
 * was long on its way prolongs nothing. The clock goes on while a machine is suspended: one that sleeps through its
 * lease wakes without it.
 */
import { holderLeaseMs, leaseMs } from '../../control/contract.ts'

/** `hold`: nothing changes. `release`: it yields. `failsafe`: it yields unless all peers say that they may be relied on. */
export type OnLost = 'hold' | 'release' | 'failsafe'

/**
 * `none`: control has answered nothing since this agent started. Then `onLost` does not apply: an agent that starts
 * without control must serve, or nothing would run after a power cut that took control along.
 */
export type Lease = 'none' | 'held' | 'overdue' | 'over'

/** Milliseconds; the earliest instant at which the lease may be something else. */
export type LeaseAt = { readonly lease: Lease; readonly until: number | null }

/** `confirmedAt`: when the last ping was sent that control answered. */
export function leaseAt(confirmedAt: number | null, now: number): LeaseAt {
  if (confirmedAt === null) return { lease: 'none', until: null }
  const overdueAt = confirmedAt + holderLeaseMs / 2
  const endsAt = confirmedAt + holderLeaseMs
  if (now < overdueAt) return { lease: 'held', until: overdueAt }
  return now < endsAt ? { lease: 'overdue', until: endsAt } : { lease: 'over', until: null }
}

/** Milliseconds before control's end at which the addresses are gone: for late timers, slow processes, drifting clocks. */
export const spareMs = (leaseMs - holderLeaseMs) / 2

/** When a service that takes `leaveMs` to leave must begin to, so that it has left with time to spare. */
export function leaveAt(confirmedAt: number, leaveMs: number): number {
  return confirmedAt + Math.min(holderLeaseMs, leaseMs - spareMs - leaveMs)
}

/** What a peer last said of a service; what it did not answer leaves its last word, which grows old. */
export type PeerWord = {
  readonly askedAt: number
  /** `free`: it runs the service and is not active for it. `active`: it is. `absent`: it does not run it. */
  readonly says: 'free' | 'active' | 'absent'
  /** Whether we were active when it was asked. */
  readonly whileActive: boolean
}

/** How often peers are polled while control is lost, and how long one may take to answer: milliseconds. */
export const pollEveryMs = 1_000
export const pollTimeoutMs = 800

/** A peer's word is good for this long: one poll that was lost on the way is no silence. */
export const wordGoodMs = 2 * pollEveryMs + pollTimeoutMs

export type Situation = {
  readonly policy: OnLost
  /** When it must begin to leave, by its lease alone; null: control has answered nothing since this agent started. */
  readonly leaveAt: number | null
  /** Whether this node is active for the service. */
  readonly active: boolean
  /** One for each configured peer; undefined: it has not answered yet. */
  readonly peers: readonly (PeerWord | undefined)[]
  readonly now: number
}

export type Verdict = 'keep' | 'yield'

/** `until`: when it yields, or has begun to, unless something is heard before. Null: never. */
export type Serving = { readonly verdict: Verdict; readonly until: number | null }

export const unbounded: Serving = { verdict: 'keep', until: null }

/** Once it yields it does so until control is heard again, whatever its peers say meanwhile. */
export function whenLost(before: Serving, { policy, leaveAt, active, peers, now }: Situation): Serving {
  if (policy === 'hold' || leaveAt === null) return unbounded
  const over = now >= leaveAt
  if (over && before.verdict === 'yield') return before
  if (policy === 'release') return { verdict: over ? 'yield' : 'keep', until: leaveAt }
  const allowedUntil = Math.min(...peers.map((word) => (word === undefined ? 0 : allowedBy(word, active))))
  if (!over) return { verdict: 'keep', until: Math.max(leaveAt, allowedUntil) }
  if (now <= allowedUntil) return { verdict: 'keep', until: allowedUntil }
  return { verdict: 'yield', until: Math.min(now, before.until ?? now) }
}

/** Two that are active would both go on; but one that is not may well stay behind one that is. */
function allowedBy({ askedAt, says, whileActive }: PeerWord, active: boolean): number {
  const allows = says === 'free' || (says === 'active' && !(active && whileActive))
  return allows ? askedAt + wordGoodMs : 0
}
