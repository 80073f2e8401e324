/**
 * At rest: a self-promotion that did not last has left nothing behind. Whoever was active for a moment and is not any
 * more is neither the owner nor where the cloud points (keepalived issues 100, 950, 2231).
 */
import type { Transition, World } from '../simulation.ts'
import { second } from '../time.ts'

const brief = 10 * second

export function noWrongRest({ nodes, control, resource, transitions }: World): string[] {
  const promoted = transitions.filter((transition, i) => transition.to === 'active' && leftSoon(transitions, i))
  const gone = new Set(promoted.map(({ node }) => node))
  for (const node of nodes) if (node.engine()?.services().web?.state === 'active') gone.delete(node.name)
  const owner = control.cluster()?.service('web')?.owner?.node
  return [...gone].flatMap((node) => [
    ...(owner === node ? [`${node} was active only for a moment, and is the owner`] : []),
    ...(resource.state().node === node ? [`${node} was active only for a moment, and the cloud points at it`] : []),
  ])
}

function leftSoon(transitions: readonly Transition[], index: number): boolean {
  const { at, node } = transitions[index]!
  const next = transitions.slice(index + 1).find((later) => later.node === node)
  return next !== undefined && next.at - at < brief
}
