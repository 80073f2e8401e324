/**
 * One call of a provider's HTTP API: made once, over a connection that is kept, ended by its answer, by the caller's
 * signal or by the deadline. It never throws, and what it says holds no secret.
 */
import type { z } from 'zod'
import { fetch } from '#runtime/fetch'
import type { Failure } from './adapter.ts'
import { givenUp, harmless, retryAfterMs, strangeAnswer, timedOut, transportFailure } from './failures.ts'

/** How long one call may take before it is given up, in milliseconds. What it asked for may still happen. */
export const callMs = 8_000
/** An answer that is longer is none, in characters. */
const longestAnswer = 4_000_000

export type Ask = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** What must not be repeated, whoever quotes it. */
  readonly secrets?: readonly string[]
  readonly timeoutMs?: number
}

export type Answer = {
  readonly kind: 'answered'
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** How long it asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined
}

export async function ask(request: Ask, signal: AbortSignal): Promise<Answer | Failure> {
  const { method, url, headers = {}, body, secrets = [], timeoutMs = callMs } = request
  const deadline = AbortSignal.timeout(timeoutMs)
  const either = AbortSignal.any([signal, deadline])
  try {
    either.throwIfAborted()
    const init = {
      method,
      headers: { 'user-agent': 'holdfast', ...headers },
      redirect: 'manual' as const,
      signal: either,
    }
    const response = await fetch(url, body === undefined ? init : { ...init, body })
    const text = await textOf(response)
    if (text === undefined) return { kind: 'unknown', code: 'TooLong', message: 'the answer is too long' }
    const wait = retryAfterMs(response.headers.get('retry-after'), new Date())
    return { kind: 'answered', status: response.status, headers: response.headers, text, retryAfterMs: wait }
  } catch (error) {
    if (signal.aborted) return givenUp
    if (deadline.aborted) return timedOut(timeoutMs)
    const failed = transportFailure(error)
    return { ...failed, message: harmless(failed.message, secrets) }
  }
}

/** Undefined: longer than any answer, and not read to its end, which may not come. */
async function textOf({ body }: Response): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  // Leaving the loop early ends the answer.
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > longestAnswer) return undefined
  }
  return text + decoder.decode()
}

/** The JSON of an answer as `schema` has it; a failure when it is something else, which may be a proxy's page. */
export function jsonOf<Schema extends z.ZodType>(
  answer: Answer,
  schema: Schema,
  provider: string,
): { readonly kind: 'value'; readonly value: z.output<Schema> } | Failure {
  try {
    const parsed = schema.safeParse(JSON.parse(answer.text))
    if (parsed.success) return { kind: 'value', value: parsed.data }
  } catch {
    // No JSON at all.
  }
  return strangeAnswer(provider, answer.status, answer.retryAfterMs)
}
