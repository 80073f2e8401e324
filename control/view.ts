/** What people and probes are shown of services and nodes: the JSON of the design's section 6. */
import type { ServiceReport } from './contract.ts'
import type { Decision } from './decision.ts'
import type { BindingWord } from './reconcile.ts'
import type { NodeRecord } from './store/store.ts'
import type { Unit } from './unit.ts'

export type Phase = 'settled' | 'moving' | 'degraded' | 'unowned'

export type ServiceView = {
  readonly service: string
  readonly phase: Phase
  readonly owner: Decision['owner']
  readonly members: readonly {
    readonly node: string
    readonly site: string
    readonly state: ServiceReport['state']
    readonly priority: number
    readonly healthy: boolean
    readonly connected: boolean
    readonly lastReport: string | null
  }[]
  readonly bindings: readonly {
    readonly name: string
    readonly adapter: string
    readonly state: BindingWord
    readonly node: string | null
    readonly epoch: number | null
    readonly observed: string | null
    readonly attempts: number
    readonly lastError: string | null
  }[]
}

export type NodeView = {
  readonly node: string
  readonly site: string
  readonly connected: boolean
  /** Heard within the lease, since control started. */
  readonly fresh: boolean
  readonly incarnation: string
  readonly lastReport: string
  readonly services: NodeRecord['services']
}

/** A node as the cluster knows it. */
export type KnownNode = { readonly record: NodeRecord; readonly heardAt: number | null }

export type Known = { readonly nodes: ReadonlyMap<string, KnownNode>; readonly links: ReadonlySet<string> }

export function viewService(unit: Unit, { nodes, links }: Known): ServiceView {
  const { owner, members } = unit.decision()
  const bindings = unit.bindings().map(({ name, adapter, binding }) => ({
    name,
    adapter,
    state: binding.state,
    node: binding.wanted?.node ?? null,
    epoch: binding.wanted?.epoch ?? null,
    observed: binding.seen?.where ?? null,
    attempts: binding.attempts,
    lastError: binding.lastError,
  }))
  return {
    service: unit.service,
    phase: phaseOf(unit.decision(), bindings),
    owner,
    members: Object.values(members)
      .toSorted((a, b) => (a.node < b.node ? -1 : 1))
      .map(({ node, site, state, priority, healthy }) => ({
        node,
        site,
        state,
        priority,
        healthy,
        connected: links.has(node),
        lastReport: nodes.get(node)?.record.lastReport ?? null,
      })),
    bindings,
  }
}

function phaseOf({ owner, switchover }: Decision, bindings: ServiceView['bindings']): Phase {
  if (owner === null) return 'unowned'
  if (bindings.some(({ state }) => troubled.has(state))) return 'degraded'
  if (switchover?.stage === 'moving' || bindings.some(({ state }) => state !== 'settled')) return 'moving'
  return 'settled'
}

const troubled: ReadonlySet<BindingWord> = new Set<BindingWord>(['retrying', 'failed', 'drifted'])

export function viewNode(
  { record, heardAt }: KnownNode,
  { links, freshFrom }: { readonly links: ReadonlySet<string>; readonly freshFrom: number },
): NodeView {
  const { node, site, incarnation, lastReport, services } = record
  const fresh = heardAt !== null && heardAt >= freshFrom
  return { node, site, connected: links.has(node), fresh, incarnation, lastReport, services }
}
