/** At rest: the owner is the active node, the outside resource points at it, and control knows that it does. */
import type { World } from '../simulation.ts'

export function cloudFollows({ nodes, control, resource }: World): string[] {
  const active = nodes.find((node) => node.engine()?.services().web?.state === 'active')?.name
  const view = control.cluster()?.service('web')
  const wrong: string[] = []
  if (view?.owner?.node !== active) wrong.push(`${active} is active, the owner is ${view?.owner?.node}`)
  if (resource.state().node !== active)
    wrong.push(`${active} is active, the resource points at ${resource.state().node}`)
  if (view?.phase !== 'settled') wrong.push(`the phase is ${view?.phase}: ${JSON.stringify(view?.bindings)}`)
  return wrong
}
