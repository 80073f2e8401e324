/** Where a resource is, in the words of a binding's targets; and what preflight found out about them. */
import type { Failure, Finding, Observation, Raw, Token } from '../adapter.ts'
import type { Value } from './api.ts'

/** A resource that is at the target that `is` it, at something else called `what`, or at nothing: null. */
export function seenAt<Target>(
  targets: Readonly<Record<string, Target>>,
  at: { readonly what: string; readonly is: (target: Target) => boolean } | null,
  { raw, token = at?.what ?? null }: { readonly raw: Raw; readonly token?: Token },
): Observation {
  if (at === null) return { kind: 'none', token, raw }
  const node = Object.entries(targets).find(([, target]) => at.is(target))?.[0]
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

/** `why`: the provider has no way to try it without doing it. */
export function untried(check: string, why: string): Finding {
  return { check, result: 'untried', message: why }
}
