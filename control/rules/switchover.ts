/**
 * Rule 3: moving a service on purpose, because an operator asked for it or because its node is being emptied.
 *
 *   requested ─ told ─▶ target active ─▶ owner moved ─▶ old owner not active ─▶ settled
 *   └────────── moving: at most `movingMs` ──────────┘ └─ settling: `settlingMs` ─┘
 *
 * The target is told to advertise a priority above everybody's, so that the LAN moves by its own rules and loses no
 * packet. If it does not get there, it is told to forget the raise, and the owner stays. A target that is active
 * already, in another site, only has to be made the owner.
 */
import { isFresh, type Member, movingMs, type Operation, type RefusalCode, type ServiceEvent } from '../decision.ts'
import { isFenced } from './fencing.ts'
import { forgive } from './flap.ts'
import { beginAsked, beginSettling, changeMove, finish, isMoving, noteOwner, overdue, step } from './moves.ts'
import { own } from './owning.ts'
import { byPreference, originIsDown, pinOf } from './sites.ts'
import { audit, command, isActive, isDrained, nextId, refuse, remember, sameElection, type Turn } from './turn.ts'

type Request = Extract<ServiceEvent, { kind: 'switchover' }>

/** Starts a switchover, or refuses it. False when refused. */
export function requestSwitchover(turn: Turn, request: Request): boolean {
  const { owner, move, members, memory } = turn.state
  if (memory.hold !== null) {
    const { by, reason } = memory.hold
    return refuse(turn, 'held', `it is held by ${by}${reason === null ? '' : ` (${reason})`}: release it first`)
  }
  if (isFenced(turn)) {
    const found = `the epoch ${memory.epochSeen} was found, which this control never minted`
    return refuse(
      turn,
      'higher-epoch',
      `${found}: look for a second control, then holdfast acknowledge ${turn.policy.service}`,
    )
  }
  if (isMoving(turn.state)) {
    const { to, id } = move!.operation
    return refuse(turn, 'in-progress', `a move to ${to} is under way (${id})`)
  }
  if (request.to !== null && request.to === owner?.node) {
    return refuse(turn, 'already-owner', `${request.to} is the owner already`)
  }
  const named = request.to !== null && Object.hasOwn(members, request.to) ? members[request.to] : undefined
  if (request.to !== null && named === undefined) {
    return refuse(turn, 'unknown-node', `${request.to} has never reported ${turn.policy.service}`)
  }
  if (named !== undefined) {
    const why = unfit(turn, named)
    if (why !== null) return refuse(turn, why.code, why.detail)
  }
  const target = named ?? bestTarget(turn)
  if (target === undefined) return refuse(turn, 'nobody', 'no other node is connected, healthy and able to take over')
  const priority = raiseFor(turn, target)
  if (priority !== null && priority > 254) {
    return refuse(
      turn,
      'outranked',
      `${target.node} would need the priority ${priority}, and 254 is the highest there is`,
    )
  }
  if (move !== null) finish(turn, 'failed', 'another switchover began before the bindings had settled')
  forgive(turn)
  begin(turn, { id: request.id, kind: 'switchover', to: target.node, priority, reason: request.reason, by: request.by })
  return true
}

/** Starts emptying the owner, if somebody can take over. */
export function beginDrain(turn: Turn, id: string): boolean {
  const owner = turn.state.owner!.node
  const target = bestTarget(turn)
  const priority = target === undefined ? null : raiseFor(turn, target)
  if (target === undefined || (priority !== null && priority > 254)) return false
  if (turn.state.move !== null) finish(turn, 'failed', `${turn.state.move.operation.to} is being emptied`)
  const { by, reason } = turn.state.drained[owner]!
  begin(turn, { id, kind: 'drain', to: target.node, priority, reason, by })
  return true
}

type Wanted = Pick<Operation, 'id' | 'kind' | 'to' | 'priority' | 'reason' | 'by'>

function begin(turn: Turn, wanted: Wanted): void {
  turn.state = { ...turn.state, confirming: null }
  beginAsked(turn, wanted)
  const { id, kind, to, priority, reason, by } = wanted
  const from = turn.state.move!.operation.from
  audit(turn, {
    kind: `${kind}-requested`,
    node: to,
    text: `${by} asked ${to} to take over${from === null ? '' : ` from ${from}`}`,
    detail: { operation: id, by, reason, priority },
  })
  if (priority === null) return
  step(turn, 'told')
  tell(turn)
}

function tell(turn: Turn): void {
  const { id, service, priority, to } = turn.state.move!.operation
  changeMove(turn, { toldAt: turn.now.ms })
  if (priority !== null) command(turn, to, { kind: 'take-over', id, service, priority })
}

/** Above everybody that the target stands for election with; null when it is active already. */
function raiseFor({ state, now }: Turn, target: Member): number | null {
  if (isActive(target, now)) return null
  const rivals = Object.values(state.members).filter((member) => sameElection(member, target))
  return Math.max(...rivals.map(({ priority }) => priority)) + 1
}

/** Why a node cannot take over, or null. */
function unfit(turn: Turn, member: Member): { code: RefusalCode; detail: string } | null {
  const { node, site } = member
  const notReady = (detail: string) => ({ code: 'not-ready', detail }) as const
  if (isDrained(turn.state, node))
    return { code: 'drained', detail: `${node} is drained: holdfast undrain ${node} first` }
  if (member.link === 'closed') return notReady(`${node} is not connected`)
  if (!isFresh(member, turn.now)) return notReady(`${node} was not heard for a lease`)
  if (!member.healthy) return notReady(`${node} is not healthy${member.fault === null ? '' : `: ${member.fault}`}`)
  if (originIsDown(turn, site)) return notReady(`the site ${site} of ${node} does not answer to probes`)
  if (member.state === 'active' && outsideElection(turn, member)) return null
  return member.state === 'backup' && !member.solo ? null : notReady(`${node} is ${member.state}, not backup`)
}

function outsideElection({ state }: Turn, member: Member): boolean {
  const owner = state.owner === null ? undefined : state.members[state.owner.node]
  return owner === undefined || !sameElection(owner, member)
}

/** The owner's own LAN first, then the most preferred site, its active node before the others. */
function bestTarget(turn: Turn): Member | undefined {
  const { members, owner } = turn.state
  const preference = byPreference(turn)
  const standing = owner === null ? undefined : members[owner.node]
  const near = (member: Member): number => (standing !== undefined && sameElection(member, standing) ? 0 : 1)
  const later = (member: Member): number => (member.state === 'active' ? 0 : 1)
  return Object.values(members)
    .filter((member) => member.node !== owner?.node && unfit(turn, member) === null)
    .toSorted(
      (a, b) =>
        near(a) - near(b) ||
        (a.site === b.site ? later(a) - later(b) || b.basePriority - a.basePriority : 0) ||
        preference(a, b),
    )[0]
}

/** The target may refuse in so many words. */
export function hearResults(turn: Turn, results: Extract<ServiceEvent, { kind: 'report' }>['results']): void {
  const { move } = turn.state
  if (!isMoving(turn.state) || move === null) return
  const refusal = results.find(({ id, ok }) => id === move.operation.id && !ok)
  if (refusal !== undefined) giveUp(turn, `${move.operation.to} refused: ${refusal.reason ?? 'no reason given'}`)
}

/** A target that reports and is not active yet may not have heard: commands may be lost, and are safe to repeat. */
export function repeatTakeOver(turn: Turn, node: string): void {
  const { move, members } = turn.state
  if (!isMoving(turn.state) || move?.operation.to !== node || members[node]?.state === 'active') return
  if (turn.now.ms - move.toldAt >= tellAgainMs) tell(turn)
}

const tellAgainMs = 1_000

/** The move was asked for, so a target that is active needs no confirmation. True when it has just become the owner. */
export function followTarget(turn: Turn): boolean {
  const { move, members, owner } = turn.state
  if (!isMoving(turn.state) || move === null || move.operation.to === owner?.node) return false
  const target = members[move.operation.to]
  if (target === undefined || !isActive(target, turn.now)) return false
  const reason = move.operation.kind === 'drain' ? 'drain' : 'switchover'
  step(turn, 'target active')
  own(turn, { member: target, reason, alternative: `${owner?.node ?? 'nobody'} would have stayed the owner` })
  if (reason === 'switchover') remember(turn, { pinnedSite: pinOf(turn, target.site) })
  return true
}

/** Notes how far the LAN and the owner have got, after everybody else has had their say. */
export function advanceMove(turn: Turn): void {
  const { move, owner, members } = turn.state
  if (move === null) return
  const { from, to } = move.operation
  const due = turn.now.ms >= move.deadline
  if (move.stage === 'settling') {
    if (owner?.node !== to) finish(turn, 'failed', `${owner?.node} became the owner before the bindings had settled`)
    else if (due) overdue(turn)
    return
  }
  if (owner !== null && owner.node !== from && owner.node !== to) {
    giveUp(turn, `${owner.node} became the owner instead`)
    return
  }
  if (members[to]?.state === 'active') step(turn, 'target active')
  noteOwner(turn)
  if (owner?.node === to && isRelieved(turn, from, to)) {
    step(turn, 'old owner not active')
    beginSettling(turn)
    return
  }
  if (due) giveUp(turn, failureAt(turn))
}

/** Whether the old owner has stopped answering where the new one answers now. */
function isRelieved({ state, now }: Turn, from: string | null, to: string): boolean {
  const old = from === null ? undefined : state.members[from]
  const target = state.members[to]
  return old === undefined || !isActive(old, now) || target === undefined || !sameElection(old, target)
}

function failureAt(turn: Turn): string {
  const { operation } = turn.state.move!
  const within = `within ${movingMs / 1_000} s`
  if (turn.state.owner?.node === operation.to)
    return `${operation.to} owns, but ${operation.from} was still active ${within}`
  return `${operation.to} did not become active ${within}`
}

function giveUp(turn: Turn, why: string): void {
  const { to, priority } = turn.state.move!.operation
  finish(turn, 'failed', why)
  if (turn.state.owner?.node === to || priority === null) return
  command(turn, to, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
}
