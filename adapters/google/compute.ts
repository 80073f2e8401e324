/**
 * Compute Engine's REST API: one call, what its errors mean, and operations, which are polled until they are done.
 *
 *   412 conditionNotMet, 409 alreadyExists, an address in use   conflict
 *   403 rateLimitExceeded and its like, 429                     throttled
 *   resourceNotReady                                            retry
 *   any other                                                   by its status
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import type { Bearer } from '../bearer/bearer.ts'
import { type FailureKind, failure, harmless, kindOfStatus, strangeAnswer } from '../failures.ts'
import { type Answer, jsonOf } from '../http.ts'
import type { Pause } from '../pause.ts'

export type Compute = {
  readonly bearer: Bearer
  /** Up to and including `/projects/P`. */
  readonly base: string
  /** Between two looks at an operation. */
  readonly pause: Pause
}

export const computeUrl = 'https://compute.googleapis.com/compute/v1'

type Value<Schema extends z.ZodType> = { readonly kind: 'value'; readonly value: z.output<Schema> }

const provider = 'Compute Engine'

const errorSchema = z.object({
  error: z.object({
    code: z.number(),
    message: z.string(),
    errors: z.array(z.object({ reason: z.string() })).optional(),
  }),
})

const kindByCode: Readonly<Record<string, FailureKind>> = {
  conditionNotMet: 'conflict',
  CONDITION_NOT_MET: 'conflict',
  alreadyExists: 'conflict',
  RESOURCE_ALREADY_EXISTS: 'conflict',
  IP_IN_USE_BY_ANOTHER_RESOURCE: 'conflict',
  rateLimitExceeded: 'throttled',
  RATE_LIMIT_EXCEEDED: 'throttled',
  userRateLimitExceeded: 'throttled',
  quotaExceeded: 'throttled',
  resourceNotReady: 'retry',
  RESOURCE_NOT_READY: 'retry',
}

export async function callCompute<Schema extends z.ZodType>(
  { bearer, base }: Compute,
  request: { readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; readonly path: string; readonly body?: object },
  schema: Schema,
  signal: AbortSignal,
): Promise<Value<Schema> | Failure> {
  const { method, path, body } = request
  const more = body === undefined ? {} : { body: JSON.stringify(body) }
  const headers = body === undefined ? {} : { 'content-type': 'application/json' }
  const asked = await bearer.ask({ method, url: `${base}${path}`, headers, ...more }, signal)
  if (asked.kind !== 'asked') return asked
  if (asked.answer.status === 200) return jsonOf(asked.answer, schema, provider)
  return failureOf(asked.answer, asked.secrets)
}

function failureOf(answer: Answer, secrets: readonly string[]): Failure {
  const parsed = jsonOf(answer, errorSchema, provider)
  if (parsed.kind !== 'value') return strangeAnswer(provider, answer.status, answer.retryAfterMs)
  const { message, errors } = parsed.value.error
  const code = errors?.[0]?.reason ?? `HTTP ${answer.status}`
  const byStatus = answer.status === 409 || answer.status === 412 ? 'conflict' : kindOfStatus(answer.status)
  return failure(kindByCode[code] ?? byStatus, code, harmless(message, secrets), answer.retryAfterMs)
}

export const operationSchema = z.object({
  name: z.string().min(1),
  status: z.enum(['PENDING', 'RUNNING', 'DONE']),
  httpErrorStatusCode: z.number().optional(),
  error: z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })) }).optional(),
})

export type Operation = z.output<typeof operationSchema>

const pollMs = 500

/** Follows an operation to its end; `scope` is where operations of its kind are found: `/zones/Z`, `/global`. */
export async function finish(
  compute: Compute,
  { scope, operation }: { readonly scope: string; readonly operation: Operation },
  signal: AbortSignal,
): Promise<{ readonly kind: 'done' } | Failure> {
  let now = operation
  while (now.status !== 'DONE') {
    const path = `${scope}/operations/${encodeURIComponent(now.name)}`
    const looked = await callCompute(compute, { method: 'GET', path }, operationSchema, signal)
    // The write was accepted: whatever keeps us from seeing its end, it may still happen.
    if (looked.kind !== 'value') return looked.kind === 'throttled' ? looked : { ...looked, kind: 'unknown' }
    now = looked.value
    if (now.status !== 'DONE') await compute.pause(pollMs, signal)
  }
  const first = now.error?.errors[0]
  if (first === undefined) return { kind: 'done' }
  const kind = kindByCode[first.code] ?? kindOfStatus(now.httpErrorStatusCode ?? 500)
  return failure(kind, first.code, harmless(first.message ?? first.code))
}
