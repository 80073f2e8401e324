/** Minting an epoch: the one place where a service gets another owner, with the reasons as data. */
import type { Decision, Json, Member, OwnReason } from '../decision.ts'
import { isFresh } from '../decision.ts'
import { tellOwner } from './levels.ts'
import { beginFailover, finish, isMoving, noteOwner } from './moves.ts'
import { audit, remember, type Turn } from './turn.ts'

export type Claim = {
  readonly member: Pick<Member, 'node' | 'site' | 'priority'>
  readonly reason: OwnReason
  /** What would have been done otherwise, or why nothing else was possible. */
  readonly alternative: string
}

const asked: ReadonlySet<OwnReason> = new Set<OwnReason>(['switchover', 'drain', 'adopted'])

/** Whether a move for this reason was asked for by somebody, and so is not bounded. */
export function isAsked(reason: OwnReason): boolean {
  return asked.has(reason) || reason === 'first'
}

export function own(turn: Turn, { member, reason, alternative }: Claim): void {
  const before = turn.state.owner
  const evidence = evidenceOf(turn)
  const epoch = Math.max(turn.state.epoch, reason === 'adopted' ? turn.state.memory.epochSeen : 0) + 1
  const owner = { node: member.node, site: member.site, epoch, since: turn.now.wall }
  const moves = isAsked(reason) ? turn.state.moves : [...turn.state.moves, turn.now.ms]
  const suspect = turn.state.suspect
  turn.state = { ...turn.state, owner, epoch, confirming: null, dualActive: false, recovering: null, moves }
  turn.effects.push({ kind: 'own', owner, reason })
  if (!isAsked(reason)) remember(turn, { moves: moves.length })
  audit(turn, {
    kind: 'owner-changed',
    node: member.node,
    text: `${member.node} owns at epoch ${epoch}: ${ownReasons[reason](before?.node ?? '', member.site)}`,
    detail: {
      reason,
      from: before?.node ?? null,
      ...formerOwner(turn, before),
      priority: member.priority,
      suspectedForMs: suspect === null ? null : Math.round(turn.now.ms - suspect.ms),
      alternative,
      reports: evidence,
    },
  })
  noteMove(turn, before?.node ?? null, reason)
  tellOwner(turn)
  turn.state = { ...turn.state, suspect: null }
}

function noteMove(turn: Turn, from: string | null, reason: OwnReason): void {
  const { move, owner } = turn.state
  if (move?.operation.to === owner!.node && isMoving(turn.state)) {
    noteOwner(turn)
    return
  }
  if (reason === 'adopted' || from === null || from === owner!.node) return
  if (move !== null && !isMoving(turn.state)) {
    finish(turn, 'failed', `${owner!.node} became the owner before the bindings had settled`)
  }
  // A move that is still asked for is given up by whoever follows it, who also tells its target.
  if (turn.state.move === null) beginFailover(turn, { from, reason })
}

/** What each node last said, as control had it when it decided. */
function evidenceOf({ state, now }: Turn): Json {
  return Object.values(state.members).map((member) => ({
    node: member.node,
    site: member.site,
    state: member.state,
    priority: member.priority,
    healthy: member.healthy,
    fresh: isFresh(member, now),
    link: member.link,
    heardMsAgo: member.heardAt === null ? null : Math.round(now.ms - member.heardAt),
  }))
}

function formerOwner({ state, now }: Turn, owner: Decision['owner']): { fromState: Json; fromSilentMs: Json } {
  const member = owner === null ? undefined : state.members[owner.node]
  const silent = member?.heardAt == null ? null : Math.round(now.ms - member.heardAt)
  return { fromState: member?.state ?? null, fromSilentMs: silent }
}

const ownReasons: Readonly<Record<OwnReason, (before: string, site: string) => string>> = {
  first: () => 'the service had no owner',
  'owner-not-active': (before) => `${before} says that it is not active`,
  'owner-disconnected': (before) => `the connection of ${before} is closed`,
  'owner-silent': (before) => `${before} was not heard for a lease`,
  'no-answer': (before) => `${before} was asked whether it is active, and did not answer`,
  switchover: (before) => `it was asked to take over${before === '' ? '' : ` from ${before}`}`,
  drain: (before) => `${before} is being emptied`,
  'origin-down': (before) => `the site of ${before} does not answer to probes`,
  'preferred-site': (_, site) => `the site ${site} is preferred, and well again`,
  adopted: () => 'control goes on above a higher epoch that was found',
}
