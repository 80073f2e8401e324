/** What the VRRP process says of its routers, as control is told it. */
import type { ServiceReport } from '../control/contract.ts'
import type { ServiceStatus } from './vrrp/slot.ts'

/** `since`: when each service entered its state, by the wall clock. */
export function reportsOf(
  services: Readonly<Record<string, ServiceStatus>>,
  since: (service: string) => string,
): Record<string, ServiceReport> {
  const entries = Object.entries(services).map(([name, { state, priority, basePriority }]): [string, ServiceReport] => [
    name,
    { state, priority, basePriority, healthy: state !== 'fault', since: since(name) },
  ])
  return Object.fromEntries(entries)
}
