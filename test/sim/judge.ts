/** All invariants of a run that has come to rest; what does not hold, a sentence each. */
import { cloudFollows } from './invariants/cloud-follows.ts'
import { epochsGrow } from './invariants/epochs-grow.ts'
import { holdWins } from './invariants/hold-wins.ts'
import { noWrongRest } from './invariants/no-wrong-rest.ts'
import { oneActive } from './invariants/one-active.ts'
import type { World } from './simulation.ts'

export function judge(world: World): string[] {
  return [oneActive, cloudFollows, epochsGrow, noWrongRest, holdWins].flatMap((invariant) => invariant(world))
}
