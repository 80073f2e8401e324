/**
 * Who owns one service: rules 1, 2, 3 and 6 of the design's section 7, as a function of what was heard and when.
 *
 * The LAN decides who is active; control only has to notice, and must not be fooled by a rival that is wrong for a
 * second. So a rival that is active beside an owner that looks active is not believed before the owner was asked:
 *
 *   nobody else active ──────────────────────────────▶ the owner stays, whatever its own state: no black hole
 *   rival active, owner says it is not / is gone ────▶ the rival owns, epoch + 1, at once                 rule 1
 *   rival active, owner looks active ──ask──┬─ "active" ─▶ dual active: the outside stays, ask again in 1 s
 *                                           └─ silence ──▶ after `confirmMs`: rule 1                      rule 2
 *
 * Reports, not their loss, drive this: each one is the node's whole state, so that every decision that is missed or
 * not stored is made again at the next report. The caller performs effects, and comes back with a `tick` at
 * `nextDeadline(state)`.
 */
import { leaseMs } from './contract.ts'
import {
  admit,
  type Decision,
  formerOf,
  isAwaited,
  isFresh,
  type Member,
  type Moment,
  type OwnReason,
  ownerLook,
  type ServiceEvent,
  type ServicePolicy,
  type Step,
} from './decision.ts'
import { advanceSwitchover, hearResults, repeatTakeOver, requestSwitchover } from './switchover.ts'
import { audit, command, finish, nextId, step, type Turn } from './turn.ts'

export function decide(policy: ServicePolicy, state: Decision, event: ServiceEvent, now: Moment): Step {
  const turn: Turn = { policy, now, state, effects: [] }
  const taken = hear(turn, event)
  if (!taken) return { state, effects: turn.effects }
  judge(turn)
  advanceSwitchover(turn)
  if (event.kind === 'report') lowerIfUnneeded(turn, event.node)
  return { state: { ...turn.state, wakeAt: wakeAt(turn) }, effects: turn.effects }
}

/** When `decide` next wants a `tick`, on control's monotonic clock. Null while nothing is awaited. */
export function nextDeadline(state: Decision): number | null {
  return state.wakeAt
}

/** Takes the event into the state. False when it is not news. */
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
    case 'settled': {
      const { switchover, owner } = turn.state
      if (switchover?.stage !== 'settling' || owner?.epoch !== event.epoch) return false
      step(turn, 'settled')
      finish(turn, 'done', null)
      return true
    }
    case 'switchover':
      return requestSwitchover(turn, event)
  }
}

function hearReport(turn: Turn, event: Extract<ServiceEvent, { kind: 'report' }>): boolean {
  const known = turn.state.members[event.node]
  const news = admit(known, event)
  if (news === 'former') {
    const detail = `${event.node} has restarted since the agent that sent this; its former self is not heard`
    turn.effects.push({ kind: 'refused', why: { code: 'former-incarnation', detail } })
  }
  if (news !== 'new') return false
  const said = event.report
  const member: Member = {
    node: event.node,
    site: event.site,
    incarnation: event.incarnation,
    former: formerOf(known, event.incarnation),
    sequence: event.sequence,
    state: said?.state ?? 'initialize',
    priority: said?.priority ?? 0,
    basePriority: said?.basePriority ?? said?.priority ?? 0,
    healthy: said?.healthy ?? false,
    since: said?.since ?? turn.now.wall,
    // A report that comes after its link has closed was posted, and then only the lease counts.
    link: event.via === 'link' || known?.link === 'open' ? 'open' : 'none',
    heardAt: turn.now.ms,
    loweredAt: known?.loweredAt ?? null,
  }
  turn.state = { ...turn.state, members: { ...turn.state.members, [event.node]: member } }
  hearAnswers(turn, member, event.answers)
  hearResults(turn, event.results)
  repeatTakeOver(turn, event.node)
  return true
}

/** Rule 2: an owner that answers "active" stays. An answer that says otherwise is for `judge` to see. */
function hearAnswers(turn: Turn, member: Member, answers: readonly string[]): void {
  const { confirming, owner, dualActive } = turn.state
  if (confirming?.kind !== 'asked' || owner?.node !== member.node || member.state !== 'active') return
  if (!answers.includes(confirming.id)) return
  turn.state = {
    ...turn.state,
    dualActive: true,
    confirming: { kind: 'answered', askAgainAt: turn.now.ms + askAgainMs },
  }
  if (dualActive) return
  const rival = strongestRival(turn)?.node ?? null
  audit(turn, {
    kind: 'dual-active',
    node: rival,
    text: `${member.node} and ${rival} are both active: the LAN is split or healing; ${member.node} stays the owner`,
    detail: { owner: member.node, rival },
  })
}

/** How often an owner that answered is asked again while a rival stays active, in milliseconds. */
const askAgainMs = 1_000

function hearLink(turn: Turn, node: string, link: 'open' | 'closed'): boolean {
  const member = turn.state.members[node]
  if (member === undefined) return false
  turn.state = { ...turn.state, members: { ...turn.state.members, [node]: { ...member, link } } }
  // A question that went to the former link, or waited for a post, is put again over the new one.
  if (link === 'open' && turn.state.owner?.node === node) turn.state = { ...turn.state, confirming: null }
  return true
}

/** Rules 1, 2 and 6. */
function judge(turn: Turn): void {
  const rival = strongestRival(turn)
  if (rival === undefined) {
    endConfirmation(turn)
    return
  }
  const target = switchoverTarget(turn)
  const reason = target !== undefined ? 'switchover' : reasonToMove(turn)
  if (reason !== null) own(turn, target ?? rival, reason)
  else if (ownerLook(turn.state, turn.now) === 'active') confirm(turn, rival)
}

/** Rule 3: the move was asked for, so a target that is active needs no confirmation. */
function switchoverTarget({ state, now }: Turn): Member | undefined {
  if (state.switchover?.stage !== 'moving' || state.switchover.operation.to === state.owner?.node) return undefined
  const target = state.members[state.switchover.operation.to]
  return target !== undefined && isActive(target, now) ? target : undefined
}

/** Rule 1: why a rival may own at once, or null. */
function reasonToMove({ state, now }: Turn): OwnReason | null {
  switch (ownerLook(state, now)) {
    case null:
      return 'first'
    case 'not-active':
      return 'owner-not-active'
    case 'disconnected':
      return 'owner-disconnected'
    case 'silent':
      return 'owner-silent'
    case 'active':
    case 'presumed':
      return null
  }
}

function isActive(member: Member, now: Moment): boolean {
  return member.state === 'active' && isFresh(member, now)
}

/** The active node, other than the owner, that would own: the highest priority, then the first name. */
function strongestRival({ state, now }: Turn): Member | undefined {
  return Object.values(state.members)
    .filter((member) => member.node !== state.owner?.node && isActive(member, now))
    .toSorted((a, b) => b.priority - a.priority || (a.node < b.node ? -1 : 1))[0]
}

/** The rival went back to backup before it was believed, or a split has healed. */
function endConfirmation(turn: Turn): void {
  const { dualActive, owner } = turn.state
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
  const { confirming, switchover, owner } = turn.state
  // The owner that a switchover has just relieved needs a moment to hear so; it is no rival yet.
  if (switchover?.stage === 'moving' && switchover.operation.from === rival.node) return
  const again = confirming?.kind === 'answered' && turn.now.ms >= confirming.askAgainAt
  const expired = confirming?.kind === 'asked' && confirming.deadline !== null && turn.now.ms >= confirming.deadline
  const silent = turn.state.members[owner!.node]!
  const awaited = isAwaited(turn.state, silent, turn.now)
  if (confirming === null || again || (expired && awaited)) ask(turn)
  if (!expired || awaited) return
  own(turn, rival, 'no-answer')
  // What it said before it fell silent must not make it a rival of its successor.
  turn.state = { ...turn.state, members: { ...turn.state.members, [silent.node]: { ...silent, heardAt: null } } }
}

function ask(turn: Turn): void {
  const owner = turn.state.members[turn.state.owner!.node]!
  const id = nextId(turn)
  // A node that only posts hears the question with its next post; for its silence there is only the lease.
  const deadline = owner.link === 'open' ? turn.now.ms + turn.policy.confirmMs : null
  turn.state = { ...turn.state, confirming: { kind: 'asked', id, deadline } }
  command(turn, owner.node, { kind: 'ask', id, service: turn.policy.service })
}

function own(turn: Turn, member: Member, reason: OwnReason): void {
  const before = turn.state.owner
  const epoch = turn.state.epoch + 1
  const owner = { node: member.node, site: member.site, epoch, since: turn.now.wall }
  const previous = before === null ? undefined : turn.state.members[before.node]
  turn.state = { ...turn.state, owner, epoch, confirming: null, dualActive: false }
  turn.effects.push({ kind: 'own', owner, reason })
  audit(turn, {
    kind: 'owner-changed',
    node: member.node,
    text: `${member.node} owns at epoch ${epoch}: ${ownReasons[reason](before?.node ?? '')}`,
    detail: {
      reason,
      from: before?.node ?? null,
      fromState: previous?.state ?? null,
      fromSilentMs: previous?.heardAt == null ? null : Math.round(turn.now.ms - previous.heardAt),
      priority: member.priority,
    },
  })
}

const ownReasons: Readonly<Record<OwnReason, (before: string) => string>> = {
  first: () => 'the service had no owner',
  'owner-not-active': (before) => `${before} says that it is not active`,
  'owner-disconnected': (before) => `the connection of ${before} is closed`,
  'owner-silent': (before) => `${before} was not heard for a lease`,
  'no-answer': (before) => `${before} was asked whether it is active, and did not answer`,
  switchover: (before) => `it was asked to take over${before === '' ? '' : ` from ${before}`}`,
}

/**
 * A node that was raised for a switchover goes back to its own priority as soon as that costs nothing: the owner when
 * its own priority outranks everybody, any other node at once. Judged on each report, so that a lost `lower` is sent again.
 */
function lowerIfUnneeded(turn: Turn, node: string): void {
  const { members, owner, switchover } = turn.state
  const member = members[node]
  if (member === undefined || member.priority <= member.basePriority) return
  if (switchover?.stage === 'moving' && switchover.operation.to === node) return
  if (member.loweredAt !== null && turn.now.ms - member.loweredAt < lowerAgainMs) return
  if (owner?.node === node) {
    const outranks = Object.values(members).every(
      (other) => other.node === node || other.priority < member.basePriority,
    )
    if (!outranks) return
  } else if (member.state === 'active') return
  turn.state = { ...turn.state, members: { ...members, [node]: { ...member, loweredAt: turn.now.ms } } }
  command(turn, node, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
}

const lowerAgainMs = 5_000

/** The next moment at which silence alone would change something. */
function wakeAt({ state, now }: Turn): number | null {
  const { confirming, owner, switchover, believeFrom, members } = state
  const at: number[] = []
  if (confirming?.kind === 'asked' && confirming.deadline !== null) at.push(confirming.deadline)
  if (confirming?.kind === 'answered') at.push(confirming.askAgainAt)
  if (switchover !== null) at.push(switchover.deadline)
  const rivals = Object.values(members).some((member) => member.node !== owner?.node && member.state === 'active')
  const heardAt = owner === null ? null : (members[owner.node]?.heardAt ?? null)
  if (rivals) at.push(believeFrom)
  if (rivals && heardAt !== null) at.push(heardAt + leaseMs + 1)
  const future = at.filter((deadline) => deadline > now.ms)
  return future.length === 0 ? null : Math.min(...future)
}
