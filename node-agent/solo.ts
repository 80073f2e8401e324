/** A service without VRRP, as a pure function: it is active whenever it is healthy and not told to yield. */
import type { ServiceRules } from './config.ts'
import type { Standing } from './vrrp/router.ts'
import type { ServiceStatus } from './vrrp/slot.ts'

export function soloStatus({ priority }: ServiceRules, standing: Standing, before: ServiceStatus | undefined) {
  const state = standing.fault !== null ? 'fault' : standing.yielding ? 'backup' : 'active'
  const transitions = (before?.transitions ?? 0) + (before !== undefined && before.state !== state ? 1 : 0)
  return {
    state,
    priority: standing.priority,
    basePriority: priority,
    yielding: standing.yielding,
    fault: standing.fault,
    sent: 0,
    received: 0,
    transitions,
    late: 0,
  } satisfies ServiceStatus
}

/** Why a take-over can't be; null when it is active already, which is all that a take-over of it asks for. */
export function refusesTakeOver({ state, fault }: ServiceStatus, service: string): string | null {
  if (state === 'active') return null
  return state === 'fault' ? (fault ?? 'it is in fault') : `this node yields ${service} until it is told not to`
}
