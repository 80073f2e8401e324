/**
 * A provider's JSON API: who asks, what an answer must be, what a refusal means, and one deadline for all the calls of
 * one look or one move.
 */
import type { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { type FailureKind, failure, harmless, kindOfStatus, strangeAnswer, timedOut } from '../failures.ts'
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
  /** Told the answer's status, or that there was none. True: signed anew, the request is worth sending once more. */
  answered?(status: number | undefined): boolean
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

/** What a request carries. Where that cannot be had nothing is sent, so that nothing can have happened. */
export async function sign(api: Api, request: Request, span: Span): Promise<Signed | Failure> {
  const signed = await api.sign(request, span)
  return signed.kind === 'unknown' && !span.signal.aborted ? { ...signed, kind: 'retry' } : signed
}

/** One request, and its answer where that is a success. */
export async function answerTo(api: Api, request: Request, span: Span, isFirst = true): Promise<Answer | Failure> {
  const signed = await sign(api, request, span)
  if (signed.kind !== 'signed') return signed
  const answer = await send(api, request, signed, span)
  const status = answer.kind === 'answered' ? answer.status : undefined
  const isWorthAnother = signed.answered?.(status) ?? false
  if (answer.kind !== 'answered' || (answer.status >= 200 && answer.status < 300)) return answer
  // What was refused for whose it is had no effect, so that sending it again is safe.
  if (isWorthAnother && isFirst) return answerTo(api, request, span, false)
  const refused = api.refusal(answer)
  if (refused === undefined) return strangeAnswer(api.provider, answer.status, answer.retryAfterMs)
  return withheld(refused, signed.secrets)
}

function send(api: Api, { method, path, body }: Request, signed: Signed, span: Span): Promise<Answer | Failure> {
  const timeoutMs = leftOf(span)
  if (timeoutMs === 0) return Promise.resolve(timedOut(span.timeoutMs))
  const headers = {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': body.type }),
    ...signed.headers,
  }
  const asked = { method, url: `${api.endpoint}${path}`, headers, secrets: signed.secrets, timeoutMs }
  return ask(body === undefined ? asked : { ...asked, body: body.text }, span.signal)
}

/** One request, and its answer as `schema` has it. */
export async function call<Schema extends z.ZodType>(
  api: Api,
  request: Request,
  schema: Schema,
  span: Span,
): Promise<Value<z.output<Schema>> | Failure> {
  const answer = await answerTo(api, request, span)
  return answer.kind === 'answered' ? jsonOf(answer, schema, api.provider) : answer
}

/** The provider's words, without anything that nobody may quote. */
export function withheld<F extends Failure>(failed: F, secrets: readonly string[]): F {
  return { ...failed, code: harmless(failed.code, secrets), message: harmless(failed.message, secrets) }
}

export function asJson(value: object): NonNullable<Request['body']> {
  return { type: 'application/json', text: JSON.stringify(value) }
}

export function asForm(fields: Readonly<Record<string, string>>): NonNullable<Request['body']> {
  return { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(fields).toString() }
}

/** What each of a provider's own codes means. Whatever is not in it goes by the status. */
export type Kinds = Readonly<Record<string, FailureKind>>

/** A refusal by the provider's own `code`: as `kinds` has it, or else by the status. */
export function refusalBy(
  kinds: Kinds,
  { status, retryAfterMs }: Answer,
  said: { readonly code: string; readonly message: string; readonly afterMs?: number | undefined },
): Failure {
  const kind = kindBy(kinds, said.code) ?? kindBy(kinds, `HTTP ${status}`) ?? kindOfStatus(status)
  return failure(kind, said.code, said.message, retryAfterMs ?? said.afterMs)
}

export function kindBy(kinds: Kinds, code: string): FailureKind | undefined {
  return Object.hasOwn(kinds, code) ? kinds[code] : undefined
}

/** What an answer that is not 2xx says by `schema`; undefined where it says something else, or is no JSON. */
export function saidIn<Schema extends z.ZodType>({ text }: Answer, schema: Schema): z.output<Schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
