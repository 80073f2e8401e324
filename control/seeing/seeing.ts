/** What control tells of itself, on every runtime: metrics to whoever scrapes them, and traces to a collector if there is one. */
import type { ControlConfig } from '../config/config.ts'
import type { ClusterPorts } from '../core/ports.ts'
import { createExporter, type ExporterInput } from './exporter.ts'
import { createMetrics, type Metrics, type MetricsInput } from './metrics.ts'

export type Seeing = {
  readonly metrics: Metrics
  readonly measure: ClusterPorts['measure']
  stop(): void
}

export type SeeingInput = Omit<MetricsInput, 'ports'> & {
  readonly config: Pick<ControlConfig, 'trace'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'aliveAt' | 'log'>
  readonly fetch: ExporterInput['fetch']
}

export function createSeeing({ config, ports, fetch, ...rest }: SeeingInput): Seeing {
  const metrics = createMetrics({ ports, ...rest })
  const exporter = config.trace && createExporter({ ...config.trace, ports, fetch })
  return {
    metrics,
    measure: (measure) => {
      metrics.measure(measure)
      if (measure.kind === 'ended') exporter?.add(measure.operation)
    },
    stop: () => exporter?.stop(),
  }
}
