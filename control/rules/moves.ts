/**
 * The move under way: begun with the first sign or a request, its steps noted with their times, ended when every
 * binding is where it belongs, or when that took too long.
 */
import {
  type Decision,
  type Moment,
  type Move,
  movingMs,
  type Operation,
  type OwnReason,
  type ServiceEvent,
  settlingMs,
} from '../decision.ts'
import { acceptedStep, describeReport, ownerMoved, reportOf, seen, visibleStep } from '../operation.ts'
import { audit, nextId, type Turn } from './turn.ts'

/** Notes a step of the move under way, once. */
export function step(turn: Turn, name: string, at: Moment = turn.now): void {
  const { move } = turn.state
  if (move === null || move.operation.steps.some((taken) => taken.name === name)) return
  const taken = { name, at: at.wall, afterMs: Math.round(at.ms - move.startedAt) }
  changeMove(turn, { operation: { ...move.operation, steps: [...move.operation.steps, taken] } })
  turn.effects.push({ kind: 'operation', operation: turn.state.move!.operation })
}

export function changeMove(turn: Turn, changes: Partial<Move>): void {
  turn.state = { ...turn.state, move: { ...turn.state.move!, ...changes } }
}

type Asked = Pick<Operation, 'id' | 'kind' | 'to' | 'priority' | 'reason' | 'by'>

/** Begins a move that somebody asked for. */
export function beginAsked(turn: Turn, asked: Asked): void {
  begin(turn, { ...asked, stage: 'moving', from: turn.state.owner?.node ?? null, since: turn.now })
  step(turn, 'requested')
}

/** The owner has changed and nobody asked: the move is known from its second half on. */
export function beginFailover(
  turn: Turn,
  { from, reason }: { readonly from: string; readonly reason: OwnReason },
): void {
  const owner = turn.state.owner!
  const since = turn.state.suspect ?? turn.now
  const asked = {
    id: `op-${nextId(turn)}`,
    kind: 'failover',
    to: owner.node,
    priority: null,
    reason,
    by: null,
  } as const
  begin(turn, { ...asked, stage: 'settling', from, since })
  step(turn, 'detected', since)
  noteOwner(turn)
}

type Beginning = Asked & { readonly stage: Move['stage']; readonly from: string | null; readonly since: Moment }

function begin(turn: Turn, { stage, from, since, ...asked }: Beginning): void {
  const wellAt = from === null ? null : (turn.state.members[from]?.wellAt ?? null)
  const operation: Operation = {
    ...asked,
    service: turn.policy.service,
    from,
    epoch: null,
    status: 'running',
    steps: [],
    failure: null,
    report: null,
  }
  const move: Move = {
    operation,
    stage,
    deadline: turn.now.ms + (stage === 'moving' ? movingMs : settlingMs),
    toldAt: turn.now.ms,
    startedAt: since.ms,
    detectMs: wellAt === null ? null : Math.max(0, Math.round(since.ms - wellAt)),
  }
  turn.state = { ...turn.state, move }
}

/** The target owns now. */
export function noteOwner(turn: Turn): void {
  const { move, owner } = turn.state
  if (move === null || owner?.node !== move.operation.to || move.operation.epoch !== null) return
  changeMove(turn, { operation: { ...move.operation, epoch: owner.epoch } })
  step(turn, ownerMoved)
}

export function beginSettling(turn: Turn): void {
  changeMove(turn, { stage: 'settling', deadline: turn.now.ms + settlingMs })
}

export function finish(turn: Turn, status: 'done' | 'failed', failure: string | null): void {
  if (turn.state.move === null) return
  if (status === 'failed') step(turn, 'failed')
  const { operation: ended, detectMs } = turn.state.move
  const report = reportOf(ended, { detectMs, bindings: turn.policy.bindings })
  const operation: Operation = { ...ended, status, failure, report }
  turn.state = { ...turn.state, move: null }
  turn.effects.push({ kind: 'operation', operation })
  const moved = `${operation.to} took over${operation.from === null ? '' : ` from ${operation.from}`}`
  audit(turn, {
    kind: `${operation.kind}-${status}`,
    node: operation.to,
    text: failure ?? `${moved}: ${describeReport(report)}`,
    detail: {
      operation: operation.id,
      by: operation.by,
      report: { ...report, bindings: report.bindings.map((times) => ({ ...times })) },
    },
  })
}

type Progress = Extract<ServiceEvent, { kind: 'accepted' | 'visible' | 'settled' | 'seen' }>

/** What the bindings and the probe have to say to the move under way. False when it is no news. */
export function hearProgress(turn: Turn, event: Progress): boolean {
  if (event.kind === 'seen') return hearProbe(turn, event.reachable)
  const { move, owner } = turn.state
  if (move?.operation.epoch == null || owner?.epoch !== event.epoch) return false
  if (event.kind !== 'settled') {
    step(turn, event.kind === 'accepted' ? acceptedStep(event.binding) : visibleStep(event.binding))
    return true
  }
  if (move.stage !== 'settling') return false
  step(turn, 'settled')
  // Whoever probes waits for the clients' own view as well, until the deadline.
  if (!turn.policy.probed || turn.state.move!.operation.steps.some(({ name }) => name === seen))
    finish(turn, 'done', null)
  return true
}

function hearProbe(turn: Turn, reachable: boolean): boolean {
  const before = turn.state.reachable
  turn.state = { ...turn.state, reachable }
  const settled = turn.state.move?.operation.steps.some(({ name }) => name === 'settled') ?? false
  if (reachable && settled) {
    step(turn, seen)
    finish(turn, 'done', null)
  }
  if (before !== reachable && (before !== null || !reachable)) {
    audit(turn, {
      kind: reachable ? 'reachable' : 'unreachable',
      node: turn.state.owner?.node ?? null,
      text: reachable
        ? 'the probe reaches the service again'
        : 'the probe does not reach the service through its own address',
      detail: {},
    })
  }
  return true
}

/** Whether the move has only to hear of a probe that succeeded, and that began after the bindings were seen to agree. */
export function awaitsProbe({ move }: Decision): boolean {
  return move?.stage === 'settling' && move.operation.steps.some(({ name }) => name === 'settled')
}

/** Ends a move whose bindings, or whose probe, took too long. */
export function overdue(turn: Turn): void {
  const { operation } = turn.state.move!
  const settled = operation.steps.some(({ name }) => name === 'settled')
  if (settled) finish(turn, 'done', null)
  else finish(turn, 'failed', `the bindings had not settled after ${settlingMs / 1_000} s; they go on being tried`)
}

/** Whether a switchover, or a drain, has still to move the owner. */
export function isMoving({ move }: Decision): boolean {
  return move?.stage === 'moving'
}
