/** What of a step of a service's decision has to be durable before anything leaves. */
import type { Effect } from '../decision.ts'
import type { Change } from '../store/store.ts'

/** A binding, and what is stored of it with a new owner. */
export type Intended = { readonly name: string; readonly state: 'pending' | 'drifted' }

/** Null when nothing has. */
export function changeOf(service: string, effects: readonly Effect[], bindings: readonly Intended[]): Change | null {
  const own = effects.findLast((effect) => effect.kind === 'own')
  const remembered = effects.findLast((effect) => effect.kind === 'remember')
  const operations = effects.filter((effect) => effect.kind === 'operation').map(({ operation }) => operation)
  const events = effects.filter((effect) => effect.kind === 'event').map(({ event }) => event)
  if (own === undefined && remembered === undefined && operations.length === 0 && events.length === 0) return null
  const memory = remembered === undefined ? {} : { memory: { service, memory: remembered.memory } }
  if (own === undefined) return { operations, events, ...memory }
  const { owner } = own
  const intended = bindings.map(({ name, state }) => ({
    service,
    binding: name,
    node: owner.node,
    epoch: owner.epoch,
    state,
    observed: null,
    attempts: 0,
    lastError: null,
  }))
  return { owner: { service, owner }, bindings: intended, operations, events, ...memory }
}
