/**
 * Whether an owner that was read from the database is to be believed. The database may be an old copy, and its owner a
 * former one; so nothing is written for it until it says itself that it is active, or another has been decided upon, or
 * a lease has passed in which somebody would have objected.
 */
import { nextDeadline } from '../decide.ts'
import type { Decision } from '../decision.ts'

/** `epoch`: the owner's, as it was read at `since`. */
export function isVouchedFor(
  { owner, members, believeFrom }: Decision,
  { epoch, since, now }: { readonly epoch: number; readonly since: number; readonly now: number },
): boolean {
  if (owner?.epoch !== epoch || now >= believeFrom) return true
  const member = members[owner.node]
  return member?.state === 'active' && member.heardAt !== null && member.heardAt >= since
}

/** When time alone changes something in the decision, or in what is known of its owner. */
export function deadlineOf(decision: Decision, unvouched: number | null): number | null {
  const next = nextDeadline(decision)
  return unvouched === null ? next : Math.min(next ?? Number.POSITIVE_INFINITY, decision.believeFrom)
}
