/**
 * Compute Engine's REST API: who asks, what its errors mean, and operations, which are followed until they are done.
 *
 *   412 conditionNotMet, 409 alreadyExists, an address in use   conflict
 *   403 rateLimitExceeded and its like, 429                     throttled
 *   resourceNotReady                                            retry
 *   any other                                                   by its status; a quota that is used up is for a person
 */
import { z } from 'zod'
import type { Outcome } from '../adapter.ts'
import { failure, kindOfStatus } from '../failures.ts'
import type { Ended, Progress } from '../rest/accepted.ts'
import type { Calls } from '../rest/adapter.ts'
import { type Api, asJson, type Kinds, kindBy, type Request, refusalBy, saidIn } from '../rest/api.ts'
import { type GoogleCredentials, googleToken } from './token.ts'

const computeUrl = 'https://compute.googleapis.com/compute/v1'

const errorSchema = z.object({
  error: z.object({ message: z.string(), errors: z.array(z.object({ reason: z.string() })).optional() }),
})

const kinds: Kinds = {
  conditionNotMet: 'conflict',
  CONDITION_NOT_MET: 'conflict',
  alreadyExists: 'conflict',
  RESOURCE_ALREADY_EXISTS: 'conflict',
  IP_IN_USE_BY_ANOTHER_RESOURCE: 'conflict',
  rateLimitExceeded: 'throttled',
  RATE_LIMIT_EXCEEDED: 'throttled',
  userRateLimitExceeded: 'throttled',
  resourceNotReady: 'retry',
  RESOURCE_NOT_READY: 'retry',
  'HTTP 409': 'conflict',
  'HTTP 412': 'conflict',
}

export function computeApi({
  endpoint = computeUrl,
  ...credentials
}: GoogleCredentials & { readonly endpoint?: string | undefined }): Api {
  return {
    provider: 'Compute Engine',
    endpoint,
    sign: googleToken(credentials),
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)?.error
      if (said === undefined) return undefined
      const code = said.errors?.[0]?.reason ?? `HTTP ${answer.status}`
      return refusalBy(kinds, answer, { code, message: said.message })
    },
  }
}

const operationSchema = z.object({
  name: z.string().min(1),
  status: z.enum(['PENDING', 'RUNNING', 'DONE']),
  httpErrorStatusCode: z.number().optional(),
  error: z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })) }).optional(),
})

type Operation = z.output<typeof operationSchema>

/** A write, and what became of it. `scope` is where its operation is found: `/projects/P/zones/Z`, `/projects/P/global`. */
export async function write(
  calls: Calls,
  scope: string,
  { method, path, body }: Pick<Request, 'method' | 'path'> & { readonly body?: object },
): Promise<Ended> {
  const query = `${path.includes('?') ? '&' : '?'}requestId=${crypto.randomUUID()}`
  const request = { method, path: `${path}${query}`, ...(body === undefined ? {} : { body: asJson(body) }) }
  const sent = await calls.call(request, operationSchema)
  if (sent.kind !== 'value') return sent
  const operation = `${scope}/operations/${encodeURIComponent(sent.value.name)}`
  return calls.follow(sent.value, {
    look: () => calls.call({ method: 'GET', path: operation }, operationSchema),
    progress,
  })
}

function progress({ status, error, httpErrorStatusCode }: Operation): Progress {
  if (status !== 'DONE') return { kind: 'running' }
  const first = error?.errors[0]
  if (first === undefined) return { kind: 'done' }
  const kind = kindBy(kinds, first.code) ?? kindOfStatus(httpErrorStatusCode ?? 500)
  return failure(kind, first.code, first.message ?? first.code)
}

/** Of a step before the last: one of which the end is not known does not make a move done. */
export function stepOf(ended: Ended): Outcome {
  if (ended.kind !== 'unclear') return ended
  const message = 'Compute Engine has accepted the first of two steps, and it was not seen to end'
  return { kind: 'unknown', code: 'StillRunning', message }
}

export const untriedByGoogle = 'Compute Engine has no way to try it without doing it'
