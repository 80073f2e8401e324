/** Always: epochs only grow, and a write leaves only for the epoch that is durable at that moment. */
import type { World } from '../simulation.ts'

export function epochsGrow({ control: { epochs, writes } }: World): string[] {
  const shrunk = epochs.some((epoch, i) => i > 0 && epoch <= epochs[i - 1]!)
  const stale = writes.filter(({ move, durableEpoch }) => move.epoch !== durableEpoch)
  return [
    ...(shrunk ? [`epochs became durable in the order ${epochs.join(', ')}`] : []),
    ...stale.map(({ move, durableEpoch }) => `a write for epoch ${move.epoch} left while ${durableEpoch} was durable`),
  ]
}
