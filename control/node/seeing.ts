/** What this control tells of itself on Node: metrics to whoever scrapes them, and traces to a collector if there is one. */
import type { ControlConfig } from '../config/config.ts'
import type { ClusterPorts, Log } from '../core/ports.ts'
import type { Links } from '../link/links.ts'
import { createExporter } from '../seeing/exporter.ts'
import { createMetrics, type Metrics } from '../seeing/metrics.ts'
import type { WatchedStore } from '../store/watched-store.ts'
import { processText, watchEventLoop } from './process-metrics.ts'

export type Seeing = {
  readonly metrics: Metrics
  readonly measure: ClusterPorts['measure']
  stop(): void
}

export type SeeingInput = {
  readonly config: Pick<ControlConfig, 'trace'>
  readonly store: Pick<WatchedStore, 'trouble'>
  readonly links: Pick<Links, 'aliveAt'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer'>
  readonly version: string
  readonly log: Log
}

export function createSeeing({ config, store, links, ports, version, log }: SeeingInput): Seeing {
  const { clock, timer } = ports
  const metrics = createMetrics({
    ports: { clock, timer, aliveAt: links.aliveAt },
    version,
    storeTrouble: store.trouble,
    processText,
  })
  const exporter = config.trace && createExporter({ ...config.trace, ports: { clock, timer, log }, fetch })
  const loop = watchEventLoop(metrics.late)
  return {
    metrics,
    measure: (measure) => {
      metrics.measure(measure)
      if (measure.kind === 'ended') exporter?.add(measure.operation)
    },
    stop: () => {
      loop.stop()
      exporter?.stop()
    },
  }
}
