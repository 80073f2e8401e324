/**
 * What an error of an AWS API, or of the way to it, means to control: one table for all services, and one of each.
 *
 * A message is written for the operator and never holds a secret: what the provider says is shortened and stripped
 * of whatever belongs to a signature, and errors about credentials are not quoted at all.
 */
import type { Failure } from '../adapter.ts'
import {
  type AnyError,
  clockRemark,
  type FailureKind,
  failure,
  harmless,
  kindOfStatus,
  retryAfterMs,
  strangeAnswer,
  transportFailure,
} from '../failures.ts'

/** What a service has beside the codes that all of AWS shares. */
export type ErrorTable = {
  /** For people: "EC2". */
  readonly provider: string
  readonly codes: Readonly<Record<string, FailureKind>>
  /** For codes without a fixed spelling or meaning. Asked first. */
  readonly kindOf?: (code: string, message: string) => FailureKind | undefined
}

const shared: Readonly<Record<string, FailureKind>> = {
  // Too many calls. Buckets are shared by the whole account in a region.
  RequestLimitExceeded: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  ThrottledException: 'throttled',
  RequestThrottled: 'throttled',
  RequestThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  // The provider's own trouble.
  InternalError: 'retry',
  InternalFailure: 'retry',
  Unavailable: 'retry',
  ServiceUnavailable: 'retry',
  // A person must act. Unknown codes end here too; these are listed because the reference names them.
  InvalidParameterValue: 'permanent',
  InvalidParameterCombination: 'permanent',
  MissingParameter: 'permanent',
  AuthFailure: 'permanent',
  UnauthorizedOperation: 'permanent',
  AccessDenied: 'permanent',
  RequestExpired: 'permanent',
  SignatureDoesNotMatch: 'permanent',
  InvalidClientTokenId: 'permanent',
  UnrecognizedClientException: 'permanent',
  ExpiredToken: 'permanent',
  ExpiredTokenException: 'permanent',
  OptInRequired: 'permanent',
}

/** Credentials that have run out. EC2 says RequestExpired, of a clock that is off as well. */
const expiredCodes: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired'])

/** The credentials are refused: others may do. Messages may quote the request that was signed, session token included. */
export const credentialCodes: ReadonlySet<string> = new Set([
  ...expiredCodes,
  'AuthFailure',
  'SignatureDoesNotMatch',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
])

/** What the SDK throws. */
type SdkError = AnyError & {
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
}

/** The failure that an error thrown by a call is. `now` is this machine's clock, which may itself be the reason. */
export function failureOf(error: unknown, table: ErrorTable, now: Date): Failure {
  const thrown: SdkError = typeof error === 'object' && error !== null ? error : { message: String(error) }
  const name = typeof thrown.name === 'string' ? thrown.name : 'Error'
  const status = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode
  return status === undefined ? transportFailure(thrown) : answeredFailure(thrown, { name, status, table, now })
}

/** The provider answered, with an error or with something that is not its protocol. */
function answeredFailure(
  thrown: SdkError,
  { name: code, status, table, now }: { name: string; status: number; table: ErrorTable; now: Date },
): Failure {
  // What the SDK calls an error that it found no code in: the answer of a proxy, or of another service.
  if (code === 'Unknown' || code === 'Error') return strangeAnswer(table.provider, status)
  const headers = thrown.$response?.headers ?? {}
  const message = credentialCodes.has(code)
    ? refusedCredentials(code, clockRemark(headers.date, now))
    : harmless(thrown.message)
  const kind =
    table.kindOf?.(code, String(thrown.message)) ??
    table.codes[code] ??
    shared[code] ??
    (/throttl/i.test(code) ? 'throttled' : kindOfStatus(status))
  return failure(kind, code, message, retryAfterMs(headers['retry-after'], now))
}

function refusedCredentials(code: string, clock: string): string {
  if (clock === '' && expiredCodes.has(code)) return 'the credentials have expired: renew them where they come from'
  return `the provider refuses the credentials or the signature${clock}`
}
