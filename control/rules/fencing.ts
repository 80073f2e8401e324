/**
 * Rule 7: an epoch that this control never minted, in a target or told to a node, means a second control or a restored
 * copy of the database. Nothing moves and nothing is written until an operator has looked (`acknowledge`); with
 * `higherEpoch: adopt` control goes on above it by itself, once in a run, so that two controls cannot chase each other.
 */
import { own } from './owning.ts'
import { audit, remember, type Turn } from './turn.ts'

/** Whether somebody else knows better, so that nothing may be decided here. */
export function isFenced({ state }: Pick<Turn, 'state'>): boolean {
  return state.memory.epochSeen > state.epoch
}

/** `where`: whoever carries it, for people. True when it is news. */
export function noteEpoch(turn: Turn, epochSeen: number, where: string): boolean {
  const { memory, epoch, owner } = turn.state
  if (epochSeen <= epoch || epochSeen <= memory.epochSeen) return false
  remember(turn, { epochSeen })
  const mayAdopt = turn.policy.higherEpoch === 'adopt' && !turn.state.adopted
  audit(turn, {
    kind: 'higher-epoch',
    node: owner?.node ?? null,
    text: `${where} carries the epoch ${epochSeen}, and this control has minted ${epoch}: there is a second control, or the \
database is an old copy; ${mayAdopt ? 'it goes on above it' : `nothing moves until: holdfast acknowledge ${turn.policy.service}`}`,
    detail: { epochSeen, epoch, where },
  })
  if (mayAdopt) adopt(turn)
  return true
}

/** Goes on above the highest epoch that was found, with the same owner. */
export function adopt(turn: Turn): boolean {
  const { owner, members, memory } = turn.state
  turn.state = { ...turn.state, adopted: true }
  if (owner === null) {
    // The next owner's epoch is minted above it.
    turn.state = { ...turn.state, epoch: memory.epochSeen }
    return true
  }
  const member = members[owner.node] ?? { node: owner.node, site: owner.site, priority: 0 }
  own(turn, { member, reason: 'adopted', alternative: 'nothing would be written, so as not to fight a second control' })
  return true
}
