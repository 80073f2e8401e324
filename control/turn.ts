/** One event of one service being worked through, and the few ways in which what is to be done is noted down. */
import type { Command } from './contract.ts'
import type { AuditEvent, Decision, Effect, Moment, Operation, ServicePolicy } from './decision.ts'

/** `state` and `effects` grow, and nothing outside sees them before the end. */
export type Turn = {
  readonly policy: ServicePolicy
  readonly now: Moment
  state: Decision
  readonly effects: Effect[]
}

export function nextId(turn: Turn): string {
  const commands = turn.state.commands + 1
  turn.state = { ...turn.state, commands }
  return `${turn.state.run}-${commands}`
}

export function command(turn: Turn, node: string, command: Command): void {
  turn.effects.push({ kind: 'command', node, command })
}

export function audit(turn: Turn, event: Pick<AuditEvent, 'kind' | 'node' | 'text' | 'detail'>): void {
  const epoch = turn.state.owner?.epoch ?? null
  const { service } = turn.policy
  turn.effects.push({ kind: 'event', event: { at: turn.now.wall, service, epoch, ...event } })
}

/** Notes a step of the operation under way, once. */
export function step(turn: Turn, name: Operation['steps'][number]['name']): void {
  const { switchover } = turn.state
  if (switchover === null || switchover.operation.steps.some((taken) => taken.name === name)) return
  const operation = { ...switchover.operation, steps: [...switchover.operation.steps, { name, at: turn.now.wall }] }
  turn.state = { ...turn.state, switchover: { ...switchover, operation } }
  turn.effects.push({ kind: 'operation', operation })
}

export function finish(turn: Turn, status: 'done' | 'failed', failure: string | null): void {
  const { switchover } = turn.state
  if (switchover === null) return
  if (status === 'failed') step(turn, 'failed')
  const operation: Operation = { ...turn.state.switchover!.operation, status, failure }
  turn.state = { ...turn.state, switchover: null }
  turn.effects.push({ kind: 'operation', operation })
  audit(turn, {
    kind: `switchover-${status}`,
    node: operation.to,
    text: failure ?? `${operation.to} took over${operation.from === null ? '' : ` from ${operation.from}`}`,
    detail: { operation: operation.id, by: operation.by },
  })
}
