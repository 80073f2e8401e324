/** aws-eip against the strict EC2: the shared suite in both modes, and what is particular to an Elastic IP. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, expect, test, vi } from 'vitest'
import { createEc2 } from '../../../infra/lab/clouds/ec2.ts'
import { adapterCases } from '../adapter-cases.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, allocationId, ec2World, places } from './worlds.ts'

beforeEach(useLabCredentials)

adapterCases({ name: 'aws-eip', setup: () => ec2World({ strict: false }) })
adapterCases({ name: 'aws-eip, strict', setup: () => ec2World({ strict: true }) })
faultMatrix({ name: 'aws-eip', setup: () => ec2World({ strict: false }) })
faultMatrix({ name: 'aws-eip, strict', setup: () => ec2World({ strict: true }) })

const signal = new AbortController().signal

test('a move is one call that names interface and private address, and allows the reassociation', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  await world.setOutOfBand('n1')
  await adapter.apply({ node: 'n2', epoch: 1, token: 'whatever' }, signal)
  expect(ec2.requests.map(({ action, params }) => ({ action, params }))).toEqual([
    {
      action: 'AssociateAddress',
      params: {
        AllocationId: allocationId,
        NetworkInterfaceId: 'eni-2',
        PrivateIpAddress: '10.0.0.12',
        AllowReassociation: 'true',
      },
    },
  ])
  await world.end()
})

test('a strict move is two calls, each conditional', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: true })
  await world.setOutOfBand('n1')
  const seen = await adapter.observe(signal)
  if (seen.kind !== 'node') throw new Error(`unexpected ${seen.kind}`)
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: seen.token }, signal)).toEqual({ kind: 'done' })
  const [, disassociate, associate] = ec2.requests
  expect(disassociate).toMatchObject({ action: 'DisassociateAddress', params: { AssociationId: seen.token } })
  expect(associate).toMatchObject({ action: 'AssociateAddress', params: { AllowReassociation: 'false' } })
  await world.end()
})

test('a strict move from nothing loses against somebody who came first', async () => {
  const { adapter, world } = await ec2World({ strict: true })
  await world.setOutOfBand('foreign')
  const outcome = await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)
  expect(outcome).toMatchObject({ kind: 'conflict', code: 'Resource.AlreadyAssociated' })
  expect(await world.owner()).toBe('foreign')
  await world.end()
})

test('a failed call is made once', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  for (const kind of ['reset-before', 'reset-after'] as const) ec2.faults.add({ kind, next: 1 })
  ec2.faults.add({ kind: 'error', code: 'InternalError' })
  await adapter.observe(signal)
  await adapter.observe(signal)
  expect(ec2.requests.length).toBe(2)
  await world.end()
})

test('calls share a connection', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  for (let i = 0; i < 5; i += 1) await adapter.observe(signal)
  expect(ec2.connections()).toBe(1)
  await world.end()
})

test('a call that is not answered ends at its own deadline', async () => {
  const { world, ec2 } = await ec2World({ strict: false })
  const adapter = adapterAt(ec2.url, { callTimeoutMs: 200 })
  ec2.faults.add({ kind: 'hang-after' })
  const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)
  expect(outcome).toEqual({ kind: 'unknown', code: 'TimedOut', message: 'no answer within 200 ms' })
  expect(await world.owner()).toBe('n1')
  await world.end()
})

test('the provider says how long to wait', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  ec2.faults.add({ kind: 'error', code: 'RequestLimitExceeded', retryAfterSeconds: 7, next: 1 })
  expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'throttled', afterMs: 7_000 } })
  await world.end()
})

test('an instance that is not running yet is worth a retry', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  ec2.faults.add({ kind: 'error', code: 'IncorrectInstanceState', about: 'eni-2' })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toMatchObject({ kind: 'retry' })
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
  await world.end()
})

test('the secondary address of an interface is another place than its primary one', async () => {
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  ec2.setOutOfBand(allocationId, { ...places.n1, privateIpAddress: '10.0.0.1' })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'foreign', what: 'eni-1 (10.0.0.1)' })
  await world.end()
})

test('an allocation that does not exist is permanent', async () => {
  const { world, ec2 } = await ec2World({ strict: false })
  const adapter = adapterAt(ec2.url, { allocationId: 'eipalloc-404' })
  const failure = { kind: 'permanent', code: 'InvalidAllocationID.NotFound' }
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure })
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject(failure)
  await world.end()
})

test('wrong credentials are permanent, and are not quoted', async () => {
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'not-the-secret')
  const { adapter, world } = await ec2World({ strict: false })
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ failure: { kind: 'permanent', code: 'AuthFailure' } })
  expect(JSON.stringify(seen)).not.toMatch(/not-the-secret|AKIA/)
  await world.end()
})

test('no credentials at all are permanent', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent/credentials')
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent/config')
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  const { adapter, world, ec2 } = await ec2World({ strict: false })
  expect(await adapter.observe(signal)).toMatchObject({
    failure: { kind: 'permanent', code: 'NoCredentials' },
  })
  expect(ec2.requests.length).toBe(0)
  await world.end()
})

test('a clock that is off is named with its offset, and the next call is signed by the right time', async () => {
  const clock = () => new Date(Date.now() - 600_000)
  const { adapter, world } = await ec2World({ strict: false, clock })
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ failure: { kind: 'permanent', code: 'RequestExpired' } })
  expect(JSON.stringify(seen)).toMatch(/this machine's clock is (599|600|601) s ahead of the provider's/)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  await world.end()
})

test.each([
  { status: 200, body: '<html><title>log in</title></html>', kind: 'unknown' },
  { status: 200, body: 'no XML', kind: 'unknown' },
  { status: 302, body: '', kind: 'unknown' },
  { status: 404, body: '{"error":"not found"}', kind: 'permanent' },
  { status: 429, body: '', kind: 'throttled' },
  { status: 502, body: '<html>bad gateway</html>', kind: 'unknown' },
  { status: 503, body: '', kind: 'retry' },
])("an answer that is none of EC2's: $status $body", async ({ status, body, kind }) => {
  const server = createServer((_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ kind: 'unknown', failure: { kind, code: `HTTP ${status}` } })
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject({ kind })
  adapter.dispose()
  server.close()
})

test('an endpoint by name, with several addresses that all refuse, is worth a retry', async () => {
  const ec2 = await createEc2({ addresses: [], interfaces: [] })
  await ec2.close()
  const adapter = adapterAt(ec2.url.replace('127.0.0.1', 'localhost'))
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ failure: { kind: 'retry', code: 'ECONNREFUSED' } })
  expect(JSON.stringify(seen)).not.toContain('no reason')
})
