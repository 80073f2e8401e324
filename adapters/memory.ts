/**
 * An outside resource that is only memory: what a dry run points at, and the double on which control is simulated.
 *
 *   adapter ──observe/apply──▶ resource        each call: request, half the latency, effect, half the latency, answer
 *
 * The resource is shared and outlives its adapters, as a real one would. It knows no clock but the `timers` it is
 * given, so that it runs on a simulated one too. An aborted call has ended for its caller only: an effect that is
 * under way still happens, as with a real provider.
 */
import { z } from 'zod'
import type { Adapter, AdapterSchema, Capabilities, Failure, Move, Observation, Outcome } from './adapter.ts'

const configSchema = z.strictObject({
  /** `atomic`: the resource refuses an epoch lower than its own, and a write that was based on an older state. */
  cas: z.enum(['none', 'atomic']).default('none'),
})
const targetSchema = z.strictObject({})

export type MemoryConfig = z.output<typeof configSchema>

export const memorySchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'memory',
  moves: 'nothing outside: it is remembered as long as control runs (a dry run)',
  config: configSchema,
  target: targetSchema,
  example: { config: {}, targets: { n1: {}, n2: {} } },
  permissions: () => [],
  budget: () => null,
}

/** Time, as the resource sees it, in milliseconds. `after` calls once and is never cancelled. */
export type Timers = { now(): number; after(ms: number, call: () => void): void }

/** What the resource is. `version` grows with every write, also with one that changes nothing. */
export type MemoryState = { readonly node: string | null; readonly epoch: number; readonly version: number }

/** How calls go wrong. Each is in force until its `times` are used up or `clearFaults`; several add up. */
export type MemoryFault =
  /** The answer takes this long; the effect half of it. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Writes only: it takes effect, and the answer is lost. */
  | { readonly kind: 'lost-response' }
  /** The call takes effect and never answers: it ends when its signal aborts. */
  | { readonly kind: 'hang' }
  /** Writes only: the answer is lost at once, and the effect comes `ms` later, whatever has happened by then. */
  | { readonly kind: 'late-write'; readonly ms: number }
  /** Reads only: for `ms` after a write they show what was before it. */
  | { readonly kind: 'stale-reads'; readonly ms: number }
  /** The call is refused before it takes effect. */
  | { readonly kind: 'refused'; readonly failure: Failure }

export type MemoryAction = 'observe' | 'apply'

export type MemoryResource = {
  readonly cas: 'none' | 'atomic'
  state(): MemoryState
  /**
   * Somebody else points it at `node` (any name: one that is no node of the binding is foreign), or at nothing.
   * With an `epoch` it is another controller, without one a person, who leaves the epoch as it is.
   */
  setOutOfBand(node: string | null, epoch?: number): void
  /** Puts a fault in force for `action`, for the next `times` calls, or until it is cleared. */
  inject(action: MemoryAction, fault: MemoryFault, times?: number): void
  clearFaults(): void
  read(answer: (state: MemoryState | Failure) => void): void
  write(move: Move, answer: (outcome: Outcome) => void): void
}

export function createMemoryResource(options: {
  readonly timers: Timers
  readonly cas?: 'none' | 'atomic'
  readonly node?: string
}): MemoryResource {
  const { timers, cas = 'none' } = options
  let state: MemoryState = { node: options.node ?? null, epoch: 0, version: 0 }
  let before = { state, replacedAt: Number.NEGATIVE_INFINITY }
  let faults: { action: MemoryAction; fault: MemoryFault; left: number }[] = []

  function replace(next: { node: string | null; epoch: number }): void {
    before = { state, replacedAt: timers.now() }
    state = { ...next, version: state.version + 1 }
  }

  /** The faults that this call meets; those with a count lose one. */
  function meet(action: MemoryAction): readonly MemoryFault[] {
    const met = faults.filter((entry) => entry.action === action)
    for (const entry of met) entry.left -= 1
    faults = faults.filter((entry) => entry.left > 0)
    return met.map((entry) => entry.fault)
  }

  function effect({ node, epoch, token }: Move): Outcome {
    if (cas === 'atomic' && epoch < state.epoch) {
      return conflict('StaleEpoch', `epoch ${epoch} is lower than ${state.epoch}, which the resource holds`)
    }
    if (cas === 'atomic' && token !== tokenOf(state)) {
      return conflict('Changed', 'the resource is no longer as it was observed')
    }
    replace({ node, epoch })
    return { kind: 'done' }
  }

  return {
    cas,
    state: () => state,
    setOutOfBand: (node, epoch = state.epoch) => replace({ node, epoch }),
    inject: (action, fault, times = Number.POSITIVE_INFINITY) => faults.push({ action, fault, left: times }),
    clearFaults: () => {
      faults = []
    },
    read: (answer) => {
      const met = meet('observe')
      serve<MemoryState>(timers, met, (respond) => {
        const stale = longest(met, 'stale-reads')
        respond(timers.now() - before.replacedAt < stale ? before.state : state)
      })(answer)
    },
    write: (move, answer) => {
      const met = meet('apply')
      serve<Outcome>(timers, met, (respond) => {
        const late = longest(met, 'late-write')
        if (late > 0) timers.after(late, () => effect(move))
        const outcome = late > 0 ? lost : effect(move)
        respond(met.some(({ kind }) => kind === 'lost-response') ? lost : outcome)
      })(answer)
    },
  }
}

/** The way of one call: latency, refusal, effect, and an answer that comes or not. */
function serve<Answer>(
  timers: Timers,
  met: readonly MemoryFault[],
  act: (respond: (answer: Answer | Failure) => void) => void,
): (answer: (value: Answer | Failure) => void) => void {
  const latency = longest(met, 'latency')
  const later = (call: () => void) => (latency > 0 ? timers.after(latency / 2, call) : call())
  const refusal = met.find((fault) => fault.kind === 'refused')
  const hangs = met.some(({ kind }) => kind === 'hang')
  return (answer) =>
    later(() => {
      if (refusal !== undefined) later(() => answer(refusal.failure))
      else act((value) => (hangs ? undefined : later(() => answer(value))))
    })
}

/** The longest duration among the faults of one kind, 0 without any. */
function longest(faults: readonly MemoryFault[], kind: 'latency' | 'late-write' | 'stale-reads'): number {
  return Math.max(0, ...faults.map((fault) => (fault.kind === kind ? fault.ms : 0)))
}

const lost: Failure = { kind: 'unknown', code: 'LostResponse', message: 'the connection ended before the answer' }

function conflict(code: string, message: string): Failure {
  return { kind: 'conflict', code, message }
}

function tokenOf(state: MemoryState): string {
  return `v${state.version}`
}

/** An adapter over a resource, for a binding whose targets are `nodes`. */
export function createMemoryAdapter(options: {
  readonly resource: MemoryResource
  readonly nodes: readonly string[]
  /** Default: the resource settles at once, and nothing stays in flight. */
  readonly capabilities?: Partial<Capabilities>
}): Adapter {
  const { resource, nodes } = options
  return {
    capabilities: {
      cas: resource.cas,
      dryRun: true,
      ipv6: true,
      settleMs: 0,
      maxInFlightMs: 0,
      ...options.capabilities,
    },
    observe: (signal) =>
      untilAborted<Observation>(
        signal,
        (answer) => resource.read((read) => answer(observationOf(read, { nodes, cas: resource.cas }))),
        (failure) => ({ kind: 'unknown', failure }),
      ),
    apply: (move, signal) =>
      nodes.includes(move.node) ? write(resource, move, signal) : Promise.resolve(noTarget(move)),
    preflight: async () => [],
    dispose: () => {},
  }
}

function write(resource: MemoryResource, move: Move, signal: AbortSignal): Promise<Outcome> {
  return untilAborted<Outcome>(
    signal,
    (answer) => resource.write(move, answer),
    (failure) => failure,
  )
}

function noTarget({ node }: Move): Failure {
  return { kind: 'permanent', code: 'NoTarget', message: `there is no target for ${node}` }
}

function observationOf(
  read: MemoryState | Failure,
  { nodes, cas }: { nodes: readonly string[]; cas: 'none' | 'atomic' },
): Observation {
  if ('kind' in read) return { kind: 'unknown', failure: read }
  const { node, epoch } = read
  const token = tokenOf(read)
  const seen = {
    token,
    raw: { node, epoch: String(epoch), version: token },
    ...(cas === 'atomic' ? { epochSeen: epoch } : {}),
  }
  if (node === null) return { kind: 'none', ...seen }
  return nodes.includes(node) ? { kind: 'node', node, ...seen } : { kind: 'foreign', what: node, ...seen }
}

/** The first of the call's answer and the signal's end. */
function untilAborted<Answer>(
  signal: AbortSignal,
  call: (answer: (value: Answer) => void) => void,
  failed: (failure: Failure) => Answer,
): Promise<Answer> {
  const aborted: Failure = { kind: 'unknown', code: 'Aborted', message: 'the call was given up before its answer' }
  if (signal.aborted) return Promise.resolve(failed(aborted))
  return new Promise((resolve) => {
    const onAbort = () => resolve(failed(aborted))
    signal.addEventListener('abort', onAbort, { once: true })
    call((value) => {
      signal.removeEventListener('abort', onAbort)
      resolve(value)
    })
  })
}
