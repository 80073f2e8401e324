/** The table of errors, row by row, without a network. */
import { expect, test } from 'vitest'
import { ec2Errors } from '../../../adapters/aws/ec2-errors.ts'
import { failureOf as failureOfAws } from '../../../adapters/aws/errors.ts'
import { defaultThrottleMs } from '../../../adapters/failures.ts'

const failureOf = (error: unknown, at: Date) => failureOfAws(error, ec2Errors, at)

const now = new Date('2026-11-22T12:00:00Z')

/** An error as the SDK throws it for an answer of EC2. */
function answered(
  code: string,
  status: number,
  more: { message?: string; headers?: Record<string, string> } = {},
): Error {
  const { message = 'said EC2', headers = {} } = more
  const error = Object.assign(new Error(message), {
    $metadata: { httpStatusCode: status },
    $response: { statusCode: status, headers },
  })
  error.name = code
  return error
}

/** An error as Node throws it for a connection. */
function broken(code: string, more: { name?: string; syscall?: string; message?: string } = {}): Error {
  const { message = `it broke: ${code}`, name = 'Error', syscall } = more
  const error = Object.assign(new Error(message), { code, ...(syscall === undefined ? {} : { syscall }) })
  error.name = name
  return error
}

test.each([
  ['RequestLimitExceeded', 503, 'throttled'],
  ['Throttling', 400, 'throttled'],
  ['ThrottlingException', 400, 'throttled'],
  ['SomeNewThrottlingCode', 400, 'throttled'],
  ['InternalError', 500, 'retry'],
  ['Unavailable', 503, 'retry'],
  ['ServiceUnavailable', 503, 'retry'],
  ['SomethingNew', 500, 'retry'],
  ['InvalidInstanceID.NotFound', 400, 'retry'],
  ['InvalidNetworkInterfaceID.NotFound', 400, 'retry'],
  ['IncorrectInstanceState', 400, 'retry'],
  ['Resource.AlreadyAssociated', 400, 'conflict'],
  ['InvalidAssociationID.NotFound', 400, 'conflict'],
  ['InvalidIPAddress.InUse', 400, 'conflict'],
  ['RouteAlreadyExists', 400, 'conflict'],
  ['InvalidRoute.NotFound', 400, 'conflict'],
  ['InvalidRouteTableID.NotFound', 400, 'permanent'],
  ['RouteLimitExceeded', 400, 'permanent'],
  ['InvalidAllocationID.NotFound', 400, 'permanent'],
  ['InvalidAddress.NotFound', 400, 'permanent'],
  ['InvalidParameterValue', 400, 'permanent'],
  ['InvalidParameterCombination', 400, 'permanent'],
  ['OperationNotPermitted', 400, 'permanent'],
  ['PrivateIpAddressLimitExceeded', 400, 'permanent'],
  ['AuthFailure', 401, 'permanent'],
  ['UnauthorizedOperation', 403, 'permanent'],
  ['RequestExpired', 400, 'permanent'],
  ['SomethingNew', 400, 'permanent'],
] as const)('EC2 says %s with %i: %s', (code, status, kind) => {
  expect(failureOf(answered(code, status), now)).toMatchObject({ kind, code })
})

test.each([
  ["There is no route defined for '10.99.0.10/32' in the route table. Use CreateRoute instead.", 'conflict'],
  ['Some of the specified addresses are not assigned to interface eni-1', 'conflict'],
  ['[2001:db8::1] is already assigned to another interface', 'conflict'],
  ["Address 10.1.0.1 does not fall within the subnet's address range", 'permanent'],
] as const)('InvalidParameterValue means what its message says: %s', (message, kind) => {
  expect(failureOf(answered('InvalidParameterValue', 400, { message }), now)).toMatchObject({ kind })
})

test('an instance that is still pending is worth a retry, and one that does not fit is not', () => {
  const message = "The pending instance 'i-1' is not in a valid state for this operation."
  expect(failureOf(answered('InvalidInstanceID', 400, { message }), now)).toMatchObject({ kind: 'retry' })
  expect(failureOf(answered('InvalidInstanceID', 400), now)).toMatchObject({ kind: 'permanent' })
})

test.each([
  [broken('ECONNREFUSED', { syscall: 'connect' }), 'retry'],
  [broken('ENOTFOUND', { syscall: 'getaddrinfo' }), 'retry'],
  [broken('EAI_AGAIN', { syscall: 'getaddrinfo' }), 'retry'],
  [broken('EHOSTUNREACH', { syscall: 'connect' }), 'retry'],
  [broken('ENETUNREACH', { syscall: 'connect' }), 'retry'],
  [broken('ETIMEDOUT', { name: 'TimeoutError', syscall: 'connect' }), 'retry'],
  [broken('ETIMEDOUT', { name: 'TimeoutError', syscall: 'read' }), 'unknown'],
  [broken('ECONNRESET', { name: 'TimeoutError', syscall: 'read' }), 'unknown'],
  [broken('ECONNRESET', { message: 'socket hang up' }), 'unknown'],
  [broken('EPIPE', { syscall: 'write' }), 'unknown'],
  [broken('CERT_HAS_EXPIRED'), 'permanent'],
  [broken('ERR_TLS_CERT_ALTNAME_INVALID'), 'permanent'],
  [broken('ENOBODYKNOWS'), 'unknown'],
  [new TypeError('a bug in the SDK'), 'unknown'],
  ['not even an error', 'unknown'],
  [undefined, 'unknown'],
] as const)('the connection fails with %o: %s', (error, kind) => {
  expect(failureOf(error, now)).toMatchObject({ kind })
})

test('a time-out while connecting, in the words of the SDK, is worth a retry', () => {
  const error = new Error('the request socket did not establish a connection with the server within 3000 ms.')
  error.name = 'TimeoutError'
  expect(failureOf(error, now)).toMatchObject({ kind: 'retry' })
})

test.each([
  [{ 'retry-after': '12' }, 12_000],
  [{ 'retry-after': 'Sun, 22 Nov 2026 12:00:05 GMT' }, 5_000],
  [{ 'retry-after': 'Sun, 22 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, defaultThrottleMs],
  [{}, defaultThrottleMs],
] as const)('throttled with %o: not before %i ms', (headers, afterMs) => {
  const error = answered('RequestLimitExceeded', 503, { headers })
  expect(failureOf(error, now)).toMatchObject({ kind: 'throttled', afterMs })
})

test('a refused signature names the clock only when it is off', () => {
  const off = answered('RequestExpired', 400, { headers: { date: 'Sun, 22 Nov 2026 12:10:00 GMT' } })
  expect(failureOf(off, now).message).toContain("clock is 600 s behind the provider's")
  const right = answered('AuthFailure', 401, { headers: { date: 'Sun, 22 Nov 2026 12:00:01 GMT' } })
  expect(failureOf(right, now).message).not.toContain('clock')
})

test.each([
  ['access key', 'User AKIAIOSFODNN7EXAMPLE is not authorized', 'AKIAIOSFODNN7EXAMPLE'],
  ['session token', 'x-amz-security-token:FwoGZXIvYXdzEB4aDH and more', 'FwoGZXIvYXdzEB4aDH'],
  ['signature', 'Authorization: AWS4-HMAC Credential=AKIAX/1/2, Signature=abcdef0123', 'abcdef0123'],
  ['encoded blob', `Encoded authorization failure message: ${'Ab1_'.repeat(40)}`, 'Ab1_Ab1_'],
] as const)('a message does not quote an %s', (_name, message, secret) => {
  expect(failureOf(answered('UnauthorizedOperation', 403, { message }), now).message).not.toContain(secret)
})

test('an error about a signature is not quoted at all', () => {
  const message = "The Canonical String should have been 'POST / x-amz-security-token:secret'"
  for (const code of ['AuthFailure', 'SignatureDoesNotMatch', 'RequestExpired']) {
    expect(failureOf(answered(code, 403, { message }), now).message).not.toContain('secret')
  }
})

test('credentials that have expired are said to have, unless the clock is off', () => {
  const { date } = { date: now.toUTCString() }
  for (const code of ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired']) {
    const failure = failureOf(answered(code, 403, { headers: { date } }), now)
    expect(failure).toMatchObject({ kind: 'permanent', code })
    expect(failure.message).toMatch(/^the credentials have expired/)
  }
})

test('a message is one line of bounded length', () => {
  const { message } = failureOf(answered('InvalidParameterValue', 400, { message: 'so many words\n'.repeat(100) }), now)
  expect(message).not.toContain('\n')
  expect(message.length).toBeLessThanOrEqual(301)
})
