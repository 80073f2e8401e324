/** Where a resource is, in the words of a binding's targets; and what preflight found out about them. */
import type { Failure, Finding, Observation, Raw } from '../adapter.ts'
import type { Value } from './api.ts'

export type Targets<Target> = Readonly<Record<string, Target>>

/** Undefined: there is no such node, also when every object has something of that name. */
export function targetOf<Target>(targets: Targets<Target>, node: string): Target | undefined {
  return Object.hasOwn(targets, node) ? targets[node] : undefined
}

/** A resource that is at the target that `is` it, at something else called `what`, or at nothing: null. */
export function seenAt<Target>(
  targets: Targets<Target>,
  at: { readonly what: string; readonly is: (target: Target) => boolean } | null,
  raw: Raw,
): Observation {
  if (at === null) return { kind: 'none', token: null, raw }
  const node = Object.entries(targets).find(([, target]) => at.is(target))?.[0]
  const token = at.what
  return node === undefined ? { kind: 'foreign', what: at.what, token, raw } : { kind: 'node', node, token, raw }
}

/** What could not be asked is no verdict. `objection`: what is wrong with a thing that exists. */
export function findingOf<T>(
  check: string,
  called: Value<T> | Failure,
  objection: (value: T) => string | null = () => null,
): Finding {
  if (called.kind !== 'value') {
    const result = called.kind === 'permanent' ? 'failed' : 'untried'
    return { check, result, message: `${called.code}: ${called.message}` }
  }
  const message = objection(called.value)
  return { check, result: message === null ? 'passed' : 'failed', message }
}
