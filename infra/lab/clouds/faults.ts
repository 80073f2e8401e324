/**
 * How a strict cloud goes wrong when it is told to: a list of faults, switched on and off while it runs.
 *
 * A fault meets every call of its `action` (without one: all calls), for the `next` calls, or until it is cleared.
 * Several faults that meet one call add up: the latencies are summed, and of the others each does its part.
 */
import { z } from 'zod'

const milliseconds = z.int().min(0).max(600_000)

const scope = {
  /** As the cloud names it: `AssociateAddress`, `PATCH dns_records`. Of several, any. */
  action: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  /** Only calls of which some parameter has this value. */
  about: z.string().optional(),
  next: z.int().min(1).optional(),
}

export const faultSchema = z.discriminatedUnion('kind', [
  /** Half of it passes before the effect, half after it. A client that leaves in between does not undo the effect. */
  z.strictObject({ ...scope, kind: z.literal('latency'), ms: milliseconds }),
  /** Refused with an error of the cloud, by its own code, before the effect: too much, its own trouble, no permission. */
  z.strictObject({
    ...scope,
    kind: z.literal('error'),
    code: z.string(),
    message: z.string().optional(),
    retryAfterSeconds: z.int().min(0).optional(),
  }),
  /** The connection is reset before, or after, the effect. */
  z.strictObject({ ...scope, kind: z.literal('reset-before') }),
  z.strictObject({ ...scope, kind: z.literal('reset-after') }),
  /** It takes effect and is never answered. */
  z.strictObject({ ...scope, kind: z.literal('hang-after') }),
  /** A write takes effect only `ms` later, whatever else has happened by then; the answer is a success at once, or a reset. */
  z.strictObject({
    ...scope,
    kind: z.literal('late-write'),
    ms: milliseconds,
    answer: z.enum(['success', 'lost']).default('lost'),
  }),
  /** Reads show the world as it was `ms` ago. */
  z.strictObject({ ...scope, kind: z.literal('stale-reads'), ms: milliseconds }),
])

export type Fault = z.output<typeof faultSchema>

/** What the faults that meet one call do to it, together. */
export type Trouble = {
  readonly latencyMs: number
  readonly refusal: Extract<Fault, { kind: 'error' }> | undefined
  readonly resetBefore: boolean
  readonly resetAfter: boolean
  readonly hangAfter: boolean
  readonly lateWrite: Extract<Fault, { kind: 'late-write' }> | undefined
  readonly staleMs: number
}

export type Faults = {
  /** Those in force, with what is left of their counts. */
  list(): readonly Fault[]
  add(fault: z.input<typeof faultSchema>): void
  replace(faults: readonly Fault[]): void
  clear(): void
  /** What this call meets; counts go down by one. */
  meet(call: { readonly action: string; readonly params: Readonly<Record<string, string>> }): Trouble
}

export function createFaults(): Faults {
  let inForce: readonly Fault[] = []
  return {
    list: () => inForce,
    add: (fault) => {
      inForce = [...inForce, faultSchema.parse(fault)]
    },
    replace: (faults) => {
      inForce = faults
    },
    clear: () => {
      inForce = []
    },
    meet: (call) => {
      const met = inForce.filter((fault) => meets(fault, call))
      inForce = inForce.flatMap((fault) => (met.includes(fault) ? usedOnce(fault) : [fault]))
      return troubleOf(met)
    },
  }
}

function meets(
  { action, about }: Fault,
  call: { readonly action: string; readonly params: Readonly<Record<string, string>> },
): boolean {
  if (action !== undefined && ![action].flat().includes(call.action)) return false
  return about === undefined || Object.values(call.params).includes(about)
}

function usedOnce(fault: Fault): readonly Fault[] {
  if (fault.next === undefined) return [fault]
  return fault.next > 1 ? [{ ...fault, next: fault.next - 1 }] : []
}

function troubleOf(met: readonly Fault[]): Trouble {
  let latencyMs = 0
  let staleMs = 0
  for (const fault of met) {
    if (fault.kind === 'latency') latencyMs += fault.ms
    if (fault.kind === 'stale-reads') staleMs = Math.max(staleMs, fault.ms)
  }
  return {
    latencyMs,
    staleMs,
    refusal: met.find((fault) => fault.kind === 'error'),
    resetBefore: met.some(({ kind }) => kind === 'reset-before'),
    resetAfter: met.some(({ kind }) => kind === 'reset-after'),
    hangAfter: met.some(({ kind }) => kind === 'hang-after'),
    lateWrite: met.find((fault) => fault.kind === 'late-write'),
  }
}
