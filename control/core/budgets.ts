/**
 * What looks at rest may use of each provider's budget: half of it, evenly, so that a move always finds the rest.
 *
 * A look takes its turn when it asks, and is told how long to wait for it. Calls of moves never wait; they put off the
 * looks after them, so that both together stay within the budget.
 */
import type { Budget } from '../../adapters/adapter.ts'
import type { Clock } from './ports.ts'

export type Budgets = {
  /** Milliseconds until this look's turn; it is counted now, and must not ask again. */
  look(budget: Budget): number
  /** A move has made a call. */
  spend(budget: Budget): void
}

/** How much of a budget looks at rest may use; with what a move needs, there is room for other users of the account. */
const share = 0.5

export function createBudgets(clock: Pick<Clock, 'now'>): Budgets {
  /** By account: how many calls looks may make now, below 0 when turns are given out ahead. */
  const accounts = new Map<string, { level: number; at: number }>()
  const take = ({ account, calls, perMs, perLook = 1 }: Budget): number => {
    const perMillisecond = (calls * share) / perMs
    const now = clock.now()
    const known = accounts.get(account) ?? { level: calls * share, at: now }
    const level = Math.min(calls * share, known.level + (now - known.at) * perMillisecond) - perLook
    accounts.set(account, { level, at: now })
    return level >= 0 ? 0 : Math.ceil(-level / perMillisecond)
  }
  return { look: take, spend: (budget) => void take(budget) }
}
