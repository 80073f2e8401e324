/** Private addresses in the strict EC2 by AWS's rules, with AWS's own SDK as the client. */
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  type AssignPrivateIpAddressesCommandInput,
  DescribeNetworkInterfacesCommand,
  EC2Client,
  UnassignIpv6AddressesCommand,
  UnassignPrivateIpAddressesCommand,
} from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEc2, type Ec2, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { perform } from '../../../infra/lab/clouds/ec2-rules.ts'

let ec2: Ec2
let client: EC2Client

beforeEach(async () => {
  const inSubnet = { subnetId: 'subnet-1' }
  ec2 = await createEc2({
    addresses: [{ allocationId: 'eipalloc-1', publicIp: '203.0.113.1' }],
    subnets: [{ subnetId: 'subnet-1', cidrBlock: '10.0.0.0/24', ipv6CidrBlock: '2001:db8::/64' }],
    interfaces: [
      { ...inSubnet, networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.1', '10.0.0.100'] },
      { ...inSubnet, networkInterfaceId: 'eni-2', privateIpAddresses: ['10.0.0.2'], ipv6Addresses: ['2001:db8::2'] },
      { ...inSubnet, networkInterfaceId: 'eni-3', privateIpAddresses: ['10.0.0.3'], addressLimit: 2 },
    ],
  })
  client = new EC2Client({ region: 'eu-west-1', endpoint: ec2.url, maxAttempts: 1, credentials: labCredentials })
})

afterEach(async () => {
  client.destroy()
  await ec2.close()
})

type AssignInput = Omit<AssignPrivateIpAddressesCommandInput, 'PrivateIpAddresses'>

const assign = (NetworkInterfaceId: string, address: string, more: Partial<AssignInput> = {}) =>
  client.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: [address], ...more }))
const assign6 = (NetworkInterfaceId: string, ...Ipv6Addresses: string[]) =>
  client.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses }))
const unassign6 = (NetworkInterfaceId: string, ...Ipv6Addresses: string[]) =>
  client.send(new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses }))

const addressesAt = (id: string) => {
  const { privateIpAddresses, ipv6Addresses = [] } = ec2
    .state()
    .interfaces.find((one) => one.networkInterfaceId === id)!
  return [...privateIpAddresses, ...ipv6Addresses]
}

describe('AssignPrivateIpAddresses', () => {
  test('takes an address from another interface only when that is allowed, and its Elastic IP with it', async () => {
    ec2.setOutOfBand('eipalloc-1', { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.100' })
    await expect(assign('eni-2', '10.0.0.100')).rejects.toMatchObject({ name: 'InvalidParameterValue' })
    const answer = await assign('eni-2', '10.0.0.100', { AllowReassignment: true })
    expect(answer).toMatchObject({
      NetworkInterfaceId: 'eni-2',
      AssignedPrivateIpAddresses: [{ PrivateIpAddress: '10.0.0.100' }],
    })
    expect([addressesAt('eni-1'), addressesAt('eni-2')]).toEqual([
      ['10.0.0.1'],
      ['10.0.0.2', '10.0.0.100', '2001:db8::2'],
    ])
    expect(ec2.state().addresses[0]?.association).toMatchObject({ networkInterfaceId: 'eni-2' })
  })

  test('is the same when it is there already, which an attached Elastic IP survives', async () => {
    await assign('eni-1', '10.0.0.100')
    expect(addressesAt('eni-1')).toEqual(['10.0.0.1', '10.0.0.100'])
  })

  test.each([
    ['a primary address', 'eni-1', '10.0.0.2', 'InvalidParameterValue', 'primary'],
    ['an address outside the subnet', 'eni-1', '10.0.1.100', 'InvalidParameterValue', "subnet's address range"],
    ['no address', 'eni-1', '10.0.0.300', 'InvalidParameterValue', 'Invalid IPv4 address'],
    ['an IPv6 address', 'eni-1', '2001:db8::9', 'InvalidParameterValue', 'Invalid IPv4 address'],
    ['an interface that is not there', 'eni-9', '10.0.0.100', 'InvalidNetworkInterfaceID.NotFound', 'eni-9'],
  ])('refuses %s', async (_name, id, address, name, words) => {
    const refused = assign(id, address, { AllowReassignment: true })
    await expect(refused).rejects.toMatchObject({ name, message: expect.stringContaining(words) })
  })

  test('fills an interface up to the limit of its instance', async () => {
    await assign('eni-3', '10.0.0.101')
    await expect(assign('eni-3', '10.0.0.102')).rejects.toMatchObject({ name: 'PrivateIpAddressLimitExceeded' })
    expect(addressesAt('eni-3')).toEqual(['10.0.0.3', '10.0.0.101'])
  })
})

test('UnassignPrivateIpAddresses takes the Elastic IP away, and never the primary address', async () => {
  ec2.setOutOfBand('eipalloc-1', { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.100' })
  const unassign = (PrivateIpAddresses: string[]) =>
    client.send(new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId: 'eni-1', PrivateIpAddresses }))
  await expect(unassign(['10.0.0.1'])).rejects.toMatchObject({ name: 'InvalidParameterValue' })
  await unassign(['10.0.0.100'])
  expect(addressesAt('eni-1')).toEqual(['10.0.0.1'])
  expect(ec2.state().addresses[0]?.association).toBe(null)
})

describe('AssignIpv6Addresses', () => {
  test('takes from nobody; the address has to be taken away first', async () => {
    const refused = assign6('eni-1', '2001:db8::2')
    await expect(refused).rejects.toMatchObject({ name: 'InvalidParameterValue', message: /already assigned/ })
    expect(await unassign6('eni-2', '2001:db8::2')).toMatchObject({ UnassignedIpv6Addresses: ['2001:db8::2'] })
    expect(await assign6('eni-1', '2001:db8::2')).toMatchObject({ AssignedIpv6Addresses: ['2001:db8::2'] })
    expect([addressesAt('eni-1').at(-1), addressesAt('eni-2')]).toEqual(['2001:db8::2', ['10.0.0.2']])
  })

  test('does not list what was there before', async () => {
    const { AssignedIpv6Addresses } = await assign6('eni-2', '2001:db8::2', '2001:db8::3')
    expect(AssignedIpv6Addresses).toEqual(['2001:db8::3'])
  })

  test('does all or nothing', async () => {
    await expect(assign6('eni-1', '2001:db8::3', '2001:db8::2')).rejects.toThrow()
    expect(addressesAt('eni-1')).toEqual(['10.0.0.1', '10.0.0.100'])
    await expect(assign6('eni-1', '2001:db9::3')).rejects.toMatchObject({ message: /subnet's address range/ })
  })

  test('UnassignIpv6Addresses knows only what the interface has', async () => {
    await expect(unassign6('eni-1', '2001:db8::2')).rejects.toMatchObject({
      name: 'InvalidParameterValue',
      message: 'Some of the specified addresses are not assigned to interface eni-1',
    })
  })
})

test.each(['Assign', 'Unassign'].flatMap((verb) => [`${verb}PrivateIpAddresses`, `${verb}Ipv6Addresses`]))(
  '%s has no dry run',
  (action) => {
    // The SDK would not even send it.
    const result = perform(ec2.state(), { action, params: { NetworkInterfaceId: 'eni-1', DryRun: 'true' } }, 'unused')
    expect(result).toMatchObject({ kind: 'error', code: 'UnknownParameter' })
  },
)

test('interfaces are found by the addresses they have, and by their subnet', async () => {
  const found = async (Name: string, ...Values: string[]) => {
    const Filters = [
      { Name: 'subnet-id', Values: ['subnet-1'] },
      { Name, Values },
    ]
    const { NetworkInterfaces } = await client.send(new DescribeNetworkInterfacesCommand({ Filters }))
    return NetworkInterfaces?.map(({ NetworkInterfaceId }) => NetworkInterfaceId)
  }
  expect(await found('addresses.private-ip-address', '10.0.0.100', '10.0.0.3')).toEqual(['eni-1', 'eni-3'])
  expect(await found('ipv6-addresses.ipv6-address', '2001:db8::2')).toEqual(['eni-2'])
  expect(await found('subnet-id', 'subnet-9')).toEqual([])
  const { NetworkInterfaces } = await client.send(
    new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: ['eni-2'] }),
  )
  expect(NetworkInterfaces).toMatchObject([
    { SubnetId: 'subnet-1', SourceDestCheck: true, Ipv6Addresses: [{ Ipv6Address: '2001:db8::2' }] },
  ])
})
