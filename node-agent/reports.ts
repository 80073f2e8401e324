/** What is known of the services, as control is told it. */
import type { ServiceReport } from '../control/contract.ts'
import type { ServiceStatus } from './vrrp/slot.ts'

export type Known = {
  readonly status: ServiceStatus
  /** When it entered its state, by the wall clock. */
  readonly since: string
  readonly solo: boolean
  /** The highest epoch that control has told; null: none yet. */
  readonly epochSeen: number | null
}

export function reportsOf(services: Readonly<Record<string, Known>>): Record<string, ServiceReport> {
  return Object.fromEntries(Object.entries(services).map(([name, known]) => [name, reportOf(known)]))
}

function reportOf({ status, since, solo, epochSeen }: Known): ServiceReport {
  const { state, priority, basePriority, yielding, fault } = status
  return {
    state,
    priority,
    basePriority,
    healthy: state !== 'fault',
    ...(fault === null ? {} : { fault: fault.slice(0, 200) }),
    ...(solo ? { solo } : {}),
    ...(yielding ? { yielding } : {}),
    // Said from the start: control tells owners only to those who show that they remember epochs.
    epochSeen: epochSeen ?? 0,
    since,
  }
}
