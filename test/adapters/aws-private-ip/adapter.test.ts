/** aws-private-ip against the strict EC2: the shared suite for each family and both, and what is particular to them. */
import { beforeEach, describe, expect, test } from 'vitest'
import { awsPrivateIpSchema } from '../../../adapters/aws-private-ip/schema.ts'
import { adapterCases } from '../adapter-cases.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, at, ipv4, ipv6, moved, privateIpWorld } from './worlds.ts'

beforeEach(useLabCredentials)

adapterCases({ name: 'aws-private-ip, IPv4', setup: () => privateIpWorld([ipv4]) })
adapterCases({ name: 'aws-private-ip, IPv6', setup: () => privateIpWorld([ipv6]) })
faultMatrix({ name: 'aws-private-ip, IPv4', setup: () => privateIpWorld([ipv4, '10.0.0.101']) })
faultMatrix({ name: 'aws-private-ip, IPv6', setup: () => privateIpWorld([ipv6, '2001:db8::101']) })
faultMatrix({ name: 'aws-private-ip, both', setup: () => privateIpWorld([ipv4, ipv6]), seeds: 20 })

const signal = new AbortController().signal

async function seenBy(adapter: Awaited<ReturnType<typeof privateIpWorld>>['adapter']) {
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error(JSON.stringify(seen.failure))
  return seen
}

describe('calls', () => {
  test('IPv4 is one call, and an Elastic IP goes along', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv4])
    await world.setOutOfBand('n1')
    ec2.setOutOfBand('eipalloc-1', { networkInterfaceId: 'eni-1', privateIpAddress: ipv4 })
    const { token } = await seenBy(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
    expect(ec2.requests.slice(1).map(({ action, params }) => ({ action, params }))).toEqual([
      {
        action: 'AssignPrivateIpAddresses',
        params: { NetworkInterfaceId: 'eni-2', 'PrivateIpAddress.1': ipv4, AllowReassignment: 'true' },
      },
    ])
    expect(ec2.state().addresses[0]?.association).toMatchObject({ networkInterfaceId: 'eni-2' })
    await world.end()
  })

  test('IPv6 is taken from where it was observed, and then assigned', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv6])
    await world.setOutOfBand('n1')
    const { token } = await seenBy(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
    expect(ec2.requests.slice(1).map(({ action, params }) => ({ action, ...params }))).toEqual([
      { action: 'UnassignIpv6Addresses', NetworkInterfaceId: 'eni-1', 'Ipv6Addresses.1': ipv6 },
      { action: 'AssignIpv6Addresses', NetworkInterfaceId: 'eni-2', 'Ipv6Addresses.1': ipv6 },
    ])
    await world.end()
  })

  test('every look is filtered by subnet and address, and the same address of another network is nothing', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv4, ipv6])
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    const filters = ec2.requests.map(({ params }) => [params['Filter.1.Value.1'], params['Filter.2.Name']])
    expect(filters.sort()).toEqual([
      ['subnet-1', 'addresses.private-ip-address'],
      ['subnet-1', 'ipv6-addresses.ipv6-address'],
    ])
    await world.end()
  })
})

describe('between the two steps of IPv6', () => {
  test('control ends: it is observed as nowhere, and the next apply goes on from there', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv6])
    await world.setOutOfBand('n1')
    const { token } = await seenBy(adapter)
    ec2.faults.add({ kind: 'reset-before', action: 'AssignIpv6Addresses', next: 1 })
    expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toMatchObject({ kind: 'unknown' })
    expect(at(ec2, ipv6)).toBe(null)
    const seen = await seenBy(adapter)
    expect(seen.kind).toBe('none')
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: seen.token }, signal)).toEqual({ kind: 'done' })
    expect(at(ec2, ipv6)).toBe('n2')
    expect(ec2.requests.filter(({ action }) => action === 'UnassignIpv6Addresses').length).toBe(1)
    await world.end()
  })

  test('the old interface is gone, or has it no more: assigning goes ahead', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv6])
    await world.setOutOfBand('n1')
    const { token } = await seenBy(adapter)
    await world.setOutOfBand(null)
    expect(await adapter.apply({ node: 'n2', epoch: 1, token }, signal)).toEqual({ kind: 'done' })
    expect(ec2.requests.at(-2)).toMatchObject({ action: 'UnassignIpv6Addresses', outcome: 'InvalidParameterValue' })
    const atN2 = await seenBy(adapter)
    ec2.change((state) => ({
      ...state,
      interfaces: state.interfaces.filter(({ networkInterfaceId }) => networkInterfaceId !== 'eni-2'),
    }))
    expect(await adapter.apply({ node: 'n1', epoch: 2, token: atN2.token }, signal)).toEqual({ kind: 'done' })
    expect(ec2.requests.at(-2)).toMatchObject({ outcome: 'InvalidNetworkInterfaceID.NotFound' })
    await world.end()
  })

  test('the answer to the first is lost: the second says what became of it', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv6])
    await world.setOutOfBand('n1')
    ec2.faults.add({ kind: 'reset-after', action: 'UnassignIpv6Addresses', next: 1 })
    const atN1 = await seenBy(adapter)
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: atN1.token }, signal)).toEqual({ kind: 'done' })
    ec2.faults.add({ kind: 'reset-before', action: 'UnassignIpv6Addresses', next: 1 })
    const atN2 = await seenBy(adapter)
    // It may still be on its way.
    expect(await adapter.apply({ node: 'n1', epoch: 2, token: atN2.token }, signal)).toMatchObject({ kind: 'unknown' })
    expect(at(ec2, ipv6)).toBe('n2')
    await world.end()
  })

  test('what was not taken away is not assigned', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv6])
    await world.setOutOfBand('n1')
    const { token } = await seenBy(adapter)
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: 'UnassignIpv6Addresses' })
    const outcome = await adapter.apply({ node: 'n2', epoch: 1, token }, signal)
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'UnauthorizedOperation' })
    expect(ec2.requests.at(-1)?.action).toBe('UnassignIpv6Addresses')
    await world.end()
  })
})

describe('several addresses', () => {
  const both = [ipv4, ipv6]

  test('some of them there is not there, and the words say where each is', async () => {
    const { adapter, world, ec2 } = await privateIpWorld(both)
    await world.setOutOfBand('n1')
    ec2.change((state) => moved(state, ipv6, null))
    expect(await adapter.observe(signal)).toMatchObject({
      kind: 'foreign',
      what: `${ipv4} at eni-1 (n1); ${ipv6} at nothing`,
      raw: { [ipv4]: 'eni-1', [ipv6]: null },
    })
    await world.end()
  })

  test('one family failing does not keep the other from being written, and the outcome says which', async () => {
    const { adapter, world, ec2 } = await privateIpWorld(both)
    await world.setOutOfBand('n1')
    const { token } = await seenBy(adapter)
    ec2.faults.add({ kind: 'error', code: 'PrivateIpAddressLimitExceeded', action: 'AssignPrivateIpAddresses' })
    const outcome = await adapter.apply({ node: 'n2', epoch: 1, token }, signal)
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'PrivateIpAddressLimitExceeded' })
    expect(outcome.kind !== 'done' && outcome.message).toMatch(/^1 of 2 failed: 10\.0\.0\.100: PrivateIpAddressLimit/)
    expect([at(ec2, ipv4), at(ec2, ipv6)]).toEqual(['n1', 'n2'])
    await world.end()
  })
})

test('an asynchronous assignment is done when it is seen', async () => {
  const { adapter, world, ec2 } = await privateIpWorld([ipv4])
  await world.setOutOfBand('n1')
  ec2.faults.add({ kind: 'late-write', action: 'AssignPrivateIpAddresses', ms: 3_000, answer: 'success', next: 1 })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
  expect(await adapter.observe(signal)).toMatchObject({ node: 'n1' })
  await world.pass(3_000)
  expect(await adapter.observe(signal)).toMatchObject({ node: 'n2' })
  await world.end()
})

test.each([
  ['a full interface', 'PrivateIpAddressLimitExceeded', 'eni-2', { addressLimit: 1 }],
  ['another subnet', 'InvalidParameterValue', 'eni-2', { subnetId: 'subnet-8' }],
])('%s is permanent', async (_name, code, id, change) => {
  const { adapter, world, ec2 } = await privateIpWorld([ipv4])
  ec2.change((state) => ({
    ...state,
    subnets: [...state.subnets, { subnetId: 'subnet-8', cidrBlock: '10.0.8.0/24' }],
    interfaces: state.interfaces.map((one) => (one.networkInterfaceId === id ? { ...one, ...change } : one)),
  }))
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toMatchObject({ kind: 'permanent', code })
  await world.end()
})

test('an address in another spelling is the same address', async () => {
  const { world, ec2 } = await privateIpWorld([ipv6])
  const adapter = adapterAt(ec2.url, { addresses: ['2001:DB8:0:0::0100'] })
  await world.setOutOfBand('n1')
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1', raw: { [ipv6]: 'eni-1' } })
  adapter.dispose()
  await world.end()
})

describe('preflight', () => {
  test('passes what can be seen, and says what cannot be tried', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv4, ipv6])
    const findings = await adapter.preflight(signal)
    expect(findings.map(({ check, result }) => `${result}: ${check}`)).toEqual([
      'passed: interface eni-1 (n1)',
      'passed: interface eni-2 (n2)',
      `passed: ec2:DescribeNetworkInterfaces with ${ipv4}, ${ipv6} in subnet-1`,
      'untried: ec2:AssignPrivateIpAddresses',
      'untried: ec2:AssignIpv6Addresses',
      'untried: ec2:UnassignIpv6Addresses',
    ])
    expect(ec2.requests.every(({ action }) => action === 'DescribeNetworkInterfaces')).toBe(true)
    await world.end()
  })

  test('finds a missing interface, one of another subnet, and an address that never moves', async () => {
    const { world, ec2 } = await privateIpWorld([ipv4])
    ec2.change((state) => ({
      ...state,
      interfaces: state.interfaces
        .filter(({ networkInterfaceId }) => networkInterfaceId !== 'eni-1')
        .map((one) => (one.networkInterfaceId === 'eni-2' ? { ...one, subnetId: 'subnet-8' } : one)),
    }))
    const adapter = adapterAt(ec2.url, { addresses: ['10.0.0.9'] })
    const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
    expect(failed.map(({ message }) => message)).toEqual([
      'there is no such interface in this region and account',
      'it is in subnet-8, and the addresses are in subnet-1',
      '10.0.0.9 is the primary address of eni-9, which never moves; use a secondary one',
    ])
    adapter.dispose()
    await world.end()
  })

  test('a missing permission is found by looking', async () => {
    const { adapter, world, ec2 } = await privateIpWorld([ipv4])
    ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: 'DescribeNetworkInterfaces' })
    const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
    expect(failed.length).toBe(2)
    await world.end()
  })
})

describe('the schema', () => {
  const { config, permissions, example } = awsPrivateIpSchema
  const given = { region: 'eu-west-1', subnetId: 'subnet-1' }

  test.each([
    ['no address', []],
    ['a prefix length', ['10.0.0.100/24']],
    ['the same address twice', ['2001:db8::1', '2001:DB8:0::1']],
  ])('refuses %s', (_name, addresses) => {
    expect(config.safeParse({ ...given, addresses }).success).toBe(false)
  })

  test('asks for what each family needs, on the interfaces only', () => {
    const targets = { n1: { networkInterfaceId: 'eni-1' }, n2: { networkInterfaceId: 'eni-2' } }
    const actionsFor = (addresses: string[]) =>
      permissions({ config: config.parse({ ...given, addresses }), targets }).map((one) =>
        one.kind === 'aws' ? [one.actions, one.resources] : one,
      )
    const interfaces = ['eni-1', 'eni-2'].map((id) => `arn:aws:ec2:eu-west-1:*:network-interface/${id}`)
    expect(actionsFor([ipv4])).toEqual([
      [['ec2:DescribeNetworkInterfaces'], ['*']],
      [['ec2:AssignPrivateIpAddresses'], interfaces],
    ])
    expect(actionsFor([ipv6])[1]).toEqual([['ec2:AssignIpv6Addresses', 'ec2:UnassignIpv6Addresses'], interfaces])
  })

  test('one observation of both families costs two calls', () => {
    expect(awsPrivateIpSchema.budget(config.parse(example.config))).toMatchObject({ perLook: 2 })
  })
})
