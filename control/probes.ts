/**
 * The probes of one service: of each site's origin, which take part in the decision between sites, and of the
 * service's own address, which tells what its clients see.
 */
import type { ServiceEvent } from './decision.ts'
import type { ClusterPorts } from './ports.ts'
import type { ServiceConfig } from './service-config.ts'

export type ProbesInput = {
  readonly ports: Pick<ClusterPorts, 'clock' | 'probe' | 'random'>
  /** A verdict has changed. */
  said(event: Extract<ServiceEvent, { kind: 'origin' | 'seen' }>): void
  rearm(): void
}

export type Probes = {
  /** Probes what this configuration asks for, and nothing else any more. */
  start(config: ServiceConfig): void
  deadline(): number | null
  tick(now: number): void
  stop(): void
}

export function createProbes(_: ProbesInput): Probes {
  return { start: () => undefined, deadline: () => null, tick: () => undefined, stop: () => undefined }
}
