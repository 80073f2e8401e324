/** aws-route against the strict EC2: the shared suite, several tables, and what is particular to routes. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { awsRouteSchema } from '../../../adapters/aws-route/schema.ts'
import { dryRun, type Ec2 } from '../../../infra/lab/clouds/ec2.ts'
import { adapterCases } from '../adapter-cases.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, at, destination, lead, routeIn, routeWorld } from './worlds.ts'

beforeEach(useLabCredentials)

const three = ['rtb-1', 'rtb-2', 'rtb-3']

adapterCases({ name: 'aws-route', setup: () => routeWorld() })
adapterCases({ name: 'aws-route, IPv6', setup: () => routeWorld({ destination: '2001:db8:99::/64' }) })
faultMatrix({ name: 'aws-route', setup: () => routeWorld() })
faultMatrix({ name: 'aws-route, three tables', setup: () => routeWorld({ routeTables: three }) })

const signal = new AbortController().signal

async function tokenSeen(adapter: Adapter) {
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error(JSON.stringify(seen.failure))
  return seen.token
}

function calls(ec2: Ec2) {
  const writes = ec2.requests.filter(({ action }) => !action.startsWith('Describe'))
  return writes.map(({ action, outcome, params }) => `${action} ${params.RouteTableId}: ${outcome}`).sort()
}

describe('a write', () => {
  test.each([
    ['10.99.0.10/32', 'DestinationCidrBlock'],
    ['2001:db8:99::/64', 'DestinationIpv6CidrBlock'],
    ['pl-1', 'DestinationPrefixListId'],
  ])('to %s replaces a route that is there, and makes one that is not', async (to, parameter) => {
    const { adapter, world, ec2 } = await routeWorld({ destination: to })
    const begun = await tokenSeen(adapter)
    expect(await adapter.apply({ node: 'n1', epoch: 1, token: begun }, signal)).toEqual({ kind: 'done' })
    const token = await tokenSeen(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 2, token }, signal)).toEqual({ kind: 'done' })
    expect(calls(ec2)).toEqual(['CreateRoute rtb-1: ok', 'ReplaceRoute rtb-1: ok'])
    expect(ec2.requests.at(-1)?.params).toEqual({
      RouteTableId: 'rtb-1',
      NetworkInterfaceId: 'eni-2',
      [parameter]: to,
    })
    await world.end()
  })

  test('that finds no route where one was makes it, and the other way round', async () => {
    const { adapter, world, ec2 } = await routeWorld()
    await world.setOutOfBand('n1')
    const there = await tokenSeen(adapter)
    await world.setOutOfBand(null)
    const gone = await tokenSeen(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: there }, signal)).toEqual({ kind: 'done' })
    expect(at(ec2, 'rtb-1')).toBe('n2')
    expect(await adapter.apply({ node: 'n1', epoch: 2, token: gone }, signal)).toEqual({ kind: 'done' })
    expect(at(ec2, 'rtb-1')).toBe('n1')
    expect(calls(ec2)).toEqual([
      'CreateRoute rtb-1: RouteAlreadyExists',
      'CreateRoute rtb-1: ok',
      'ReplaceRoute rtb-1: InvalidParameterValue',
      'ReplaceRoute rtb-1: ok',
    ])
    await world.end()
  })

  test('leaves the other routes of the table alone', async () => {
    const { adapter, world, ec2 } = await routeWorld()
    await adapter.apply({ node: 'n1', epoch: 1, token: await tokenSeen(adapter) }, signal)
    expect(routeIn(ec2, 'rtb-1', '10.0.0.0/16')).toMatchObject({ to: 'local' })
    await world.end()
  })
})

describe('several tables', () => {
  test('some of them there is not there, and the words say where each leads', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: three })
    await world.setOutOfBand('n1')
    lead(ec2, 'rtb-2', { to: null })
    lead(ec2, 'rtb-3', { to: 'igw-1' })
    expect(await adapter.observe(signal)).toMatchObject({
      kind: 'foreign',
      what: 'rtb-1 at eni-1 (n1); rtb-2 at nothing; rtb-3 at igw-1',
      raw: { destination, 'rtb-1': 'eni-1', 'rtb-2': null, 'rtb-3': 'igw-1' },
    })
    await world.end()
  })

  test('one failing does not keep the others from being written, and the outcome says which', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: three })
    await world.setOutOfBand('n1')
    const token = await tokenSeen(adapter)
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', about: 'rtb-2' })
    const outcome = await adapter.apply({ node: 'n2', epoch: 1, token }, signal)
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'UnauthorizedOperation' })
    expect(outcome.kind !== 'done' && outcome.message).toMatch(/^1 of 3 failed: rtb-2: UnauthorizedOperation/)
    expect(three.map((table) => at(ec2, table))).toEqual(['n2', 'n1', 'n2'])
    await world.end()
  })

  test('one that does not exist is said, and the others are written', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: ['rtb-1', 'rtb-404'] })
    await world.setOutOfBand('n1')
    const seen = await adapter.observe(signal)
    expect(seen).toMatchObject({ kind: 'foreign', what: 'rtb-1 at eni-1 (n1); rtb-404 at no such route table' })
    const outcome = await adapter.apply({ node: 'n2', epoch: 1, token: await tokenSeen(adapter) }, signal)
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'InvalidRouteTableID.NotFound' })
    expect(at(ec2, 'rtb-1')).toBe('n2')
    await world.end()
  })

  test('as long as one may still succeed, nobody is called', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: three })
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', about: 'rtb-1' })
    ec2.faults.add({ kind: 'error', code: 'RequestLimitExceeded', retryAfterSeconds: 7, about: 'rtb-2' })
    const token = JSON.stringify({ 'rtb-1': null, 'rtb-2': null, 'rtb-3': null })
    const outcome = await adapter.apply({ node: 'n2', epoch: 1, token }, signal)
    expect(outcome).toMatchObject({ kind: 'throttled', afterMs: 7_000 })
    ec2.faults.add({ kind: 'reset-after', about: 'rtb-3', next: 1 })
    expect(await adapter.apply({ node: 'n1', epoch: 2, token: null }, signal)).toMatchObject({ kind: 'unknown' })
    await world.end()
  })
})

test('a black hole is no place, also at a node', async () => {
  const { adapter, world, ec2 } = await routeWorld()
  await world.setOutOfBand('n1')
  ec2.change((state) => ({
    ...state,
    interfaces: state.interfaces.filter(({ networkInterfaceId }) => networkInterfaceId !== 'eni-1'),
  }))
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'foreign', what: 'rtb-1 at a black hole (eni-1)' })
  const token = await tokenSeen(adapter)
  expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n2' })
  await world.end()
})

test('what a Route Server advertises is not written, and other tables are', async () => {
  const { adapter, world, ec2 } = await routeWorld({ routeTables: three })
  await world.setOutOfBand('n1')
  lead(ec2, 'rtb-1', { to: 'eni-1', origin: 'Advertisement' })
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ kind: 'foreign' })
  expect(seen.kind === 'foreign' && seen.what).toContain('rtb-1 at what a Route Server advertises')
  const outcome = await adapter.apply({ node: 'n2', epoch: 1, token: await tokenSeen(adapter) }, signal)
  expect(outcome).toMatchObject({ kind: 'permanent', code: 'RouteServer' })
  expect(calls(ec2)).toEqual(['ReplaceRoute rtb-2: ok', 'ReplaceRoute rtb-3: ok'])
  await world.end()
})

describe('the source/destination check', () => {
  test('that is on is said with every observation, which holds all the same', async () => {
    const { adapter, world, ec2 } = await routeWorld()
    await world.setOutOfBand('n1')
    ec2.change((state) => ({
      ...state,
      interfaces: state.interfaces.map((one) =>
        one.networkInterfaceId === 'eni-2' ? { ...one, sourceDestCheck: true } : one,
      ),
    }))
    const seen = await adapter.observe(signal)
    expect(seen).toMatchObject({ kind: 'node', node: 'n1', raw: { 'sourceDestCheck of eni-1 (n1)': 'off' } })
    expect(JSON.stringify(seen)).toContain('--no-source-dest-check --network-interface-id eni-2')
    const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
    expect(failed.map(({ check }) => check)).toEqual(['interface eni-2 (n2)'])
    expect(failed[0]?.message).toContain('its source/destination check is on')
    await world.end()
  })

  test('that cannot be learned is said, and the route is observed all the same', async () => {
    const { adapter, world, ec2 } = await routeWorld()
    await world.setOutOfBand('n1')
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: 'DescribeNetworkInterfaces' })
    const raw = { sourceDestCheck: 'not known: UnauthorizedOperation' }
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', raw })
    await world.end()
  })
})

describe('preflight', () => {
  test('tries what fits each table, and changes nothing', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: ['rtb-1', 'rtb-2', 'rtb-404'] })
    lead(ec2, 'rtb-1', { to: 'eni-1' })
    const before = ec2.state()
    const findings = await adapter.preflight(signal)
    expect(findings.map(({ check, result }) => `${result}: ${check}`)).toEqual([
      'passed: interface eni-1 (n1)',
      'passed: interface eni-2 (n2)',
      `passed: ec2:ReplaceRoute ${destination} in rtb-1`,
      `untried: ec2:CreateRoute ${destination} in rtb-1`,
      `passed: ec2:CreateRoute ${destination} in rtb-2`,
      `untried: ec2:ReplaceRoute ${destination} in rtb-2`,
      'failed: route table rtb-404',
    ])
    expect(ec2.state()).toBe(before)
    await world.end()
  })

  test('finds a missing permission of one table, and a Route Server in another', async () => {
    const { adapter, world, ec2 } = await routeWorld({ routeTables: ['rtb-1', 'rtb-2'] })
    lead(ec2, 'rtb-2', { to: 'eni-1', origin: 'Advertisement' })
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: `CreateRoute${dryRun}`, about: 'rtb-1' })
    const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
    expect(failed.map(({ check }) => check)).toEqual([`ec2:CreateRoute ${destination} in rtb-1`, 'route table rtb-2'])
    await world.end()
  })

  test('that cannot look says so', async () => {
    const { adapter, world, ec2 } = await routeWorld()
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: 'DescribeRouteTables' })
    ec2.faults.add({ kind: 'error', code: 'InternalError', action: 'DescribeNetworkInterfaces' })
    const findings = await adapter.preflight(signal)
    expect(findings.map(({ check, result }) => `${result}: ${check}`)).toEqual([
      'untried: ec2:DescribeNetworkInterfaces eni-1, eni-2',
      'failed: ec2:DescribeRouteTables rtb-1',
    ])
    await world.end()
  })
})

test("a write that a page of somebody else's answers is not known to have happened", async () => {
  const server = createServer((_request, response) => response.writeHead(200).end('<html>log in</html>'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const adapter = adapterAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  for (const token of [null, JSON.stringify({ 'rtb-1': null })]) {
    expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal)).toMatchObject({ kind: 'unknown' })
  }
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure: { kind: 'unknown' } })
  adapter.dispose()
  server.close()
})

describe('the schema', () => {
  const { config, permissions, budget } = awsRouteSchema
  const given = { region: 'eu-west-1', routeTables: ['rtb-1'] }

  test.each(['10.99.0.10', '10.99.0.10/24', '2001:db8::1/64', 'eni-1', '10.0.0.0/33'])('refuses %s', (to) => {
    expect(config.safeParse({ ...given, destination: to }).success).toBe(false)
  })

  test.each([
    ['2001:DB8:0::/48', '2001:db8::/48'],
    ['::/0', '::/0'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['pl-1', 'pl-1'],
  ])('writes %s as EC2 does: %s', (to, canonical) => {
    expect(config.parse({ ...given, destination: to }).destination).toBe(canonical)
  })

  test('asks for the tables and nothing else', () => {
    const china = { ...given, region: 'cn-north-1', accountId: '123456789012', destination }
    expect(permissions({ config: config.parse(china), targets: {} })).toMatchObject([
      { actions: ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeRouteTables'], resources: ['*'] },
      {
        actions: ['ec2:CreateRoute', 'ec2:ReplaceRoute'],
        resources: ['arn:aws-cn:ec2:cn-north-1:123456789012:route-table/rtb-1'],
      },
    ])
    expect(budget(config.parse(china))).toMatchObject({ perLook: 2 })
  })
})
