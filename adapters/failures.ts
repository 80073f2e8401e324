/**
 * What every provider's failures have in common: the way to it that broke, an answer that is none of its own, how long
 * to wait, and words that may be shown.
 */
import type { Failure } from './adapter.ts'

export type FailureKind = Failure['kind']

/** How long to wait when the provider says it is too much, but not for how long, in milliseconds. */
export const defaultThrottleMs = 2_000

/** What is used of an error: the runtime's, a library's, or one that nobody foresaw. */
export type AnyError = {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly syscall?: unknown
  readonly cause?: unknown
}

/** Errors of the transport, by code. Whatever is not here may have reached the provider. */
const byTransportCode: Readonly<Record<string, 'retry' | 'permanent' | 'unknown'>> = {
  // There was no connection, so nothing was sent.
  ECONNREFUSED: 'retry',
  ENOTFOUND: 'retry',
  EAI_AGAIN: 'retry',
  EAI_FAIL: 'retry',
  EHOSTUNREACH: 'retry',
  EHOSTDOWN: 'retry',
  ENETUNREACH: 'retry',
  ENETDOWN: 'retry',
  EADDRNOTAVAIL: 'retry',
  UND_ERR_CONNECT_TIMEOUT: 'retry',
  // The other side is not who it should be, and was told nothing.
  CERT_HAS_EXPIRED: 'permanent',
  CERT_NOT_YET_VALID: 'permanent',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'permanent',
  SELF_SIGNED_CERT_IN_CHAIN: 'permanent',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'permanent',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'permanent',
  ERR_TLS_CERT_ALTNAME_INVALID: 'permanent',
  // The connection was lost on the way.
  ECONNRESET: 'unknown',
  EPIPE: 'unknown',
  ETIMEDOUT: 'unknown',
}

/** There was no answer: what `error`, thrown by a call, means. */
export function transportFailure(error: unknown): Failure {
  const thrown = innermost(error)
  const name = typeof thrown.name === 'string' ? thrown.name : 'Error'
  const code = typeof thrown.code === 'string' ? thrown.code : name
  // An error that gathers the refusals of several addresses has no words of its own.
  const message = thrown.message === '' ? `no connection: ${code}` : harmless(thrown.message)
  // A time-out while connecting is told from one while waiting by the system call, or by the SDK's own words.
  const connecting = thrown.syscall === 'connect' || /did not establish a connection/.test(message)
  if (connecting && (code === 'ETIMEDOUT' || code === 'TimeoutError')) return { kind: 'retry', code, message }
  return { kind: byTransportCode[code] ?? 'unknown', code, message }
}

/** `fetch` hides what went wrong in a cause, and a library around it that once more. Deeper than `depth` nobody looks. */
function innermost(error: unknown, depth = 8): AnyError {
  const thrown: AnyError = typeof error === 'object' && error !== null ? error : { message: String(error) }
  const { cause } = thrown
  const inside = thrown.code === undefined && typeof cause === 'object' && cause !== null && depth > 0
  return inside ? innermost(cause, depth - 1) : thrown
}

/** What an answer means of which only the status can be understood. */
export function kindOfStatus(status: number): FailureKind {
  if (status === 429) return 'throttled'
  // A gateway on the way, or half an answer, does not know what became of the request.
  if (status === 502 || status === 504 || status < 400) return 'unknown'
  return status >= 500 ? 'retry' : 'permanent'
}

/** An answer with a status, and nothing else that `provider` ("EC2") would say. */
export function strangeAnswer(provider: string, status: number, afterMs = defaultThrottleMs): Failure {
  const code = `HTTP ${status}`
  const message = `the answer is none of ${provider}'s (HTTP status ${status}); is the endpoint right, or is there a proxy?`
  const kind = kindOfStatus(status)
  return kind === 'throttled' ? { kind, code, message, afterMs } : { kind, code, message }
}

/** A failure of `kind`, for which the provider says `message`: with a wait where there must be one. */
export function failure(kind: FailureKind, code: string, message: string, afterMs = defaultThrottleMs): Failure {
  return kind === 'throttled' ? { kind, code, message, afterMs } : { kind, code, message }
}

export const givenUp: Failure = { kind: 'unknown', code: 'Aborted', message: 'the call was given up by its caller' }

export function timedOut(ms: number): Failure {
  return { kind: 'unknown', code: 'TimedOut', message: `no answer within ${ms} ms` }
}

export function noTarget(node: string): Failure {
  return { kind: 'permanent', code: 'NoTarget', message: `there is no target for ${node}` }
}

/** The longest time that is waited because a provider says so, in milliseconds: a wrong date must not stop a service. */
export const longestWaitMs = 600_000

/** Retry-After is seconds or a date (RFC 9110, sections 10.2.3 and 5.6.7). Undefined when there is none. */
export function retryAfterMs(value: string | null | undefined, now: Date): number | undefined {
  const given = value?.trim() ?? ''
  const wait = /^\d+(\.\d+)?$/.test(given) ? Number(given) * 1000 : dateOf(given) - now.getTime()
  return Number.isNaN(wait) ? undefined : Math.min(longestWaitMs, Math.max(0, Math.ceil(wait)))
}

/** The oldest of the three forms of a date names no zone, and means the same one as the others. */
function dateOf(given: string): number {
  if (!/^[A-Z][a-z]{2,8},? /.test(given)) return Number.NaN
  return Date.parse(given.endsWith('GMT') ? given : `${given} GMT`)
}

/** A clock that is off is the most common reason for a refused signature after wrong credentials. `date`: their header. */
export function clockRemark(date: string | null | undefined, now: Date): string {
  const theirs = Date.parse(date ?? '')
  if (Number.isNaN(theirs)) return ''
  const offSeconds = Math.round((now.getTime() - theirs) / 1000)
  if (Math.abs(offSeconds) < 60) return ''
  return `; this machine's clock is ${Math.abs(offSeconds)} s ${offSeconds > 0 ? 'ahead of' : 'behind'} the provider's`
}

const longestMessage = 300

/** The provider's words in one line, without `secrets`, access keys, signatures, tokens and encoded blobs. */
export function harmless(message: unknown, secrets: readonly string[] = []): string {
  const line = withhold(withhold(String(message ?? ''), secrets).replace(/\s+/g, ' '), secrets)
    .replace(
      /\b(x-amz-security-token|authorization|credential|signature|x-api-key)["']?\s*[:=]\s*["']?((bearer|basic)\s+)?[^\s"']+/gi,
      '$1 withheld',
    )
    .replace(/\b(AKIA|ASIA)[A-Z0-9]{12,}\b/g, '$1…')
    // An encoded authorization failure is hundreds of characters, and only the account's owner can decode it.
    .replace(/[A-Za-z0-9+/=_-]{64,}/g, '…')
    .trim()
  if (line === '') return 'no reason was given'
  return line.length > longestMessage ? `${line.slice(0, longestMessage)}…` : line
}

/** Without `secrets`, also as they stand in one line, in JSON or in a URL. The longest go first: one may begin another. */
function withhold(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => {
      const folded = secret.replace(/\s+/g, ' ')
      return [secret, folded, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())]
    })
    .filter((form) => form.trim() !== '')
    .sort((one, other) => other.length - one.length)
    .reduce((rest, form) => rest.replaceAll(form, 'withheld'), text)
}
