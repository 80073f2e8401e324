/**
 * Where the parts of a binding are (addresses, route tables), each by itself: what one observation of all of them is, and
 * what several writes come to. Not at a node unless all of it is.
 *
 *   { "10.0.0.10": "eni-1", "2001:db8::10": "eni-1" }   node n1, whose interface that is
 *   { "10.0.0.10": null,    "2001:db8::10": null }      none
 *   { "10.0.0.10": "eni-1", "2001:db8::10": null }      foreign: "10.0.0.10 at eni-1 (n1), 2001:db8::10 at nothing"
 */
import { z } from 'zod'
import type { Failure, Observation, Outcome, Raw, Token } from '../adapter.ts'

/** By part; null is nowhere. */
export type Placement = Readonly<Record<string, string | null>>

type Nodes = Readonly<Record<string, { readonly networkInterfaceId: string }>>

export function observationOf(placement: Placement, targets: Nodes, raw: Raw): Observation {
  const token = JSON.stringify(placement)
  const [place = null, ...others] = new Set(Object.values(placement))
  const isAtOne = others.length === 0
  if (isAtOne && place === null) return { kind: 'none', token, raw }
  const node = isAtOne ? nodeAt(place, targets) : undefined
  return node === undefined
    ? { kind: 'foreign', what: wordsOf(placement, targets), token, raw }
    : { kind: 'node', node, token, raw }
}

function nodeAt(place: string | null, targets: Nodes): string | undefined {
  return Object.entries(targets).find(([, { networkInterfaceId }]) => networkInterfaceId === place)?.[0]
}

function wordsOf(placement: Placement, targets: Nodes): string {
  const byPlace = Map.groupBy(Object.keys(placement), (part) => placement[part] ?? null)
  const words = [...byPlace].map(([place, parts]) => {
    const node = nodeAt(place, targets)
    return `${parts.join(', ')} at ${place ?? 'nothing'}${node === undefined ? '' : ` (${node})`}`
  })
  return words.join('; ')
}

const placementSchema = z.record(z.string(), z.string().nullable())

/** What a token of `observationOf` says; nothing is known without one. */
export function placementOf(token: Token): Placement {
  if (token === null) return {}
  try {
    return placementSchema.parse(JSON.parse(token))
  } catch {
    return {}
  }
}

/** One write of several, and what it was about. */
export type PartOutcome = { readonly part: string; readonly outcome: Outcome }

/**
 * What comes first decides: an observation must follow as long as anything is not known, and as long as anything may
 * still succeed it is tried again. A person is called only when nothing else is left to do.
 */
const precedence = ['unknown', 'throttled', 'retry', 'conflict', 'permanent'] as const

/** Done when all are, else a failure that says which parts failed. */
export function outcomeOf(parts: readonly PartOutcome[]): Outcome {
  const failures = parts.flatMap(({ part, outcome }) => (outcome.kind === 'done' ? [] : [{ part, failure: outcome }]))
  const kind = precedence.find((one) => failures.some(({ failure }) => failure.kind === one))
  const first = failures.find(({ failure }) => failure.kind === kind)?.failure
  if (first === undefined) return { kind: 'done' }
  if (parts.length === 1) return first
  const message = `${failures.length} of ${parts.length} failed: ${reasonsOf(failures)}`
  return first.kind === 'throttled' ? { ...first, message, afterMs: longestWait(failures) } : { ...first, message }
}

type Failed = { readonly part: string; readonly failure: Failure }

/** How many different reasons one message gives. */
const mostReasons = 4

/** Parts that failed for the same reason are named together. */
function reasonsOf(failures: readonly Failed[]): string {
  const byReason = Map.groupBy(failures, ({ failure }) => `${failure.code}: ${failure.message}`)
  const reasons = [...byReason].map(([reason, failed]) => `${failed.map(({ part }) => part).join(', ')}: ${reason}`)
  const more = reasons.length > mostReasons ? ['and more'] : []
  return [...reasons.slice(0, mostReasons), ...more].join('; ')
}

function longestWait(failures: readonly Failed[]): number {
  return Math.max(...failures.map(({ failure }) => (failure.kind === 'throttled' ? failure.afterMs : 0)))
}
