/** One event of one service being worked through, and the few ways in which what is to be done is noted down. */
import type { Command } from '../contract.ts'
import {
  type AuditEvent,
  type Decision,
  type Effect,
  isFresh,
  type Member,
  type Memory,
  type Moment,
  type RefusalCode,
  type ServicePolicy,
} from '../decision.ts'

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

/** Changes what outlives control; nothing when it is so already. */
export function remember(turn: Turn, changes: Partial<Memory>): void {
  const before = turn.state.memory
  const memory = { ...before, ...changes }
  if (Object.entries(changes).every(([key, value]) => before[key as keyof Memory] === value)) return
  turn.state = { ...turn.state, memory }
  turn.effects.push({ kind: 'remember', memory })
}

/** The event is not taken, and changes nothing: always false. */
export function refuse(turn: Turn, code: RefusalCode, detail: string): false {
  turn.effects.push({ kind: 'refused', why: { code, detail } })
  return false
}

export function changeMember(turn: Turn, node: string, changes: Partial<Member>): void {
  const member = turn.state.members[node]
  if (member === undefined) return
  turn.state = { ...turn.state, members: { ...turn.state.members, [node]: { ...member, ...changes } } }
}

export function isActive(member: Member, now: Moment): boolean {
  return member.state === 'active' && isFresh(member, now)
}

/** Whether the node is to be kept off the service. */
export function isDrained({ drained }: Decision, node: string): boolean {
  return Object.hasOwn(drained, node)
}

/** Whether both stand for election on one LAN, so that only one of them can be active for long. */
export function sameElection(a: Member, b: Member): boolean {
  return a.node === b.node || (a.site === b.site && !a.solo && !b.solo)
}

/** The first is the strongest: the higher priority, then the first name. */
export function byStrength(a: Member, b: Member): number {
  return b.priority - a.priority || (a.node < b.node ? -1 : 1)
}
