/**
 * Control's metrics, in Prometheus' text format and by its conventions: `holdfast_`, base units, `_total`.
 *
 *   ports.measure ──▶ counters and histograms ──┐
 *   cluster.services(), nodes() ──▶ gauges.ts ──┴──▶ GET /metrics
 *
 * Histograms have labels of a few words only. Names of services, nodes and bindings are labels of gauges and of
 * counters, so that the number of series grows with what is configured and never with time.
 */
import type { Cluster } from '../core/cluster.ts'
import type { ClusterPorts, Measure } from '../core/ports.ts'
import type { Operation } from '../operation.ts'
import { createCounter, createHistogram, expositionType, type Family, familyText, gaugeText } from './exposition.ts'
import { gaugesText, moveStages } from './gauges.ts'

export type Metrics = {
  measure(measure: Measure): void
  /** A request was answered; for `createApp`. */
  answered(answer: { readonly method: string; readonly route: string; readonly status: number }): void
  /** A timer fired so much later than it was due. */
  late(lagMs: number): void
  /** Lets everything else go on meanwhile. */
  render(cluster: Pick<Cluster, 'services' | 'nodes'>): Promise<string>
  readonly contentType: string
}

export type MetricsInput = {
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'aliveAt'>
  readonly version: string
  /** Why nothing can be stored now; null when it can. */
  readonly storeTrouble?: () => unknown
  /** What the runtime knows of itself, in Prometheus' text format. Default: nothing. */
  readonly processText?: () => string
}

/** In seconds. */
const decideBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
const callBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const moveBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const lagBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Outcomes after which control looks and tries again. */
const retried: ReadonlySet<string> = new Set(['retry', 'conflict', 'unknown'])

export function createMetrics({ ports, version, storeTrouble, processText }: MetricsInput): Metrics {
  const counted = createSeries()
  const transitions = new Map<string, number>()
  const drifts = new Map<string, number>()
  const lastMoves = new Map<string, NonNullable<Operation['report']>>()

  const ended = ({ service, kind, status, report }: Operation): void => {
    counted.moves.add([kind, status])
    if (report === null) return
    for (const stage of moveStages) {
      const ms = report[`${stage}Ms`]
      if (ms !== null) counted.move.observe([kind, stage], ms / 1_000)
    }
    lastMoves.set(service, report)
  }
  return {
    contentType: expositionType,
    // Methods that nobody has heard of would make a series each.
    answered: ({ method, route, status }) =>
      counted.requests.add([methods.has(method) ? method : 'other', route, String(status)]),
    late: (lagMs) => counted.lag.observe([], lagMs / 1_000),
    measure: (measure) => {
      switch (measure.kind) {
        case 'decided':
          return counted.decide.observe([measure.what], measure.tookMs / 1_000)
        case 'called':
          return called(counted, measure)
        case 'moved':
          counted.reasons.add([measure.reason])
          return add(transitions, measure.service)
        case 'drifted':
          return add(drifts, measure.service)
        case 'ended':
          return ended(measure.operation)
        default:
          return measure satisfies never
      }
    },
    render: async (cluster) => {
      const writable = (storeTrouble?.() ?? null) === null
      return [
        await familyText(buildFamily, [version], () => undefined),
        gaugeText({ name: 'holdfast_store_writable', help: 'Whether control can store, 1 or 0.' }, writable ? 1 : 0),
        ...Object.values(counted).map((series) => series.text()),
        await gaugesText({ cluster, ports, counts: { transitions, drifts, lastMoves } }),
        processText?.() ?? '',
      ].join('')
    },
  }
}

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])

const buildFamily: Family<string> = {
  name: 'holdfast_build_info',
  help: 'The version of the program, as a label.',
  labels: ['version'],
  series: (version, set) => set([version], 1),
}

type Series = ReturnType<typeof createSeries>

function createSeries() {
  return {
    decide: createHistogram({
      name: 'holdfast_decide_duration_seconds',
      help: 'From the arrival of an event until what it led to was durable.',
      labels: ['event'],
      bounds: decideBounds,
    }),
    call: createHistogram({
      name: 'holdfast_adapter_call_duration_seconds',
      help: 'How long a call to a provider took.',
      labels: ['adapter', 'verb'],
      bounds: callBounds,
    }),
    calls: createCounter({
      name: 'holdfast_adapter_calls_total',
      help: 'Calls to providers, by how they ended.',
      labels: ['adapter', 'verb', 'outcome'],
    }),
    requests: createCounter({
      name: 'holdfast_http_requests_total',
      help: 'Answers of the API, also to calls without a known token, which the audit trail leaves out.',
      labels: ['method', 'route', 'status'],
    }),
    retries: createCounter({
      name: 'holdfast_adapter_retries_total',
      help: 'Calls to providers after which the same is tried again.',
      labels: ['adapter'],
    }),
    throttles: createCounter({
      name: 'holdfast_adapter_throttles_total',
      help: 'Calls that a provider refused because there were too many.',
      labels: ['adapter'],
    }),
    reasons: createCounter({
      name: 'holdfast_transition_reasons_total',
      help: 'Changes of owner of any service, by why.',
      labels: ['reason'],
    }),
    moves: createCounter({
      name: 'holdfast_moves_total',
      help: 'Moves that have ended, by how.',
      labels: ['kind', 'status'],
      from: ['failover', 'switchover', 'drain'].flatMap((kind) => [
        [kind, 'done'],
        [kind, 'failed'],
      ]),
    }),
    move: createHistogram({
      name: 'holdfast_move_duration_seconds',
      help: 'Stages of moves: detect before the first sign, the others from the first sign on.',
      labels: ['kind', 'stage'],
      bounds: moveBounds,
    }),
    lag: createHistogram({
      name: 'holdfast_event_loop_lag_seconds',
      help: 'How much later than due control’s timers fire.',
      bounds: lagBounds,
    }),
  }
}

function called(counted: Series, { adapter, verb, outcome, tookMs }: Extract<Measure, { kind: 'called' }>): void {
  counted.call.observe([adapter, verb], tookMs / 1_000)
  counted.calls.add([adapter, verb, outcome])
  counted.retries.add([adapter], retried.has(outcome) ? 1 : 0)
  counted.throttles.add([adapter], outcome === 'throttled' ? 1 : 0)
}

function add(counts: Map<string, number>, service: string): void {
  counts.set(service, (counts.get(service) ?? 0) + 1)
}
