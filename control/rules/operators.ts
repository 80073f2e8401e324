/** What operators say beside "move": hold and release, drain and undrain, and that they have seen a higher epoch. */
import { type Asked, movingMs, type ServiceEvent } from '../decision.ts'
import { adopt } from './fencing.ts'
import { forgive } from './flap.ts'
import { remindAnew } from './levels.ts'
import { finish, isMoving } from './moves.ts'
import { beginDrain } from './switchover.ts'
import { audit, command, isDrained, nextId, refuse, remember, type Turn } from './turn.ts'

/** Freezes the service at its owner. A move that is under way on the LAN is called off first. */
export function hold(turn: Turn, { by, reason }: Asked): boolean {
  const { move, owner, memory } = turn.state
  if (isMoving(turn.state)) {
    const { to, priority } = move!.operation
    finish(turn, 'failed', `${by} holds the service`)
    if (owner?.node !== to && priority !== null) {
      command(turn, to, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
    }
  }
  turn.state = { ...turn.state, confirming: null }
  remember(turn, { hold: { by, reason, since: memory.hold?.since ?? turn.now.wall } })
  audit(turn, {
    kind: 'held',
    node: owner?.node ?? null,
    text: `${by} holds it at ${owner?.node ?? 'nobody'}${because(reason)}`,
    detail: { by, reason },
  })
  return true
}

export function release(turn: Turn, { by, reason }: Asked): boolean {
  if (turn.state.memory.hold === null) return refuse(turn, 'not-held', `${turn.policy.service} is not held`)
  remember(turn, { hold: null })
  forgive(turn)
  audit(turn, {
    kind: 'released',
    node: turn.state.owner?.node ?? null,
    text: `${by} released it${because(reason)}`,
    detail: { by, reason },
  })
  return true
}

type Drain = Extract<ServiceEvent, { kind: 'drain' | 'undrain' }>

/** A node is to be emptied. Each service moves off it as soon as another node can take over. */
export function drain(turn: Turn, { node, id, by, reason }: Drain): boolean {
  const drained = { ...turn.state.drained, [node]: { by, reason } }
  turn.state = { ...turn.state, drained, drainAt: Number.NEGATIVE_INFINITY }
  if (turn.state.owner?.node === node) {
    forgive(turn)
    if (turn.state.memory.hold !== null) waits(turn, node, `it is held by ${turn.state.memory.hold.by}`)
    else if (beginDrain(turn, id)) turn.state = { ...turn.state, drainAt: turn.now.ms + drainAgainMs }
    else waits(turn, node, 'no other node can take over')
  }
  remindAnew(turn, node)
  return true
}

function waits(turn: Turn, node: string, why: string): void {
  const text = `it stays at ${node}, which is being emptied: ${why}`
  audit(turn, { kind: 'drain-waits', node, text, detail: { why } })
}

export function undrain(turn: Turn, { node }: Drain): boolean {
  const { [node]: known, ...drained } = turn.state.drained
  if (known === undefined) return false
  turn.state = { ...turn.state, drained }
  forgive(turn)
  const { move } = turn.state
  if (isMoving(turn.state) && move?.operation.kind === 'drain' && move.operation.from === node) {
    const { to, priority } = move.operation
    finish(turn, 'failed', `${node} is not being emptied any more`)
    if (priority !== null) command(turn, to, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
  }
  remindAnew(turn, node)
  return true
}

/** How long after its beginning a drain that has failed is tried again, in milliseconds. */
const drainAgainMs = movingMs + 5_000

/** An owner that is being emptied leaves as soon as somebody can take over. */
export function goOnDraining(turn: Turn): void {
  const { owner, move, memory, drainAt } = turn.state
  if (owner === null || memory.hold !== null || !isDrained(turn.state, owner.node)) return
  if (isMoving(turn.state) || (move !== null && move.operation.to !== owner.node) || turn.now.ms < drainAt) return
  if (beginDrain(turn, `op-${nextId(turn)}`)) turn.state = { ...turn.state, drainAt: turn.now.ms + drainAgainMs }
}

export function acknowledge(turn: Turn, { by, reason }: Asked): boolean {
  if (turn.state.memory.epochSeen <= turn.state.epoch) {
    return refuse(turn, 'nothing-to-acknowledge', `no epoch above ${turn.state.epoch} was found`)
  }
  audit(turn, {
    kind: 'acknowledged',
    node: turn.state.owner?.node ?? null,
    text: `${by} lets control go on above epoch ${turn.state.memory.epochSeen}${because(reason)}`,
    detail: { by, reason, epochSeen: turn.state.memory.epochSeen },
  })
  return adopt(turn)
}

function because(reason: string | null): string {
  return reason === null ? '' : `: ${reason}`
}
