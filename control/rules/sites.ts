/**
 * Rule 4: VRRP elects within a site; between sites, the preferred one that has a fresh, healthy, active node owns.
 *
 *   owner's site serves ──┬─ no other is preferred, or failback waits ──▶ stays
 *                         └─ a preferred one serves, failback allows ───▶ moves there
 *   it does not ──────────┬─ its LAN may still elect another ───────────▶ stays, for a lease at most
 *                         ├─ another site serves ───────────────────────▶ moves there
 *                         └─ none does ─────────────────────────────────▶ stays: no black hole
 */
import { leaseMs } from '../contract.ts'
import { isFresh, type Member, type OwnReason, ownerLook } from '../decision.ts'
import { mayMove } from './flap.ts'
import { own } from './owning.ts'
import { audit, byStrength, isActive, isDrained, sameElection, type Turn } from './turn.ts'

export function judgeSites(turn: Turn): void {
  const { owner } = turn.state
  const best = bestElsewhere(turn)
  if (owner === null) {
    if (best !== undefined && mayBeFirst(turn, best))
      own(turn, { member: best, reason: 'first', alternative: 'nobody else is active' })
    return
  }
  const why = whyLeave(turn)
  if (why !== null) {
    turn.state = { ...turn.state, recovering: null }
    if (best === undefined || why === 'wait' || !mayMove(turn, best, why)) return
    own(turn, { member: best, reason: why, alternative: `no node of the site ${owner.site} can serve` })
    return
  }
  failBack(turn, best)
}

/** The most preferred site first, then the strongest node. */
export function byPreference({ policy }: Turn): (a: Member, b: Member) => number {
  return (a, b) => rankOf(policy.sites, a.site) - rankOf(policy.sites, b.site) || byStrength(a, b)
}

function rankOf(sites: readonly string[], site: string): number {
  const rank = sites.indexOf(site)
  return rank < 0 ? sites.length : rank
}

export function originIsDown({ state }: Turn, site: string): boolean {
  return state.origins[site] === false
}

/** What the probes of a site's origin have come to. */
export function hearOrigin(
  turn: Turn,
  { site, healthy }: { readonly site: string; readonly healthy: boolean },
): boolean {
  const before = turn.state.origins[site]
  if (before === healthy) return false
  turn.state = { ...turn.state, origins: { ...turn.state.origins, [site]: healthy } }
  if (before !== undefined || !healthy) {
    audit(turn, {
      kind: healthy ? 'origin-up' : 'origin-down',
      node: null,
      text: `the origin of the site ${site} ${healthy ? 'answers to probes again' : 'does not answer to probes'}`,
      detail: { site },
    })
  }
  return true
}

/** Probed, but not often enough yet to say anything: after a restart, or when it has just been declared. */
function originIsUnknown({ policy, state }: Turn, site: string): boolean {
  return policy.origins[site]?.probe != null && state.origins[site] === undefined
}

/** The best node that serves, outside the owner's election. */
function bestElsewhere(turn: Turn): Member | undefined {
  const { members, owner } = turn.state
  const standing = owner === null ? undefined : members[owner.node]
  const elsewhere = (member: Member): boolean => {
    if (owner === null) return true
    return standing === undefined ? member.site !== owner.site || member.solo : !sameElection(member, standing)
  }
  const serving = Object.values(members).filter(
    (member) =>
      member.node !== owner?.node &&
      isActive(member, turn.now) &&
      member.healthy &&
      !isDrained(turn.state, member.node) &&
      !originIsDown(turn, member.site),
  )
  return serving.filter(elsewhere).toSorted(byPreference(turn))[0]
}

/** A less preferred site waits, at the very first, until the others have had the time to be heard. */
function mayBeFirst({ policy, state, now }: Turn, member: Member): boolean {
  return rankOf(policy.sites, member.site) === 0 || now.ms >= state.believeFrom
}

/** Why the owner's site has to be left, `wait` when it may still recover by itself, null when it serves. */
function whyLeave(turn: Turn): OwnReason | 'wait' | null {
  const { owner, members } = turn.state
  const member = members[owner!.node]
  const look = ownerLook(turn.state, turn.now)
  const grace = (reason: OwnReason): OwnReason | 'wait' => (turn.now.ms >= leaveAt(turn) ? reason : 'wait')
  switch (look) {
    case null:
    case 'active':
      return originIsDown(turn, owner!.site) ? 'origin-down' : null
    case 'presumed':
      return 'wait'
    case 'not-active':
      return electable(turn, member) ? grace('owner-not-active') : 'owner-not-active'
    case 'disconnected':
      return grace('owner-disconnected')
    case 'silent':
      return electable(turn, member) ? grace('owner-silent') : 'owner-silent'
  }
}

/** Whether the LAN of the owner may still elect somebody. */
function electable({ state, now }: Turn, owner: Member | undefined): boolean {
  if (owner === undefined || owner.solo) return false
  return Object.values(state.members).some(
    (member) =>
      member.node !== owner.node &&
      sameElection(member, owner) &&
      isFresh(member, now) &&
      member.healthy &&
      !isDrained(state, member.node),
  )
}

/** A LAN gets a lease to elect another node; so does a connection to come back. */
export function leaveAt({ state, now }: Turn): number {
  return (state.suspect?.ms ?? now.ms) + leaseMs
}

function failBack(turn: Turn, best: Member | undefined): void {
  const { policy, state, now } = turn
  const { owner, memory, recovering } = state
  const preferred = best !== undefined && rankOf(policy.sites, best.site) < rankOf(policy.sites, owner!.site)
  const unproven = best !== undefined && originIsUnknown(turn, best.site)
  if (!preferred || unproven || memory.pinnedSite === owner!.site || policy.failback.kind === 'manual') {
    turn.state = { ...state, recovering: null }
    return
  }
  const since = recovering?.site === best.site ? recovering.since : now.ms
  turn.state = { ...state, recovering: { site: best.site, since } }
  if (now.ms < since + failbackDelay(turn) || !mayMove(turn, best, 'preferred-site')) return
  own(turn, { member: best, reason: 'preferred-site', alternative: `${owner!.node} in ${owner!.site} serves as well` })
}

export function failbackDelay({ policy: { failback } }: Turn): number {
  return failback.kind === 'delayed' ? failback.delayMs : 0
}

/** An operator's choice of a site stands until the service leaves it. */
export function pinOf(turn: Turn, site: string): string | null {
  const { sites } = turn.policy
  return sites.length > 0 && rankOf(sites, site) > 0 ? site : null
}
