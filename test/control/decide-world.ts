/** One service under a clock that the test turns, and what its decisions come to. */

import { serviceDefaults } from '../../control/config/service-config.ts'
import { leaseMs, type RouterState } from '../../control/contract.ts'
import { decide, nextDeadline } from '../../control/decide.ts'
import {
  beginDecision,
  type Decision,
  type Effect,
  emptyMemory,
  type Memory,
  type Operation,
  type ServiceEvent,
  type ServicePolicy,
} from '../../control/decision.ts'

export const confirmMs = 150

/** What is decided by, where a test says nothing else. */
export function policyOf(changes: Partial<ServicePolicy> = {}): ServicePolicy {
  const { bindings: _, hosts: __, probe: ___, nodes: ____, ...rest } = serviceDefaults
  return { ...rest, service: 'web', bindings: ['eip'], probed: false, confirmMs, ...changes }
}

type Said = {
  readonly priority?: number
  readonly base?: number
  readonly healthy?: boolean
  readonly solo?: boolean
  readonly yielding?: boolean
  readonly epochSeen?: number
}

/** One service under a clock. `effects` are those of the last event. */
export type WorldOptions = {
  readonly listening?: boolean
  readonly policy?: Partial<ServicePolicy>
  readonly memory?: Partial<Memory>
  readonly drained?: readonly string[]
}

export function world(owner: { node: string; epoch: number; site?: string } | null = null, options: WorldOptions = {}) {
  const policy = policyOf(options.policy)
  const at = (ms: number) => ({ ms, wall: new Date(ms).toISOString() })
  let now = 1_000
  const since = at(0).wall
  const sequences = new Map<string, number>()
  let effects: readonly Effect[] = []
  let state: Decision = beginDecision({
    owner: owner === null ? null : { site: 'dc1', ...owner, since },
    epoch: owner?.epoch ?? 0,
    run: 'run',
    flap: policy.flap,
    memory: { ...emptyMemory, ...options.memory },
    drained: Object.fromEntries((options.drained ?? []).map((node) => [node, { by: 'ops', reason: null }])),
    now: at(options.listening === false ? now : now - leaseMs),
  })
  const hear = (event: ServiceEvent): readonly Effect[] => {
    const step = decide(policy, state, event, at(now))
    state = step.state
    effects = step.effects
    return effects
  }
  const baseline: Record<string, number> = { n1: 200, n2: 100, n3: 50 }
  const report = (
    node: string,
    routerState: RouterState,
    said: Said & Partial<ReportEvent> = {},
  ): readonly Effect[] => {
    const { priority, base, healthy = true, solo, yielding, epochSeen, ...rest } = said
    const words = Object.fromEntries(
      Object.entries({ solo, yielding, epochSeen }).filter(([, word]) => word !== undefined),
    )
    const sequence = (sequences.get(node) ?? 0) + 1
    sequences.set(node, sequence)
    const basePriority = base ?? baseline[node]!
    return hear({
      kind: 'report',
      node,
      site: 'dc1',
      incarnation: `${node}-first-start`,
      sequence,
      via: 'link',
      report: { state: routerState, priority: priority ?? basePriority, basePriority, healthy, since, ...words },
      answers: [],
      results: [],
      ...rest,
    })
  }
  return {
    hear,
    report,
    state: () => state,
    nowMs: () => now,
    owner: () => state.owner?.node ?? null,
    epoch: () => state.owner?.epoch ?? 0,
    effects: () => effects,
    advance: (ms: number): void => {
      now += ms
    },
    /** Lets time pass to every deadline in between, as the shell does. */
    pass: (ms: number): Effect[] => {
      const until = now + ms
      const seen: Effect[] = []
      for (let due = nextDeadline(state); due !== null && due <= until; due = nextDeadline(state)) {
        now = Math.max(now, due)
        seen.push(...hear({ kind: 'tick' }))
      }
      now = until
      return seen
    },
    asked: () => {
      const { confirming } = state
      return confirming?.kind === 'asked' ? confirming.id : null
    },
    operation: (): Operation | undefined =>
      effects.findLast((effect) => effect.kind === 'operation')?.operation ?? state.move?.operation,
  }
}

type ReportEvent = Extract<ServiceEvent, { kind: 'report' }>

/**
 * What was done, a word or two each. What nodes are told of the owner and what is only remembered are levels, which
 * have tests of their own; and so has the record of a failover.
 */
export const kinds = (effects: readonly Effect[]): string[] =>
  effects
    .filter((effect) => !isLevel(effect))
    .map((effect) => {
      if (effect.kind === 'event') return effect.event.kind
      if (effect.kind === 'command') return `${effect.command.kind} ${effect.node}`
      if (effect.kind === 'own') return `own ${effect.owner.node} ${effect.owner.epoch} ${effect.reason}`
      return effect.kind === 'refused' ? `refused ${effect.why.code}` : effect.kind
    })

function isLevel(effect: Effect): boolean {
  if (effect.kind === 'command') return effect.command.kind === 'owner'
  return effect.kind === 'remember' || (effect.kind === 'operation' && effect.operation.kind === 'failover')
}

/** n1 owns at 1 and is active; n2 is backup. */
export function settledPair(options: WorldOptions = {}) {
  const it = world({ node: 'n1', epoch: 1 }, options)
  it.report('n1', 'active')
  it.report('n2', 'backup')
  return it
}
