/** A decision under another configuration: who and what is not named any more is forgotten. */
import type { ServiceConfig } from '../config/service-config.ts'
import type { Decision } from '../decision.ts'

export function redeclared(decision: Decision, { nodes, origins, probe }: ServiceConfig): Decision {
  const named = Object.entries(decision.members).filter(([node]) => nodes === null || nodes.includes(node))
  const probed = Object.entries(decision.origins).filter(([site]) => origins[site]?.probe != null)
  const { owner } = decision
  // An owner that may not take part any more will not come back: its silence is an answer.
  const isOut = owner !== null && nodes !== null && !nodes.includes(owner.node)
  return {
    ...decision,
    members: Object.fromEntries(named),
    origins: Object.fromEntries(probed),
    reachable: probe === null ? null : decision.reachable,
    believeFrom: isOut ? Number.NEGATIVE_INFINITY : decision.believeFrom,
  }
}
