/**
 * What an error of the EC2 API, or of the way to it, means to control: a table.
 *
 * A message is written for the operator and never holds a secret: what the provider says is shortened and stripped
 * of whatever belongs to a signature, and errors about credentials are not quoted at all.
 */
import type { Failure } from '../adapter.ts'

type FailureKind = Failure['kind']

/** How long to wait when the provider says it is too much, but not for how long, in milliseconds. */
export const defaultThrottleMs = 2_000

const byAwsCode: Readonly<Record<string, FailureKind>> = {
  // Too many calls. EC2 keeps one bucket for each action, shared by the whole account in a region.
  RequestLimitExceeded: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  ThrottledException: 'throttled',
  RequestThrottled: 'throttled',
  RequestThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  EC2ThrottledException: 'throttled',
  // The provider's own trouble.
  InternalError: 'retry',
  InternalFailure: 'retry',
  Unavailable: 'retry',
  ServiceUnavailable: 'retry',
  // Eventual consistency, and machines that are still starting.
  'InvalidInstanceID.NotFound': 'retry',
  'InvalidNetworkInterfaceID.NotFound': 'retry',
  IncorrectInstanceState: 'retry',
  // The resource is not as it was observed.
  'Resource.AlreadyAssociated': 'conflict',
  'InvalidAssociationID.NotFound': 'conflict',
  'InvalidIPAddress.InUse': 'conflict',
  // A person must act. Unknown codes end here too; these are listed because the reference names them.
  'InvalidAllocationID.NotFound': 'permanent',
  'InvalidAddress.NotFound': 'permanent',
  InvalidParameterValue: 'permanent',
  InvalidParameterCombination: 'permanent',
  MissingParameter: 'permanent',
  OperationNotPermitted: 'permanent',
  PrivateIpAddressLimitExceeded: 'permanent',
  AuthFailure: 'permanent',
  UnauthorizedOperation: 'permanent',
  RequestExpired: 'permanent',
  SignatureDoesNotMatch: 'permanent',
  InvalidClientTokenId: 'permanent',
  OptInRequired: 'permanent',
}

/** Errors of the transport, by Node's code. Whatever is not here may have reached the provider. */
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

/** Errors that the SDK makes itself before it sends anything. */
const credentialErrors: ReadonlySet<string> = new Set(['CredentialsProviderError', 'TokenProviderError'])

/** What is used of an error: the SDK's, Node's, or one that nobody foresaw. */
type AnyError = {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  readonly syscall?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

/** The failure that an error thrown by a call is. `now` is this machine's clock, which may itself be the reason. */
export function failureOf(error: unknown, now: Date): Failure {
  const thrown: AnyError = typeof error === 'object' && error !== null ? error : { message: String(error) }
  const name = typeof thrown.name === 'string' ? thrown.name : 'Error'
  if (credentialErrors.has(name)) {
    return { kind: 'permanent', code: name, message: 'no AWS credentials: none of the usual sources gave any' }
  }
  const status = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode
  return status === undefined ? transportFailure(thrown, name) : answeredFailure(thrown, { name, status, now })
}

/** The provider answered, with an error or with something that is not its protocol. */
function answeredFailure(thrown: AnyError, answer: { name: string; status: number; now: Date }): Failure {
  const { status, now } = answer
  // What the SDK calls an error that it found no code in: the answer of a proxy, or of another service.
  if (answer.name === 'Unknown' || answer.name === 'Error') return strangeAnswer(status)
  const code = answer.name
  const kind = byAwsCode[code] ?? kindOfAnswer(thrown, { code, status })
  const headers = thrown.$response?.headers ?? {}
  const message = signatureErrors.has(code)
    ? `the provider refuses the credentials or the signature${clockRemark(headers, now)}`
    : harmless(thrown.message)
  if (kind === 'throttled') return { kind, code, message, afterMs: retryAfterMs(headers, now) ?? defaultThrottleMs }
  return { kind, code, message }
}

/** An answer with a status, and nothing else that EC2 would say. */
export function strangeAnswer(status: number): Failure {
  const code = `HTTP ${status}`
  const message = `the answer is none of EC2's (HTTP status ${status}); is the endpoint right, or is there a proxy?`
  const kind = kindOfAnswer({}, { code, status })
  return kind === 'throttled' ? { kind, code, message, afterMs: defaultThrottleMs } : { kind, code, message }
}

/** The kind of an answer whose code the table does not name. */
function kindOfAnswer(thrown: AnyError, { code, status }: { code: string; status: number }): FailureKind {
  // EC2 has one code without a fixed spelling: InvalidInstanceID about an instance that is still pending.
  if (code === 'InvalidInstanceID' && /pending/i.test(String(thrown.message))) return 'retry'
  if (/throttl/i.test(code) || status === 429) return 'throttled'
  // A gateway on the way, or half an answer, does not know what became of the request.
  if (status === 502 || status === 504 || status < 400) return 'unknown'
  return status >= 500 ? 'retry' : 'permanent'
}

/** There was no answer. */
function transportFailure(thrown: AnyError, name: string): Failure {
  const code = typeof thrown.code === 'string' ? thrown.code : name
  // An error that gathers the refusals of several addresses has no words of its own.
  const message = thrown.message === '' ? `no connection: ${code}` : harmless(thrown.message)
  // A time-out while connecting is told from one while waiting by the system call, or by the SDK's own words.
  const connecting = thrown.syscall === 'connect' || /did not establish a connection/.test(message)
  if (connecting && (code === 'ETIMEDOUT' || code === 'TimeoutError')) return { kind: 'retry', code, message }
  return { kind: byTransportCode[code] ?? 'unknown', code, message }
}

/** Their messages may quote the request that was signed, session token included. */
const signatureErrors: ReadonlySet<string> = new Set([
  'AuthFailure',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'InvalidClientTokenId',
])

/** The most common reason for a refused signature after wrong credentials: a clock that is off. */
function clockRemark(headers: Readonly<Record<string, string>>, now: Date): string {
  const theirs = Date.parse(headers.date ?? '')
  if (Number.isNaN(theirs)) return ''
  const offSeconds = Math.round((now.getTime() - theirs) / 1000)
  if (Math.abs(offSeconds) < 60) return ''
  return `; this machine's clock is ${Math.abs(offSeconds)} s ${offSeconds > 0 ? 'ahead of' : 'behind'} the provider's`
}

/** Retry-After is seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(headers: Readonly<Record<string, string>>, now: Date): number | undefined {
  const value = headers['retry-after']?.trim()
  if (value === undefined || value === '') return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}

const longestMessage = 300

/** The provider's words in one line, without access keys, signatures, tokens and encoded blobs. */
function harmless(message: unknown): string {
  const line = String(message ?? '')
    .replace(/\s+/g, ' ')
    .replace(/\b(x-amz-security-token|authorization|credential|signature)\s*[:=]\s*\S+/gi, '$1 withheld')
    .replace(/\b(AKIA|ASIA)[A-Z0-9]{12,}\b/g, '$1…')
    // An encoded authorization failure is hundreds of characters, and only the account's owner can decode it.
    .replace(/[A-Za-z0-9+/=_-]{64,}/g, '…')
    .trim()
  if (line === '') return 'no reason was given'
  return line.length > longestMessage ? `${line.slice(0, longestMessage)}…` : line
}
