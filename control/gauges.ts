/**
 * What is so now, as gauges: computed from what control would answer to people, at the moment of a scrape.
 *
 * Series grow with services, members and bindings, and with nothing else: a state is a label only where its words are
 * few. Of a member and of a binding only the present state is a series, always with the value 1; the phase of a
 * service has one for each word, so that a graph of it has no holes.
 */
import type { Cluster } from './cluster.ts'
import { createGauge, type Described, type Gauge } from './exposition.ts'
import type { MoveReport } from './operation.ts'
import type { ClusterPorts } from './ports.ts'
import type { Phase, ServiceView } from './view.ts'

export type GaugesInput = {
  readonly cluster: Pick<Cluster, 'services' | 'nodes'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'aliveAt'>
  /** By service: how often its owner has changed, how often a binding was found elsewhere, and its last move. */
  readonly transitions: ReadonlyMap<string, number>
  readonly drifts: ReadonlyMap<string, number>
  readonly lastMoves: ReadonlyMap<string, MoveReport>
}

const phases: readonly Phase[] = ['settled', 'moving', 'degraded', 'held', 'suppressed', 'unowned']

/** Of a move, as in its report: from the last good word to the first sign, and from the first sign to each of the rest. */
export const moveStages = ['detect', 'decide', 'accepted', 'visible', 'seen'] as const

export function gaugesText(input: GaugesInput): string {
  const services = input.cluster.services()
  return servicesText(services, input) + partsText(services) + nodesText(input)
}

function servicesText(services: readonly ServiceView[], input: GaugesInput): string {
  const { transitions, drifts, lastMoves } = input
  const phase = gauge('service_phase', 'Whether the service is in this phase, 1 or 0.', ['service', 'phase'])
  const epoch = gauge('service_epoch', 'Epoch of the owner; grows by one with each change of owner.', ['service'])
  const owner = gauge('service_owner_info', 'Owner of the service; none, no series.', ['service', 'node', 'site'])
  const since = gauge('service_owner_since_timestamp_seconds', 'When the owner became it.', ['service'])
  const hold = gauge('service_hold_timestamp_seconds', 'When an operator froze it; not held, no series.', ['service'])
  const higher = gauge(
    'service_higher_epoch',
    'Epoch above ours that was found in a target, while nothing moves because of it.',
    ['service'],
  )
  const reachable = gauge(
    'service_reachable',
    'Whether the probe through the service’s own address succeeds; nobody probes, no series.',
    ['service'],
  )
  const move = gauge('service_last_move_seconds', 'How long the last move took to each stage.', ['service', 'stage'])
  const moved = createGauge(
    metric('transitions_total', 'Changes of owner since control started.', ['service']),
    'counter',
  )
  const drifted = createGauge(
    metric('drifts_total', 'Bindings found elsewhere after they had settled.', ['service']),
    'counter',
  )
  for (const view of services) {
    const { service } = view
    for (const word of phases) phase.set([service, word], view.phase === word ? 1 : 0)
    moved.set([service], transitions.get(service) ?? 0)
    drifted.set([service], drifts.get(service) ?? 0)
    epoch.set([service], view.owner?.epoch ?? 0)
    if (view.owner !== null) {
      owner.set([service, view.owner.node, view.owner.site], 1)
      since.set([service], Date.parse(view.owner.since) / 1_000)
    }
    if (view.hold !== null) hold.set([service], Date.parse(view.hold.since) / 1_000)
    if (view.higherEpoch !== null) higher.set([service], view.higherEpoch)
    if (view.reachable !== null) reachable.set([service], view.reachable ? 1 : 0)
    const report = lastMoves.get(service)
    if (report === undefined) continue
    for (const stage of moveStages) {
      const ms = report[`${stage}Ms`]
      if (ms !== null) move.set([service, stage], ms / 1_000)
    }
  }
  return [phase, epoch, owner, since, hold, higher, reachable, move, moved, drifted].map((each) => each.text()).join('')
}

function partsText(services: readonly ServiceView[]): string {
  const member = gauge('member_state', 'State of a virtual router; 1 for the present one.', [
    'service',
    'node',
    'site',
    'state',
  ])
  const healthy = gauge('member_healthy', 'Whether the node can serve the service, 1 or 0.', ['service', 'node'])
  const binding = gauge('binding_state', 'State of a binding; 1 for the present one.', [
    'service',
    'binding',
    'adapter',
    'state',
  ])
  const attempts = gauge('binding_attempts', 'Calls for the present epoch that did not succeed yet.', [
    'service',
    'binding',
    'adapter',
  ])
  const origin = gauge('origin_healthy', 'Whether the probes of a site’s origin succeed; not looked yet, no series.', [
    'service',
    'site',
  ])
  for (const { service, members, bindings, origins } of services) {
    for (const { node, site, state, healthy: well } of members) {
      member.set([service, node, site, state], 1)
      healthy.set([service, node], well ? 1 : 0)
    }
    for (const { name, adapter, state, attempts: made } of bindings) {
      binding.set([service, name, adapter, state], 1)
      attempts.set([service, name, adapter], made)
    }
    for (const [site, word] of Object.entries(origins)) {
      if (word !== 'unknown') origin.set([service, site], word === 'healthy' ? 1 : 0)
    }
  }
  return [member, healthy, binding, attempts, origin].map((each) => each.text()).join('')
}

function nodesText({ cluster, ports }: GaugesInput): string {
  const labels = ['node', 'site']
  const connected = gauge('node_connected', 'Whether the node has an open link, 1 or 0.', labels)
  const fresh = gauge('node_fresh', 'Whether the node was heard within the lease, 1 or 0.', labels)
  const drained = gauge('node_drained', 'Whether an operator has emptied the node, 1 or 0.', labels)
  const age = gauge('node_report_age_seconds', 'Time since the node last said, or confirmed, its state.', labels)
  const links = gauge('links_open', 'Open links of nodes.', [])
  const now = ports.clock.now()
  const wall = ports.clock.wall().getTime()
  let open = 0
  for (const view of cluster.nodes()) {
    const of = [view.node, view.site]
    const aliveAt = ports.aliveAt(view.node)
    // A link on which nothing changes carries pings, which repeat the last report.
    const ageMs = Math.min(wall - Date.parse(view.lastReport), aliveAt === null ? Infinity : now - aliveAt)
    connected.set(of, view.connected ? 1 : 0)
    fresh.set(of, view.fresh ? 1 : 0)
    drained.set(of, view.drain === null ? 0 : 1)
    age.set(of, Math.max(0, ageMs) / 1_000)
    if (view.connected) open += 1
  }
  links.set([], open)
  return [connected, fresh, drained, age, links].map((each) => each.text()).join('')
}

function gauge(name: string, help: string, labels: readonly string[]): Gauge {
  return createGauge(metric(name, help, labels))
}

function metric(name: string, help: string, labels: readonly string[]): Described {
  return { name: `holdfast_${name}`, help, labels }
}
