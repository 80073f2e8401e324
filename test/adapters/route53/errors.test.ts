/** What Route 53's errors mean, in either document that it refuses a batch in. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, test } from 'vitest'
import { adapterAt, useLabCredentials } from './worlds.ts'

beforeEach(useLabCredentials)

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/'
const errorResponse = (code: string, message: string) =>
  `<?xml version="1.0"?><ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${code}</Code>\
<Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`
const invalidBatch = (...messages: string[]) =>
  `<?xml version="1.0"?><InvalidChangeBatch xmlns="${namespace}"><Messages>\
${messages.map((message) => `<Message>${message}</Message>`).join('')}</Messages></InvalidChangeBatch>`

const which = "resource record set [name='vip.example.com.', type='A']"
const mismatch = `Tried to delete ${which} but the values provided do not match the current values`
const missing = `Tried to delete ${which} but it was not found`
const exists = `Tried to create ${which} but it already exists`
const illegal = "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address encountered with '300.1.1.1''"

test.each([
  { code: 'InvalidChangeBatch', body: errorResponse('InvalidChangeBatch', `[${mismatch}]`), kind: 'conflict' },
  { code: 'InvalidChangeBatch', body: errorResponse('InvalidChangeBatch', `[${missing}]`), kind: 'conflict' },
  { code: 'InvalidChangeBatch', body: errorResponse('InvalidChangeBatch', `[${exists}]`), kind: 'conflict' },
  { code: 'InvalidChangeBatch', body: errorResponse('InvalidChangeBatch', `[${illegal}]`), kind: 'permanent' },
  { code: 'InvalidChangeBatch', body: invalidBatch(mismatch), kind: 'conflict' },
  { code: 'InvalidChangeBatch', body: invalidBatch(illegal, missing), kind: 'conflict' },
  { code: 'InvalidChangeBatch', body: invalidBatch(illegal), kind: 'permanent' },
  { code: 'PriorRequestNotComplete', kind: 'retry' },
  { code: 'Throttling', kind: 'throttled' },
  { code: 'ThrottlingException', kind: 'throttled' },
  { code: 'InvalidInput', kind: 'permanent' },
  { status: 404, code: 'NoSuchHostedZone', kind: 'permanent' },
  { status: 403, code: 'AccessDenied', kind: 'permanent' },
  { status: 403, code: 'ExpiredToken', kind: 'permanent' },
  { status: 403, code: 'SignatureDoesNotMatch', kind: 'permanent' },
  { status: 500, code: 'InternalFailure', kind: 'retry' },
  { status: 503, code: 'ServiceUnavailable', kind: 'retry' },
])('$code is $kind ($body)', async ({ status = 400, code, body = errorResponse(code, 'as it is'), kind }) => {
  const server = createServer((_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, AbortSignal.timeout(10_000))
  expect(outcome).toMatchObject({ kind, code })
  expect(outcome.kind !== 'done' && outcome.message).not.toBe('no reason was given')
  adapter.dispose()
  server.close()
})
