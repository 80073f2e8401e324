/** Services as control shows them, for tests of what people are told about them. */
import type { BindingView, MemberView, ServiceView } from '../../control/core/view.ts'

export const nowMs = Date.parse('2026-11-22T09:00:00.000Z')
export const before = (seconds: number): string => new Date(nowMs - seconds * 1_000).toISOString()

/** One that is heard, healthy and backup, unless said otherwise. */
export function member(node: string, more: Partial<MemberView> = {}): MemberView {
  return {
    node,
    site: 'dc1',
    state: 'backup',
    priority: 100,
    healthy: true,
    fault: null,
    solo: false,
    drained: false,
    connected: true,
    lastReport: before(0.5),
    ...more,
  }
}

/** One that follows `n1`. */
export function binding(more: Partial<BindingView> = {}): BindingView {
  return {
    name: 'eip',
    adapter: 'aws-eip',
    drift: 'reassert',
    waitsFor: [],
    state: 'settled',
    node: 'n1',
    epoch: 7,
    observed: 'n1',
    attempts: 1,
    lastError: null,
    preflight: null,
    ...more,
  }
}

/** A service that is as it should be: `n1` owns, `n2` waits. */
export function service(more: Partial<ServiceView> = {}): ServiceView {
  return {
    service: 'web',
    phase: 'settled',
    owner: { node: 'n1', site: 'dc1', epoch: 7, since: before(3 * 86_400) },
    members: [member('n1', { state: 'active', priority: 200 }), member('n2')],
    bindings: [binding()],
    sites: [],
    origins: {},
    reachable: null,
    hold: null,
    suppressedUntil: null,
    dualActive: false,
    higherEpoch: null,
    operation: null,
    ...more,
  }
}
