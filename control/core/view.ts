/** What people and probes are shown of services and nodes: the JSON of the design's section 6. */

import { type BindingWord, type DriftPolicy, placeOf } from '../binding.ts'
import type { ServiceReport } from '../contract.ts'
import type { Decision, Hold, Moment } from '../decision.ts'
import { isFenced } from '../rules/fencing.ts'
import type { DrainRecord, NodeRecord } from '../store/store.ts'
import type { KnownNode, Nodes } from './nodes.ts'
import type { Preflight } from './preflights.ts'
import type { Unit } from './unit.ts'

/** `held` and `suppressed` say why nothing moves; they come before what the bindings are doing. */
export type Phase = 'settled' | 'moving' | 'degraded' | 'held' | 'suppressed' | 'unowned'

export type ServiceView = {
  readonly service: string
  readonly phase: Phase
  readonly owner: Decision['owner']
  readonly members: readonly MemberView[]
  readonly bindings: readonly BindingView[]
  /** Sites in the order of preference; empty when all are equal. */
  readonly sites: readonly string[]
  /** What the probes say of each site's origin; only sites that are probed. */
  readonly origins: Readonly<Record<string, 'healthy' | 'unhealthy' | 'unknown'>>
  /** Whether the probe through the service's own address succeeds. Null: nobody looks, or has looked yet. */
  readonly reachable: boolean | null
  readonly hold: Hold | null
  /** Until when it is suppressed, if it is, by control's wall clock. */
  readonly suppressedUntil: string | null
  /** Another node of the owner's LAN is active as well, and the owner says that it is. */
  readonly dualActive: boolean
  /** A higher epoch that was found, while nothing moves because of it. Null: none. */
  readonly higherEpoch: number | null
  /** The id of the operation under way. */
  readonly operation: string | null
}

export type MemberView = {
  readonly node: string
  readonly site: string
  readonly state: ServiceReport['state']
  readonly priority: number
  readonly healthy: boolean
  readonly fault: string | null
  readonly solo: boolean
  readonly drained: boolean
  readonly connected: boolean
  /** When it was last heard: a report, or a sign of life that says that the last one still holds. */
  readonly lastReport: string | null
}

export type BindingView = {
  readonly name: string
  readonly adapter: string
  /** What is done about a change that somebody else made. */
  readonly drift: DriftPolicy
  /** Bindings that come first, while it waits for them. */
  readonly waitsFor: readonly string[]
  readonly state: BindingWord
  readonly node: string | null
  readonly epoch: number | null
  readonly observed: string | null
  readonly attempts: number
  readonly lastError: string | null
  /** What was found when its next move was last tried without making it. Null: not tried yet. */
  readonly preflight: Preflight | null
}

export type NodeView = {
  readonly node: string
  readonly site: string
  readonly connected: boolean
  /** Heard within the lease, since control started. */
  readonly fresh: boolean
  readonly incarnation: string
  readonly lastReport: string
  readonly drain: Hold | null
  readonly services: NodeRecord['services']
}

type Known = { readonly nodes: Nodes; readonly drains: ReadonlyMap<string, DrainRecord>; readonly now: Moment }

export function viewService(unit: Unit, { nodes, drains, now }: Known): ServiceView {
  const decision = unit.decision()
  const { owner, members, memory, move, reachable, origins, suppressedUntil, dualActive } = decision
  const { sites, origins: configured } = unit.config()
  const bindings = unit.bindings().map(({ name, adapter, drift, after, binding, preflight }) => ({
    name,
    adapter,
    drift,
    waitsFor: binding.waits ? after : [],
    state: binding.state,
    node: binding.wanted?.node ?? null,
    epoch: binding.wanted?.epoch ?? null,
    observed: placeOf(binding),
    attempts: binding.attempts,
    lastError: binding.lastError,
    preflight,
  }))
  const probed = Object.entries(configured).filter(([, { probe }]) => probe !== null)
  const word = (healthy: boolean | undefined) => (healthy === undefined ? 'unknown' : healthy ? 'healthy' : 'unhealthy')
  return {
    service: unit.service,
    phase: phaseOf(decision, bindings),
    owner,
    members: Object.values(members)
      .toSorted((a, b) => (a.node < b.node ? -1 : 1))
      .map(({ node, site, state, priority, healthy, fault, solo }) => ({
        node,
        site,
        state,
        priority,
        healthy,
        fault,
        solo,
        drained: drains.has(node),
        connected: nodes.isLinked(node),
        lastReport: lastHeard(nodes.get(node), nodes, now),
      })),
    bindings,
    sites,
    origins: Object.fromEntries(probed.map(([site]) => [site, word(origins[site])])),
    reachable,
    hold: memory.hold,
    suppressedUntil: suppressedUntil === null ? null : wallAt(now, suppressedUntil),
    dualActive,
    higherEpoch: isFenced({ state: decision }) ? memory.epochSeen : null,
    operation: move?.operation.id ?? null,
  }
}

function wallAt(now: Moment, ms: number): string {
  return new Date(Date.parse(now.wall) + Math.round(ms - now.ms)).toISOString()
}

function phaseOf(decision: Decision, bindings: readonly BindingView[]): Phase {
  const { owner, move, memory, suppressedUntil } = decision
  if (memory.hold !== null) return 'held'
  if (owner === null) return 'unowned'
  if (suppressedUntil !== null) return 'suppressed'
  if (isFenced({ state: decision }) || bindings.some(({ state }) => troubled.has(state))) return 'degraded'
  if (move?.stage === 'moving' || bindings.some(({ state }) => state !== 'settled')) return 'moving'
  return 'settled'
}

const troubled: ReadonlySet<BindingWord> = new Set<BindingWord>(['retrying', 'failed', 'drifted'])

export function viewNode(
  known: KnownNode,
  { nodes, drains, now, freshFrom }: Known & { readonly freshFrom: number },
): NodeView {
  const { record, heardAt } = known
  const { node, site, incarnation, services } = record
  const fresh = heardAt !== null && Math.max(heardAt, nodes.aliveAt(node) ?? heardAt) >= freshFrom
  const drained = drains.get(node)
  const drain = drained === undefined ? null : { by: drained.by, reason: drained.reason, since: drained.since }
  const lastReport = lastHeard(known, nodes, now)
  return { node, site, connected: nodes.isLinked(node), fresh, incarnation, lastReport, drain, services }
}

/** A ping over a node's link says that what it reported last still holds. */
function lastHeard(known: KnownNode, nodes: Nodes, now: Moment): string
function lastHeard(known: KnownNode | undefined, nodes: Nodes, now: Moment): string | null
function lastHeard(known: KnownNode | undefined, nodes: Nodes, now: Moment): string | null {
  if (known === undefined) return null
  const { record, heardAt } = known
  const at = Math.max(heardAt ?? Number.NEGATIVE_INFINITY, nodes.aliveAt(record.node) ?? Number.NEGATIVE_INFINITY)
  return Number.isFinite(at) ? wallAt(now, at) : record.lastReport
}
