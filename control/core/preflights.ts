/**
 * Whether a move would be permitted, found out before one is needed: each binding's adapter tries it soon after start,
 * each hour, and after its configuration has changed. What fails is said once, and shown until it passes.
 *
 * Nothing waits for it. A program that slept goes on with what it knew, so that waking is not starting.
 */
import type { Adapter, Finding } from '../../adapters/adapter.ts'
import type { BindingConfig } from '../config/service-config.ts'
import type { AuditEvent } from '../decision.ts'
import { messageOf } from '../message-of.ts'
import type { Budgets } from './budgets.ts'
import { earliest } from './deadlines.ts'
import type { ClusterPorts } from './ports.ts'

export type Preflight = {
  /** When it was made, by control's wall clock. */
  readonly at: string
  readonly failed: readonly Finding[]
}

export type PreflightsInput = {
  readonly service: string
  readonly ports: Pick<ClusterPorts, 'clock' | 'random' | 'kept'>
  readonly budgets: Budgets
  /** Something fails that did not, or does not any more. */
  said(event: Pick<AuditEvent, 'kind' | 'text' | 'detail'>): void
  rearm(): void
}

export type Preflights = {
  /** Takes on a configuration. A binding that is the same in both keeps what is known of it. */
  become(bindings: readonly BindingConfig[], adapters: ReadonlyMap<string, Adapter>): void
  /** Null: not tried yet. */
  of(binding: string): Preflight | null
  deadline(): number | null
  tick(now: number): void
  stop(): void
  /** Keeps nothing of them, for when the service is no more. */
  forget(): void
}

const everyMs = 3_600_000
/** The first comes at a random moment of this time, in milliseconds: after a start there is more urgent work. */
const firstWithinMs = 20_000
/** How long one may take, in milliseconds: several calls of at most eight seconds. */
const longestMs = 60_000

type Trial = {
  readonly name: string
  /** As text, to see whether it is still the same. */
  readonly config: string
  readonly adapter: Adapter
  dueAt: number
  last: Preflight | null
  running: { readonly abort: AbortController; readonly stopAt: number } | null
}

type Kept = Readonly<Record<string, Pick<Trial, 'config' | 'dueAt' | 'last'>>>

export function createPreflights(input: PreflightsInput): Preflights {
  const { service, ports } = input
  const key = `preflights ${service}`
  let trials: readonly Trial[] = []
  const keep = (): void => {
    const known = trials.map(({ name, config, dueAt, last }) => [name, { config, dueAt, last }] as const)
    ports.kept?.put(key, Object.fromEntries(known))
  }
  return {
    become: (bindings, adapters) => {
      const former = trials
      const kept = ports.kept?.get<Kept>(key) ?? {}
      trials = bindings.map((binding) => {
        const config = JSON.stringify(binding)
        const same = former.find((trial) => trial.name === binding.name && trial.config === config)
        return same ?? begin(input, { name: binding.name, config, adapter: adapters.get(binding.name)! }, kept)
      })
      for (const trial of former) if (!trials.includes(trial)) trial.running?.abort.abort()
    },
    of: (binding) => trials.find(({ name }) => name === binding)?.last ?? null,
    deadline: () => earliest(trials.map(({ running, dueAt }) => running?.stopAt ?? dueAt)),
    tick: (now) => {
      for (const trial of trials) {
        if (trial.running !== null && now >= trial.running.stopAt) trial.running.abort.abort()
        if (trial.running === null && now >= trial.dueAt) void run(input, trial, keep)
      }
    },
    stop: () => {
      for (const { running } of trials) running?.abort.abort()
      trials = []
    },
    forget: () => ports.kept?.delete(key),
  }
}

function begin(
  { ports, budgets }: PreflightsInput,
  wanted: Pick<Trial, 'name' | 'config' | 'adapter'>,
  kept: Kept,
): Trial {
  const known = kept[wanted.name]
  if (known?.config === wanted.config) return { ...wanted, dueAt: known.dueAt, last: known.last, running: null }
  const { budget } = wanted.adapter
  const turn = budget === undefined ? 0 : budgets.look(budget)
  const dueAt = ports.clock.now() + Math.floor(ports.random() * firstWithinMs) + turn
  return { ...wanted, dueAt, last: null, running: null }
}

async function run(input: PreflightsInput, trial: Trial, keep: () => void): Promise<void> {
  const { ports, said, rearm } = input
  const now = ports.clock.now()
  const mine = { abort: new AbortController(), stopAt: now + longestMs }
  trial.running = mine
  trial.dueAt = now + Math.floor(everyMs * (0.9 + 0.2 * ports.random()))
  rearm()
  const findings = await tried(trial.adapter, mine.abort.signal)
  trial.running = null
  // It took too long, or its configuration is no more: nothing was learned.
  if (mine.abort.signal.aborted) return rearm()
  const before = trial.last?.failed ?? []
  const failed = findings.filter(({ result }) => result === 'failed')
  trial.last = { at: ports.clock.wall().toISOString(), failed }
  keep()
  if (JSON.stringify(before) !== JSON.stringify(failed)) said(eventOf(trial.name, failed))
  rearm()
}

/** What a binding's next move would fail at, or that nothing stands in its way any more. */
function eventOf(binding: string, failed: readonly Finding[]): Pick<AuditEvent, 'kind' | 'text' | 'detail'> {
  const [first, ...others] = failed
  const detail = { binding, failed: failed.map(({ check, message }) => ({ check, message })) }
  if (first === undefined) {
    const text = `${binding}: nothing that was tried stands in the way of a move any more`
    return { kind: 'preflight-passed', text, detail }
  }
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const text = `${binding}: a move would fail: ${first.check}: ${first.message}${more}`
  return { kind: 'preflight-failed', text, detail }
}

/** An adapter of somebody else's may throw all the same. */
async function tried(adapter: Adapter, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    return await adapter.preflight(signal)
  } catch (error) {
    return [{ check: 'preflight', result: 'failed', message: `the adapter threw: ${messageOf(error)}` }]
  }
}
