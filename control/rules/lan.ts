/**
 * Rules 1, 2 and 6: the LAN of the owner's site decides who is active there, and control follows.
 *
 *   nobody else active ──────────────────────────────▶ the owner stays, whatever its own state: no black hole
 *   rival active, owner says it is not / is gone ────▶ the rival owns, epoch + 1, at once                 rule 1
 *   rival active, owner looks active ──ask──┬─ "active" ─▶ dual active: the outside stays, ask again in 1 s
 *                                           └─ silence ──▶ after `confirmMs`: rule 1                      rule 2
 */
import { isAwaited, type Member, type OwnReason, ownerLook } from '../decision.ts'
import { mayMove } from './flap.ts'
import { tellContested } from './levels.ts'
import { isMoving } from './moves.ts'
import { own } from './owning.ts'
import {
  audit,
  byStrength,
  changeMember,
  command,
  isActive,
  isDrained,
  nextId,
  sameElection,
  type Turn,
} from './turn.ts'

/** How often an owner that answered is asked again while a rival stays active, in milliseconds. */
const askAgainMs = 1_000

/** True when the LAN has something to decide: a rival is active where the owner stands for election. */
export function judgeLan(turn: Turn): boolean {
  const rival = strongestRival(turn)
  if (rival === undefined) {
    endConfirmation(turn)
    return false
  }
  const reason = reasonToMove(turn)
  if (reason === null) {
    if (ownerLook(turn.state, turn.now) === 'active') confirm(turn, rival)
  } else if (mayMove(turn, rival, reason)) {
    own(turn, { member: rival, reason, alternative: 'the owner would have stayed had it said that it is active' })
  }
  return true
}

/** Rule 1: why a rival may own at once, or null. */
function reasonToMove({ state, now }: Turn): OwnReason | null {
  switch (ownerLook(state, now)) {
    case 'not-active':
      return 'owner-not-active'
    case 'disconnected':
      return 'owner-disconnected'
    case 'silent':
      return 'owner-silent'
    case null:
    case 'active':
    case 'presumed':
      return null
  }
}

/** The active node that stands for election with the owner: on its LAN, neither drained nor ill. */
export function strongestRival({ state, now }: Turn): Member | undefined {
  const { owner, members } = state
  if (owner === null) return undefined
  // An owner that has never reported stands where it was said to.
  const standing = members[owner.node] ?? { node: owner.node, site: owner.site, solo: false }
  return Object.values(members)
    .filter((member) => member.node !== owner.node && sameElection(member, standing as Member))
    .filter((member) => isActive(member, now) && member.healthy && !isDrained(state, member.node))
    .toSorted(byStrength)[0]
}

/** The rival went back to backup before it was believed, or a split has healed. */
function endConfirmation(turn: Turn): void {
  const { dualActive, owner, confirming } = turn.state
  if (!dualActive && confirming === null) return
  turn.state = { ...turn.state, confirming: null, dualActive: false }
  if (!dualActive) return
  audit(turn, {
    kind: 'dual-active-ended',
    node: owner?.node ?? null,
    text: `no node but ${owner?.node} is active any more`,
    detail: {},
  })
}

/** Rule 2: ask, wait, believe. */
function confirm(turn: Turn, rival: Member): void {
  const { confirming, move, owner } = turn.state
  // The owner that a switchover has just relieved needs a moment to hear so; it is no rival yet.
  if (isMoving(turn.state) && move?.operation.from === rival.node) return
  const again = confirming?.kind === 'answered' && turn.now.ms >= confirming.askAgainAt
  const expired = confirming?.kind === 'asked' && confirming.deadline !== null && turn.now.ms >= confirming.deadline
  const silent = turn.state.members[owner!.node]!
  const awaited = isAwaited(turn.state, silent, turn.now)
  if (confirming === null || again || (expired && awaited)) ask(turn)
  if (!expired || awaited || !mayMove(turn, rival, 'no-answer')) return
  own(turn, { member: rival, reason: 'no-answer', alternative: `${silent.node} would have stayed, had it answered` })
  // What it said before it fell silent must not make it a rival of its successor.
  changeMember(turn, silent.node, { heardAt: null, deafAt: turn.now.ms })
}

function ask(turn: Turn): void {
  const owner = turn.state.members[turn.state.owner!.node]!
  const id = nextId(turn)
  // A node that only posts hears the question with its next post; for its silence there is only the lease.
  const deadline = owner.link === 'open' ? turn.now.ms + turn.policy.confirmMs : null
  turn.state = { ...turn.state, confirming: { kind: 'asked', id, deadline } }
  command(turn, owner.node, { kind: 'ask', id, service: turn.policy.service })
}

/** An owner that answers "active" stays. An answer that says otherwise is for `judgeLan` to see. */
export function hearAnswers(turn: Turn, member: Member, answers: readonly string[]): void {
  const { confirming, owner, dualActive } = turn.state
  if (confirming?.kind !== 'asked' || owner?.node !== member.node || member.state !== 'active') return
  if (!answers.includes(confirming.id)) return
  turn.state = {
    ...turn.state,
    dualActive: true,
    confirming: { kind: 'answered', askAgainAt: turn.now.ms + askAgainMs },
  }
  const rival = strongestRival(turn)?.node
  if (dualActive || rival === undefined) return
  audit(turn, {
    kind: 'dual-active',
    node: rival,
    text: `${member.node} and ${rival} are both active: the LAN is split or healing; ${member.node} stays the owner`,
    detail: { owner: member.node, rival, alternative: `${rival} would own if ${member.node} had not answered` },
  })
  tellContested(turn, rival)
}
