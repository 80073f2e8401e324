/**
 * What is so now, as gauges: computed from what control would answer to people, at the moment of a scrape.
 *
 * Series grow with services, members and bindings, and with nothing else: a state is a label only where its words are
 * few. Of a member and of a binding only the present state is a series, always with the value 1; the phase of a
 * service has one for each word, so that a graph of it has no holes.
 */
import type { Cluster } from '../core/cluster.ts'
import type { ClusterPorts } from '../core/ports.ts'
import type { NodeView, Phase, ServiceView } from '../core/view.ts'
import type { MoveReport } from '../operation.ts'
import { type Family, familyText } from './exposition.ts'

export type GaugesInput = {
  readonly cluster: Pick<Cluster, 'services' | 'nodes'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'aliveAt'>
  readonly counts: Counts
}

/** By service: how often its owner has changed, how often a binding was found elsewhere, and its last move. */
export type Counts = {
  readonly transitions: ReadonlyMap<string, number>
  readonly drifts: ReadonlyMap<string, number>
  readonly lastMoves: ReadonlyMap<string, MoveReport>
}

const phases: readonly Phase[] = ['settled', 'moving', 'degraded', 'held', 'suppressed', 'unowned']

/** Of a move, as in its report: from the last good word to the first sign, and from the first sign to each of the rest. */
export const moveStages = ['detect', 'decide', 'accepted', 'visible', 'seen'] as const

/** How long a scrape keeps everything else waiting, in milliseconds, before it lets it go on. */
const sliceMs = 5

export async function gaugesText({ cluster, ports, counts }: GaugesInput): Promise<string> {
  const { clock, timer } = ports
  let began = clock.now()
  const pause = (): Promise<void> | undefined => {
    if (clock.now() - began < sliceMs) return undefined
    return new Promise((resolve) => {
      timer.at(clock.now(), () => {
        began = clock.now()
        resolve()
      })
    })
  }
  const services = cluster.services()
  const nodes = cluster.nodes()
  let text = ''
  for (const family of [...serviceFamilies, ...partFamilies, ...countFamilies(counts)]) {
    text += await familyText(family, services, pause)
  }
  for (const family of nodeFamilies(ports)) text += await familyText(family, nodes, pause)
  return text + (await familyText(linksFamily, [nodes], pause))
}

/** One number for each service; null: no series. */
function perService(name: string, help: string, value: (view: ServiceView) => number | null): Family<ServiceView> {
  return {
    ...{ name, help, labels: ['service'] },
    series: (view, set) => {
      const number = value(view)
      if (number !== null) set([view.service], number)
    },
  }
}

/** One number for each node. */
function perNode(name: string, help: string, value: (view: NodeView) => number): Family<NodeView> {
  return { name, help, labels: ['node', 'site'], series: (view, set) => set([view.node, view.site], value(view)) }
}

const serviceFamilies: readonly Family<ServiceView>[] = [
  {
    name: 'holdfast_service_phase',
    help: 'Whether the service is in this phase, 1 or 0.',
    labels: ['service', 'phase'],
    series: ({ service, phase }, set) => {
      for (const word of phases) set([service, word], phase === word ? 1 : 0)
    },
  },
  perService(
    'holdfast_service_epoch',
    'Epoch of the owner; grows by one with each change of owner. Never owned: 0.',
    ({ owner }) => owner?.epoch ?? 0,
  ),
  {
    name: 'holdfast_service_owner_info',
    help: 'Owner of the service, as labels. Unowned: no series.',
    labels: ['service', 'node', 'site'],
    series: ({ service, owner }, set) => {
      if (owner !== null) set([service, owner.node, owner.site], 1)
    },
  },
  perService(
    'holdfast_service_owner_since_timestamp_seconds',
    'When the owner became it. Unowned: no series.',
    ({ owner }) => (owner === null ? null : Date.parse(owner.since) / 1_000),
  ),
  perService(
    'holdfast_service_hold_timestamp_seconds',
    'When an operator froze the service. Not held: no series.',
    ({ hold }) => (hold === null ? null : Date.parse(hold.since) / 1_000),
  ),
  perService(
    'holdfast_service_higher_epoch',
    'Epoch above ours that was found in a target, while nothing moves because of it. None: no series.',
    ({ higherEpoch }) => higherEpoch,
  ),
  perService(
    'holdfast_service_reachable',
    'Whether the probe through the address of the service succeeds, 1 or 0. Nobody looks: no series.',
    ({ reachable }) => (reachable === null ? null : reachable ? 1 : 0),
  ),
  {
    name: 'holdfast_origin_healthy',
    help: 'Whether the probes of the origin of a site succeed, 1 or 0. Not looked yet: no series.',
    labels: ['service', 'site'],
    series: ({ service, origins }, set) => {
      for (const [site, word] of Object.entries(origins)) {
        if (word !== 'unknown') set([service, site], word === 'healthy' ? 1 : 0)
      }
    },
  },
]

const partFamilies: readonly Family<ServiceView>[] = [
  {
    name: 'holdfast_member_state',
    help: 'State of a virtual router, as a label: 1 for the present one.',
    labels: ['service', 'node', 'site', 'state'],
    series: ({ service, members }, set) => {
      for (const { node, site, state } of members) set([service, node, site, state], 1)
    },
  },
  {
    name: 'holdfast_member_healthy',
    help: 'Whether the node can serve the service, 1 or 0.',
    labels: ['service', 'node'],
    series: ({ service, members }, set) => {
      for (const { node, healthy } of members) set([service, node], healthy ? 1 : 0)
    },
  },
  {
    name: 'holdfast_binding_preflight_failures',
    help: 'How much of what the next move of the binding needs would fail, by the last trial. Not tried yet: no series.',
    labels: ['service', 'binding'],
    series: ({ service, bindings }, set) => {
      for (const { name, preflight } of bindings) if (preflight !== null) set([service, name], preflight.failed.length)
    },
  },
  {
    name: 'holdfast_binding_state',
    help: 'State of a binding, as a label: 1 for the present one.',
    labels: ['service', 'binding', 'adapter', 'state'],
    series: ({ service, bindings }, set) => {
      for (const { name, adapter, state } of bindings) set([service, name, adapter, state], 1)
    },
  },
  {
    name: 'holdfast_binding_attempts',
    help: 'Writes made for the present epoch.',
    labels: ['service', 'binding', 'adapter'],
    series: ({ service, bindings }, set) => {
      for (const { name, adapter, attempts } of bindings) set([service, name, adapter], attempts)
    },
  },
]

function countFamilies({ transitions, drifts, lastMoves }: Counts): readonly Family<ServiceView>[] {
  return [
    {
      name: 'holdfast_transitions_total',
      help: 'Changes of owner since control started.',
      labels: ['service'],
      type: 'counter',
      series: ({ service }, set) => set([service], transitions.get(service) ?? 0),
    },
    {
      name: 'holdfast_drifts_total',
      help: 'How often a binding that had settled was found elsewhere.',
      labels: ['service'],
      type: 'counter',
      series: ({ service }, set) => set([service], drifts.get(service) ?? 0),
    },
    {
      name: 'holdfast_service_last_move_seconds',
      help: 'How long each stage of the last move took. No move since control started: no series.',
      labels: ['service', 'stage'],
      series: ({ service }, set) => {
        const report = lastMoves.get(service)
        if (report === undefined) return
        for (const stage of moveStages) {
          const ms = report[`${stage}Ms`]
          if (ms !== null) set([service, stage], ms / 1_000)
        }
      },
    },
  ]
}

function nodeFamilies({ clock, aliveAt }: Pick<ClusterPorts, 'clock' | 'aliveAt'>): readonly Family<NodeView>[] {
  const now = clock.now()
  const wall = clock.wall().getTime()
  /** A link on which nothing changes carries pings, which repeat the last report. */
  const ageMs = ({ node, lastReport }: NodeView): number => {
    const aliveMs = now - (aliveAt(node) ?? Number.NEGATIVE_INFINITY)
    return Math.max(0, Math.min(wall - Date.parse(lastReport), aliveMs))
  }
  return [
    perNode('holdfast_node_connected', 'Whether the node has an open link, 1 or 0.', ({ connected }) =>
      connected ? 1 : 0,
    ),
    perNode('holdfast_node_fresh', 'Whether the node was heard within the lease, 1 or 0.', ({ fresh }) =>
      fresh ? 1 : 0,
    ),
    perNode('holdfast_node_drained', 'Whether an operator has emptied the node, 1 or 0.', ({ drain }) =>
      drain === null ? 0 : 1,
    ),
    perNode(
      'holdfast_node_report_age_seconds',
      'Time since the node last said, or confirmed, its state.',
      (node) => ageMs(node) / 1_000,
    ),
  ]
}

const linksFamily: Family<readonly NodeView[]> = {
  name: 'holdfast_links_open',
  help: 'Open links of nodes.',
  series: (nodes, set) => set([], nodes.filter(({ connected }) => connected).length),
}
