/**
 * Rule 5: moves that nobody asked for are bounded. One more than `flap.moves` within `flap.per` suppresses them all,
 * for `flap.holdDown` at first and twice as long each time it happens again. An operator's own move is always possible,
 * and ends it.
 */
import { holdDownOf, type Member, type OwnReason } from '../decision.ts'
import { isAsked } from './owning.ts'
import { audit, remember, type Turn } from './turn.ts'

/** Whether the owner may change now for this reason; says so when it may not for the first time. */
export function mayMove(turn: Turn, member: Pick<Member, 'node'>, reason: OwnReason): boolean {
  if (isAsked(reason)) return true
  if (turn.state.suppressedUntil !== null) return false
  const { flap } = turn.policy
  if (turn.state.moves.length < flap.moves) return true
  const inARow = turn.now.ms - turn.state.resumedAt <= flap.perMs ? turn.state.memory.suppressions : 0
  const suppressions = inARow + 1
  const forMs = holdDownOf(flap, suppressions)
  turn.state = { ...turn.state, suppressedUntil: turn.now.ms + forMs }
  remember(turn, { suppressed: true, suppressions })
  const { owner } = turn.state
  audit(turn, {
    kind: 'suppressed',
    node: owner?.node ?? null,
    text: `moved ${flap.moves} times within ${flap.perMs / 1_000} s: it stays at ${owner?.node} for ${forMs / 1_000} s; \
holdfast switchover moves it before that`,
    detail: { moves: flap.moves, perMs: flap.perMs, forMs, alternative: `${member.node} would own now (${reason})` },
  })
  return false
}

/** Forgets what is too long ago, and ends a suppression whose time is up. */
export function passTime(turn: Turn): void {
  const { moves, suppressedUntil } = turn.state
  const recent = moves.filter((at) => turn.now.ms - at < turn.policy.flap.perMs)
  if (recent.length < moves.length) turn.state = { ...turn.state, moves: recent }
  if (suppressedUntil !== null && turn.now.ms >= suppressedUntil) {
    end(turn)
    audit(turn, {
      kind: 'suppression-ended',
      node: turn.state.owner?.node ?? null,
      text: 'moves by itself again',
      detail: {},
    })
  }
}

/** An operator has taken it in hand. */
export function forgive(turn: Turn): void {
  if (turn.state.moves.length === 0 && turn.state.suppressedUntil === null) return
  end(turn)
  remember(turn, { suppressions: 0 })
}

function end(turn: Turn): void {
  turn.state = { ...turn.state, moves: [], suppressedUntil: null, resumedAt: turn.now.ms }
  remember(turn, { moves: 0, suppressed: false })
}
