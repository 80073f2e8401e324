/** One service under a clock that the test turns, and what its decisions come to. */
import { leaseMs, type RouterState } from '../../control/contract.ts'
import { decide, nextDeadline } from '../../control/decide.ts'
import { beginDecision, type Decision, type Effect, type Operation, type ServiceEvent } from '../../control/decision.ts'

export const confirmMs = 150

type Said = { readonly priority?: number; readonly base?: number; readonly healthy?: boolean }

/** One service under a clock. `effects` are those of the last event. */
export function world(owner: { node: string; epoch: number } | null = null, options: { listening?: boolean } = {}) {
  const at = (ms: number) => ({ ms, wall: new Date(ms).toISOString() })
  let now = 1_000
  const since = at(0).wall
  const sequences = new Map<string, number>()
  let effects: readonly Effect[] = []
  let state: Decision = beginDecision({
    owner: owner === null ? null : { ...owner, site: 'dc1', since },
    epoch: owner?.epoch ?? 0,
    run: 'run',
    now: at(options.listening === false ? now : now - leaseMs),
  })
  const hear = (event: ServiceEvent): readonly Effect[] => {
    const step = decide({ service: 'web', confirmMs }, state, event, at(now))
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
    const { priority, base, healthy = true, ...rest } = said
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
      report: { state: routerState, priority: priority ?? basePriority, basePriority, healthy, since },
      answers: [],
      results: [],
      ...rest,
    })
  }
  return {
    hear,
    report,
    state: () => state,
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
      effects.findLast((effect) => effect.kind === 'operation')?.operation ?? state.switchover?.operation,
  }
}

type ReportEvent = Extract<ServiceEvent, { kind: 'report' }>

export const kinds = (effects: readonly Effect[]): string[] =>
  effects.map((effect) => {
    if (effect.kind === 'event') return effect.event.kind
    if (effect.kind === 'command') return `${effect.command.kind} ${effect.node}`
    if (effect.kind === 'own') return `own ${effect.owner.node} ${effect.owner.epoch} ${effect.reason}`
    return effect.kind === 'refused' ? `refused ${effect.why.code}` : effect.kind
  })

/** n1 owns at 1 and is active; n2 is backup. */
export function settledPair(options = {}) {
  const it = world({ node: 'n1', epoch: 1 }, options)
  it.report('n1', 'active')
  it.report('n2', 'backup')
  return it
}
