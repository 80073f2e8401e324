/**
 * A provider's JSON API as an adapter of few lines needs it: who asks, what an answer must be, what a refusal means,
 * and one deadline for all the calls of one look or one move.
 */
import type { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, harmless, kindOfStatus, strangeAnswer, timedOut } from '../failures.ts'
import { type Answer, ask, callMs, jsonOf } from '../http.ts'

export type Request = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** From the endpoint on, as it is sent: `/v1/actions/7`. */
  readonly path: string
  readonly body?: { readonly type: string; readonly text: string }
}

/** What a request carries so that it is known whose it is; `secrets` are what nobody may quote. */
export type Signed = {
  readonly kind: 'signed'
  readonly headers: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
}

export type Api = {
  /** For messages: "Hetzner Cloud". */
  readonly provider: string
  readonly endpoint: string
  sign(request: Request, span: Span): Promise<Signed | Failure>
  /** What an answer means that is not 2xx. Undefined where it is none of the provider's. */
  refusal(answer: Answer): Failure | undefined
}

/** For how long one look or one move may go on, over all its calls. */
export type Span = {
  readonly signal: AbortSignal
  /** Milliseconds, by the process's own clock. */
  readonly until: number
  readonly timeoutMs: number
}

export type Value<T> = { readonly kind: 'value'; readonly value: T }

export function spanOf(signal: AbortSignal, timeoutMs: number = callMs): Span {
  return { signal, until: performance.now() + timeoutMs, timeoutMs }
}

export function leftOf({ until }: Span): number {
  return Math.max(0, Math.floor(until - performance.now()))
}

/** One request, made once, and its answer as `schema` has it. */
export async function call<Schema extends z.ZodType>(
  api: Api,
  request: Request,
  schema: Schema,
  span: Span,
): Promise<Value<z.output<Schema>> | Failure> {
  const signed = await api.sign(request, span)
  if (signed.kind !== 'signed') return signed
  const timeoutMs = leftOf(span)
  if (timeoutMs === 0) return timedOut(span.timeoutMs)
  const { method, path, body } = request
  const { secrets } = signed
  const headers = {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': body.type }),
    ...signed.headers,
  }
  const asked = { method, url: `${api.endpoint}${path}`, headers, secrets, timeoutMs }
  const answer = await ask(body === undefined ? asked : { ...asked, body: body.text }, span.signal)
  if (answer.kind !== 'answered') return answer
  if (answer.status >= 200 && answer.status < 300) return jsonOf(answer, schema, api.provider)
  const refused = api.refusal(answer)
  if (refused === undefined) return strangeAnswer(api.provider, answer.status, answer.retryAfterMs)
  return { ...refused, code: harmless(refused.code, secrets), message: harmless(refused.message, secrets) }
}

export function asJson(value: object): NonNullable<Request['body']> {
  return { type: 'application/json', text: JSON.stringify(value) }
}

export function asForm(fields: Readonly<Record<string, string>>): NonNullable<Request['body']> {
  return { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(fields).toString() }
}

/** A refusal by the provider's own `code`: as `table` has it, or else by the status. */
export function refusalBy(
  table: Readonly<Record<string, Failure['kind']>>,
  { status, retryAfterMs }: Answer,
  said: { readonly code: string; readonly message: string; readonly afterMs?: number | undefined },
): Failure {
  const known = Object.hasOwn(table, said.code) ? table[said.code] : undefined
  return failure(known ?? kindOfStatus(status), said.code, said.message, retryAfterMs ?? said.afterMs)
}

/** What an answer that is not 2xx says by `schema`; undefined where it says something else, or is no JSON. */
export function saidIn<Schema extends z.ZodType>({ text }: Answer, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** A token that is sent as it is (RFC 6750). */
export function bearer(token: string): Signed {
  return { kind: 'signed', headers: { authorization: `Bearer ${token}` }, secrets: [token] }
}
