/**
 * Who owns one service: the rules of the design's section 7, as a function of what was heard and when.
 *
 *   hear ─▶ fenced? held? ─▶ asked to move ─▶ the LAN of the owner ─▶ the sites ─▶ how far the move got ─▶ what nodes are told
 *           rule 7  rule 5   rule 3           rules 1, 2, 6           rule 4
 *
 * The LAN decides who is active; control only has to notice, and must not be fooled by a rival that is wrong for a
 * second. Reports, not their loss, drive this: each one is the node's whole state, so that every decision that is
 * missed or not stored is made again at the next report. The caller performs effects, and comes back with a `tick` at
 * `nextDeadline(state)`.
 */
import { leaseMs } from './contract.ts'
import {
  admit,
  type Decision,
  formerOf,
  isFresh,
  type Member,
  type Moment,
  ownerLook,
  type ServiceEvent,
  type ServicePolicy,
  type Step,
} from './decision.ts'
import { isFenced, noteEpoch } from './rules/fencing.ts'
import { passTime } from './rules/flap.ts'
import { hearAnswers, judgeLan, strongestRival } from './rules/lan.ts'
import { contestOver, liftContest, remind, remindOwner } from './rules/levels.ts'
import { hearProgress } from './rules/moves.ts'
import { acknowledge, drain, goOnDraining, hold, release, undrain } from './rules/operators.ts'
import { failbackDelay, hearOrigin, judgeSites, leaveAt } from './rules/sites.ts'
import { advanceMove, followTarget, hearResults, repeatTakeOver, requestSwitchover } from './rules/switchover.ts'
import { changeMember, refuse, remember, type Turn } from './rules/turn.ts'

export function decide(policy: ServicePolicy, state: Decision, event: ServiceEvent, now: Moment): Step {
  const turn: Turn = { policy, now, state, effects: [] }
  passTime(turn)
  const taken = hear(turn, event)
  if (!taken) return { state, effects: turn.effects.filter(({ kind }) => kind === 'refused') }
  judge(turn)
  advanceMove(turn)
  if (event.kind === 'report') remind(turn, event.node)
  remindOwner(turn)
  return { state: { ...turn.state, wakeAt: wakeAt(turn) }, effects: turn.effects }
}

/** When `decide` next wants a `tick`, on control's monotonic clock. Null while nothing is awaited. */
export function nextDeadline(state: Decision): number | null {
  return state.wakeAt
}

/**
 * What is known of each node's link without its having said anything new: when it last carried a ping, which means
 * "as in my last report". To be brought up to date before anybody's silence is judged.
 */
export function refresh(state: Decision, aliveAt: (node: string) => number | null): Decision {
  let members = state.members
  for (const member of Object.values(state.members)) {
    const at = member.link === 'open' ? aliveAt(member.node) : null
    if (at === null || at <= (member.deafAt ?? Number.NEGATIVE_INFINITY) || at <= (member.heardAt ?? at - 1)) continue
    // Without a report since control started, a ping says nothing that control knows.
    if (member.heardAt === null) continue
    const wellAt = member.state === 'active' ? at : member.wellAt
    members = { ...members, [member.node]: { ...member, heardAt: at, wellAt } }
  }
  return members === state.members ? state : { ...state, members }
}

/** Takes the event into the state. False when it is not news, or refused. */
function hear(turn: Turn, event: ServiceEvent): boolean {
  switch (event.kind) {
    case 'tick':
      return true
    case 'report':
      return hearReport(turn, event)
    case 'connected':
    case 'disconnected':
      return hearLink(turn, event.node, event.kind === 'connected' ? 'open' : 'closed')
    case 'stalled':
      turn.state = { ...turn.state, believeFrom: Math.max(turn.state.believeFrom, turn.now.ms + leaseMs) }
      return true
    case 'accepted':
    case 'visible':
    case 'settled':
    case 'seen':
      return hearProgress(turn, event)
    case 'origin':
      return hearOrigin(turn, event)
    case 'superseded':
      return noteEpoch(turn, event.epochSeen, event.binding)
    case 'switchover':
      return requestSwitchover(turn, event)
    case 'hold':
      return hold(turn, event)
    case 'release':
      return release(turn, event)
    case 'drain':
      return drain(turn, event)
    case 'undrain':
      return undrain(turn, event)
    case 'acknowledge':
      return acknowledge(turn, event)
  }
}

function hearReport(turn: Turn, event: Extract<ServiceEvent, { kind: 'report' }>): boolean {
  const known = turn.state.members[event.node]
  const news = admit(known, event)
  if (news === 'former') {
    const detail = `${event.node} has restarted since the agent that sent this; its former self is not heard`
    return refuse(turn, 'former-incarnation', detail)
  }
  if (news !== 'new') return false
  const member = memberOf(turn, event, known)
  turn.state = { ...turn.state, members: { ...turn.state.members, [event.node]: member } }
  if (member.epochSeen !== null) noteEpoch(turn, member.epochSeen, event.node)
  hearAnswers(turn, member, event.answers)
  hearResults(turn, event.results)
  repeatTakeOver(turn, event.node)
  return true
}

function memberOf(turn: Turn, event: Extract<ServiceEvent, { kind: 'report' }>, known: Member | undefined): Member {
  const { node, site, incarnation, sequence, via, report: said } = event
  const state = said?.state ?? 'initialize'
  // A restarted agent remembers nothing of what its former self was told.
  const told = known?.incarnation === incarnation ? known.told : {}
  return {
    node,
    site,
    incarnation,
    former: formerOf(known, incarnation),
    sequence,
    state,
    priority: said?.priority ?? 0,
    basePriority: said?.basePriority ?? said?.priority ?? 0,
    healthy: said?.healthy ?? false,
    fault: said?.fault ?? null,
    solo: said?.solo ?? false,
    yielding: said?.yielding ?? false,
    epochSeen: said?.epochSeen ?? null,
    since: said?.since ?? turn.now.wall,
    // A report that comes after its link has closed was posted, and then only the lease counts.
    link: via === 'link' || known?.link === 'open' ? 'open' : 'none',
    heardAt: turn.now.ms,
    wellAt: state === 'active' ? turn.now.ms : (known?.wellAt ?? null),
    told,
    deafAt: null,
  }
}

function hearLink(turn: Turn, node: string, link: 'open' | 'closed'): boolean {
  if (turn.state.members[node] === undefined) return false
  changeMember(turn, node, { link })
  // A question that went to the former link, or waited for a post, is put again over the new one.
  if (link === 'open' && turn.state.owner?.node === node) turn.state = { ...turn.state, confirming: null }
  return true
}

function judge(turn: Turn): void {
  if (isFenced(turn) || turn.state.memory.hold !== null) return
  noteSuspicion(turn)
  liftContest(turn)
  if (!followTarget(turn) && !judgeLan(turn)) judgeSites(turn)
  const { memory, owner } = turn.state
  if (memory.pinnedSite !== null && owner?.site !== memory.pinnedSite) remember(turn, { pinnedSite: null })
  goOnDraining(turn)
}

/** The first sign that the owner is not what it should be: what a failover is counted from. */
function noteSuspicion(turn: Turn): void {
  const { suspect, owner, origins } = turn.state
  const look = ownerLook(turn.state, turn.now)
  const well = owner === null || look === 'presumed' || (look === 'active' && strongestRival(turn) === undefined)
  const suspicious = !well || (owner !== null && origins[owner.site] === false)
  if (suspicious === (suspect !== null)) return
  turn.state = { ...turn.state, suspect: suspicious ? turn.now : null }
}

/** The next moment at which silence alone would change something. */
function wakeAt(turn: Turn): number | null {
  const { state, now, policy } = turn
  const { confirming, owner, move, believeFrom, members, suppressedUntil, suspect, recovering, moves } = state
  const others = Object.values(members).filter((member) => member.node !== owner?.node)
  const rivals = others.some((member) => member.state === 'active' && isFresh(member, now))
  const heardAt = owner === null ? null : (members[owner.node]?.heardAt ?? null)
  const at = [
    confirming?.kind === 'asked' ? confirming.deadline : null,
    confirming?.kind === 'answered' ? confirming.askAgainAt : null,
    move?.deadline ?? null,
    suppressedUntil,
    rivals ? believeFrom : null,
    rivals && heardAt !== null ? heardAt + leaseMs + 1 : null,
    rivals && suspect !== null ? leaveAt(turn) : null,
    recovering === null ? null : recovering.since + failbackDelay(turn),
    owner !== null && Object.hasOwn(state.drained, owner.node) ? state.drainAt : null,
    state.contested === null ? null : contestOver(state.contested),
    moves.length > 0 && moves.length >= policy.flap.moves ? moves[0]! + policy.flap.perMs : null,
  ]
  const future = at.filter((deadline) => deadline !== null && deadline > now.ms)
  return future.length === 0 ? null : Math.min(...(future as number[]))
}
