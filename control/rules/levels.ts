/**
 * What nodes are told again and again until they say that they have heard it: who owns, to keep out, to go back to
 * their own priority. Each is judged on the node's own report, so that a lost command is only late.
 */
import { isFresh, type Member, ownerLook } from '../decision.ts'
import { isMoving } from './moves.ts'
import { changeMember, command, isDrained, nextId, sameElection, type Turn } from './turn.ts'

/** Before the same is said again, in milliseconds. */
const againMs = { lower: 5_000, yield: 2_000, owner: 2_000 } as const

/** Everything that this node should know and does not. */
export function remind(turn: Turn, node: string): void {
  lowerIfUnneeded(turn, node)
  yieldIfDrained(turn, node)
  const member = turn.state.members[node]
  const { owner } = turn.state
  if (member?.epochSeen == null || owner === null || member.epochSeen >= owner.epoch) return
  if (mayTell(turn, member, 'owner')) tell(turn, node, false)
}

/** What is wanted of the node has just changed: it hears so at once, however lately it was told the contrary. */
export function remindAnew(turn: Turn, node: string): void {
  const member = turn.state.members[node]
  if (member === undefined) return
  const { yield: _, ...told } = member.told
  changeMember(turn, node, { told })
  remind(turn, node)
}

/** An owner that was raised for a move may go back when the move has ended, or another keeps out: no news of its own. */
export function remindOwner(turn: Turn): void {
  const { owner } = turn.state
  if (owner !== null) lowerIfUnneeded(turn, owner.node)
}

/** Every node that remembers epochs hears who owns, as soon as that is durable. */
export function tellOwner(turn: Turn): void {
  for (const { node, link, epochSeen } of Object.values(turn.state.members)) {
    if (link !== 'closed' && epochSeen !== null) tell(turn, node, false)
  }
}

/** A node that is active and not the owner, while the owner says that it is active too. It may keep out from then on. */
export function tellContested(turn: Turn, node: string): void {
  if (turn.state.members[node]?.epochSeen == null) return
  tell(turn, node, true)
  turn.state = { ...turn.state, contested: { node, since: turn.now.ms } }
}

/**
 * How long a node that lost a split is left out before it may try again, in milliseconds. Only by trying can anybody
 * find out whether the LAN has healed.
 */
const contestMs = 60_000

/** Lets the loser of a split take part again: at once when the owner is not well, or after a while. */
export function liftContest(turn: Turn): void {
  const { contested, owner } = turn.state
  if (contested === null) return
  const well = ownerLook(turn.state, turn.now) === 'active' && owner?.node !== contested.node
  if (well && turn.now.ms < contestOver(contested)) return
  turn.state = { ...turn.state, contested: null }
  tell(turn, contested.node, false)
}

export function contestOver({ since }: { readonly since: number }): number {
  return since + contestMs
}

function tell(turn: Turn, node: string, contested: boolean): void {
  const { owner } = turn.state
  if (owner === null) return
  noteTold(turn, node, 'owner')
  const { service } = turn.policy
  command(turn, node, { kind: 'owner', id: nextId(turn), service, node: owner.node, epoch: owner.epoch, contested })
}

/**
 * A node that was raised for a switchover goes back to its own priority as soon as that costs nothing: the owner when
 * its own priority outranks everybody it stands for election with, any other node at once.
 */
function lowerIfUnneeded(turn: Turn, node: string): void {
  const { members, owner, move } = turn.state
  const member = members[node]
  if (member === undefined || member.priority <= member.basePriority) return
  if (isMoving(turn.state) && move?.operation.to === node) return
  if (owner?.node === node) {
    const outranks = Object.values(members).every(
      (other) =>
        other.node === node || !sameElection(other, member) || other.yielding || other.priority < member.basePriority,
    )
    if (!outranks) return
  } else if (member.state === 'active') return
  if (!mayTell(turn, member, 'lower')) return
  noteTold(turn, node, 'lower')
  command(turn, node, { kind: 'lower', id: nextId(turn), service: turn.policy.service })
}

/** A node that is emptied keeps out, but not before somebody else can answer in its place. */
function yieldIfDrained(turn: Turn, node: string): void {
  const member = turn.state.members[node]
  if (member === undefined) return
  const on = isDrained(turn.state, node)
  if (on === member.yielding || (on && !canYield(turn, member)) || !mayTell(turn, member, 'yield')) return
  noteTold(turn, node, 'yield')
  command(turn, node, { kind: 'yield', id: nextId(turn), service: turn.policy.service, on })
}

function canYield({ state, now }: Turn, member: Member): boolean {
  if (member.state !== 'active') return true
  if (state.owner?.node === member.node) return false
  if (member.solo) return true
  return Object.values(state.members).some(
    (other) =>
      other.node !== member.node &&
      sameElection(other, member) &&
      isFresh(other, now) &&
      !isDrained(state, other.node) &&
      (other.state === 'active' || other.state === 'backup'),
  )
}

function mayTell({ now }: Turn, member: Member, what: keyof typeof againMs): boolean {
  const at = member.told[what]
  return member.link !== 'closed' && (at === undefined || now.ms - at >= againMs[what])
}

function noteTold(turn: Turn, node: string, what: keyof typeof againMs): void {
  const told = { ...turn.state.members[node]!.told, [what]: turn.now.ms }
  changeMember(turn, node, { told })
}
