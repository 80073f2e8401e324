/**
 * One move of a service as people and programs see it: a resource with steps and times, and at its end the failover
 * report.
 *
 *   first sign ──decideMs──▶ decided ─────▶ accepted by each provider ─────▶ visible there ─────▶ seen by the probe
 *   (or request)                └ everything is counted from the first sign; `detectMs` is what went before it ┘
 */

export type Operation = {
  readonly id: string
  /** `failover`: nobody asked for it. `drain`: asked for by emptying the node that it leaves. */
  readonly kind: 'switchover' | 'drain' | 'failover'
  readonly service: string
  readonly from: string | null
  readonly to: string
  /** The epoch that the move minted; null until it did. */
  readonly epoch: number | null
  /** What the target was told to advertise; null when it was told nothing. */
  readonly priority: number | null
  readonly reason: string | null
  /** The name of the token that asked for it; null for a failover. */
  readonly by: string | null
  readonly status: 'running' | 'done' | 'failed'
  readonly steps: readonly OperationStep[]
  readonly failure: string | null
  /** What the move took; null while it runs. */
  readonly report: MoveReport | null
}

/** `afterMs`: milliseconds since the operation began, on control's monotonic clock. */
export type OperationStep = { readonly name: string; readonly at: string; readonly afterMs: number }

/** All in milliseconds: `detectMs` before the operation began, the rest after it. Null: it did not come to that, or nobody looked. */
export type MoveReport = {
  /** From the last word that the former owner was well to the first sign that it is not, or to the request. */
  readonly detectMs: number | null
  /** Until the new owner and its epoch were decided. */
  readonly decideMs: number | null
  /** Until the last binding's provider had accepted the change. */
  readonly acceptedMs: number | null
  /** Until the last binding was read back as the new owner's. */
  readonly visibleMs: number | null
  /** Until the probe through the service's own address succeeded. */
  readonly seenMs: number | null
  readonly bindings: readonly BindingTimes[]
}

export type BindingTimes = {
  readonly name: string
  readonly acceptedMs: number | null
  readonly visibleMs: number | null
}

/** Names of the steps that the report is made of. Each binding has two of its own: `accepted` and `visible`, and its name. */
export const ownerMoved = 'owner moved'
export const seen = 'seen'
export const acceptedStep = (binding: string): string => `accepted ${binding}`
export const visibleStep = (binding: string): string => `visible ${binding}`

export function reportOf(
  { steps }: Pick<Operation, 'steps'>,
  { detectMs, bindings }: { readonly detectMs: number | null; readonly bindings: readonly string[] },
): MoveReport {
  const after = (name: string): number | null => steps.find((step) => step.name === name)?.afterMs ?? null
  const times = bindings.map((name) => ({
    name,
    acceptedMs: after(acceptedStep(name)),
    visibleMs: after(visibleStep(name)),
  }))
  return {
    detectMs,
    decideMs: after(ownerMoved),
    acceptedMs: lastOf(times.map(({ acceptedMs }) => acceptedMs)),
    visibleMs: lastOf(times.map(({ visibleMs }) => visibleMs)),
    seenMs: after(seen),
    bindings: times,
  }
}

/** When all of them had happened; null when one had not, or there is none. */
function lastOf(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null)
  return known.length === 0 || known.length < times.length ? null : Math.max(...known)
}

/** For people: `detected after 3012 ms, decided 151 ms later, visible everywhere after 402 ms`. */
export function describeReport({ detectMs, decideMs, visibleMs, seenMs }: MoveReport): string {
  const parts = [
    detectMs === null ? null : `first sign ${detectMs} ms after the last good word`,
    decideMs === null ? null : `decided after ${decideMs} ms`,
    visibleMs === null ? null : `visible everywhere after ${visibleMs} ms`,
    seenMs === null ? null : `reached again after ${seenMs} ms`,
  ]
  return parts.filter((part) => part !== null).join(', ')
}
