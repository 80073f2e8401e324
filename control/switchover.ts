/**
 * Rule 3: moving a service on purpose.
 *
 *   requested ─ told ─▶ target active ─▶ owner moved ─▶ old owner not active ─▶ settled
 *   └────────── moving: at most `movingMs` ──────────┘ └─ settling: `settlingMs` ─┘
 *
 * The target is told to advertise a priority above everybody's, so that the LAN moves by its own rules and loses no
 * packet. If it does not get there, it is told to forget the raise, and the owner stays.
 */
import {
  isFresh,
  type Member,
  type Moment,
  movingMs,
  type RefusalCode,
  type ServiceEvent,
  settlingMs,
} from './decision.ts'
import { audit, command, finish, nextId, step, type Turn } from './turn.ts'

type Request = Extract<ServiceEvent, { kind: 'switchover' }>

/** Starts a switchover, or refuses it. False when refused. */
export function requestSwitchover(turn: Turn, request: Request): boolean {
  const refuse = (code: RefusalCode, detail: string): false => {
    turn.effects.push({ kind: 'refused', why: { code, detail } })
    return false
  }
  const { owner, switchover, members } = turn.state
  if (switchover?.stage === 'moving') {
    return refuse('in-progress', `a switchover to ${switchover.operation.to} is under way (${switchover.operation.id})`)
  }
  if (request.to !== null && request.to === owner?.node)
    return refuse('already-owner', `${request.to} is the owner already`)
  const named = request.to !== null && Object.hasOwn(members, request.to) ? members[request.to] : undefined
  if (request.to !== null && named === undefined) {
    return refuse('unknown-node', `${request.to} has never reported ${turn.policy.service}`)
  }
  if (named !== undefined) {
    const why = unfit(named, turn.now)
    if (why !== null) return refuse('not-ready', why)
  }
  const target = named ?? bestTarget(turn)
  if (target === undefined) return refuse('nobody', 'no other node is connected, healthy and backup')
  const priority = Math.max(...Object.values(members).map((member) => member.priority)) + 1
  if (priority > 254) {
    return refuse('outranked', `${target.node} would need the priority ${priority}, and 254 is the highest there is`)
  }
  if (switchover !== null) finish(turn, 'failed', 'another switchover began before the bindings had settled')
  begin(turn, { request, target, priority })
  return true
}

function begin(
  turn: Turn,
  { request, target, priority }: { request: Request; target: Member; priority: number },
): void {
  const from = turn.state.owner?.node ?? null
  const operation = {
    id: request.id,
    kind: 'switchover',
    service: turn.policy.service,
    from,
    to: target.node,
    priority,
    reason: request.reason,
    by: request.by,
    status: 'running',
    steps: [],
    failure: null,
  } as const
  turn.state = {
    ...turn.state,
    confirming: null,
    switchover: { operation, stage: 'moving', deadline: turn.now.ms + movingMs, toldAt: turn.now.ms },
  }
  step(turn, 'requested')
  audit(turn, {
    kind: 'switchover-requested',
    node: target.node,
    text: `${request.by} asked ${target.node} to take over${from === null ? '' : ` from ${from}`}`,
    detail: { operation: request.id, by: request.by, reason: request.reason, priority },
  })
  step(turn, 'told')
  tell(turn)
}

function tell(turn: Turn): void {
  const { operation } = turn.state.switchover!
  const { id, service, priority, to } = operation
  turn.state = { ...turn.state, switchover: { ...turn.state.switchover!, toldAt: turn.now.ms } }
  command(turn, to, { kind: 'take-over', id, service, priority })
}

/** Why a node cannot take over, or null. */
function unfit(member: Member, now: Moment): string | null {
  if (member.link === 'closed') return `${member.node} is not connected`
  if (!isFresh(member, now)) return `${member.node} was not heard for a lease`
  if (member.state !== 'backup') return `${member.node} is ${member.state}, not backup`
  return member.healthy ? null : `${member.node} is not healthy`
}

function bestTarget({ state, now }: Turn): Member | undefined {
  return Object.values(state.members)
    .filter((member) => member.node !== state.owner?.node && unfit(member, now) === null)
    .toSorted((a, b) => b.basePriority - a.basePriority || (a.node < b.node ? -1 : 1))[0]
}

/** The target may refuse in so many words. */
export function hearResults(turn: Turn, results: Extract<ServiceEvent, { kind: 'report' }>['results']): void {
  const { switchover } = turn.state
  if (switchover?.stage !== 'moving') return
  const refusal = results.find(({ id, ok }) => id === switchover.operation.id && !ok)
  if (refusal !== undefined) giveUp(turn, `${switchover.operation.to} refused: ${refusal.reason ?? 'no reason given'}`)
}

/** A target that reports and is not active yet may not have heard: commands may be lost, and are safe to repeat. */
export function repeatTakeOver(turn: Turn, node: string): void {
  const { switchover, members } = turn.state
  if (switchover?.stage !== 'moving' || switchover.operation.to !== node || members[node]?.state === 'active') return
  if (turn.now.ms - switchover.toldAt >= tellAgainMs) tell(turn)
}

const tellAgainMs = 1_000

/** Notes how far the LAN and the owner have got, after `judge` has had its say. */
export function advanceSwitchover(turn: Turn): void {
  const { switchover, owner, members } = turn.state
  if (switchover === null) return
  const { from, to } = switchover.operation
  const due = turn.now.ms >= switchover.deadline
  const other = owner !== null && owner.node !== from && owner.node !== to ? owner.node : null
  if (switchover.stage === 'settling') {
    if (owner?.node !== to) finish(turn, 'failed', `${owner?.node} became the owner before the bindings had settled`)
    else if (due)
      finish(turn, 'failed', `the bindings had not settled after ${settlingMs / 1_000} s; they go on being tried`)
    return
  }
  if (other !== null) {
    giveUp(turn, `${other} became the owner instead`)
    return
  }
  if (members[to]?.state === 'active') step(turn, 'target active')
  if (owner?.node === to) step(turn, 'owner moved')
  const old = from === null ? undefined : members[from]
  const relieved = old === undefined || old.state !== 'active' || !isFresh(old, turn.now)
  if (owner?.node === to && relieved) {
    step(turn, 'old owner not active')
    turn.state = {
      ...turn.state,
      switchover: { ...turn.state.switchover!, stage: 'settling', deadline: turn.now.ms + settlingMs },
    }
    return
  }
  if (due) giveUp(turn, failureAt(turn))
}

function failureAt(turn: Turn): string {
  const { operation } = turn.state.switchover!
  const within = `within ${movingMs / 1_000} s`
  if (turn.state.owner?.node === operation.to)
    return `${operation.to} owns, but ${operation.from} was still active ${within}`
  return `${operation.to} did not become active ${within}`
}

function giveUp(turn: Turn, why: string): void {
  const { operation } = turn.state.switchover!
  finish(turn, 'failed', why)
  if (turn.state.owner?.node === operation.to) return
  command(turn, operation.to, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
}
