/** Route tables in the strict EC2 by AWS's rules, with AWS's own SDK as the client. */
import {
  CreateRouteCommand,
  type CreateRouteCommandInput,
  DeleteRouteCommand,
  DescribeRouteTablesCommand,
  EC2Client,
  ReplaceRouteCommand,
} from '@aws-sdk/client-ec2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEc2, type Ec2, labCredentials } from '../../../infra/lab/clouds/ec2.ts'

let ec2: Ec2
let client: EC2Client

beforeEach(async () => {
  ec2 = await createEc2({
    addresses: [],
    interfaces: [
      { networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.1'] },
      { networkInterfaceId: 'eni-2', privateIpAddresses: ['10.0.0.2'] },
    ],
    routeTables: [
      {
        routeTableId: 'rtb-1',
        routes: [
          { destination: '0.0.0.0/0', to: 'igw-1', origin: 'CreateRoute' },
          { destination: '10.98.0.0/16', to: 'eni-1', origin: 'Advertisement' },
        ],
      },
      { routeTableId: 'rtb-2', routes: [] },
    ],
  })
  client = new EC2Client({ region: 'eu-west-1', endpoint: ec2.url, maxAttempts: 1, credentials: labCredentials })
})

afterEach(async () => {
  client.destroy()
  await ec2.close()
})

const vip = { RouteTableId: 'rtb-1', DestinationCidrBlock: '10.99.0.10/32', NetworkInterfaceId: 'eni-1' }
const create = (input: Partial<CreateRouteCommandInput> = {}) =>
  client.send(new CreateRouteCommand({ ...vip, ...input }))
const replace = (input: Partial<CreateRouteCommandInput> = {}) =>
  client.send(new ReplaceRouteCommand({ ...vip, ...input }))

async function routes(id = 'rtb-1') {
  const { RouteTables } = await client.send(new DescribeRouteTablesCommand({ RouteTableIds: [id] }))
  return RouteTables![0]!.Routes!
}

test('a route is made once, and then replaced', async () => {
  expect(await create()).toMatchObject({ Return: true })
  await expect(create()).rejects.toMatchObject({ name: 'RouteAlreadyExists' })
  await replace({ NetworkInterfaceId: 'eni-2' })
  expect((await routes()).at(-1)).toEqual({
    DestinationCidrBlock: '10.99.0.10/32',
    NetworkInterfaceId: 'eni-2',
    State: 'blackhole',
    Origin: 'CreateRoute',
  })
})

test('a route that is not there cannot be replaced, nor deleted', async () => {
  await expect(replace()).rejects.toMatchObject({
    name: 'InvalidParameterValue',
    message: expect.stringContaining('There is no route defined for'),
  })
  const { NetworkInterfaceId: _, ...destination } = vip
  await expect(client.send(new DeleteRouteCommand(destination))).rejects.toMatchObject({
    name: 'InvalidRoute.NotFound',
  })
  await create()
  await client.send(new DeleteRouteCommand(destination))
  expect((await routes()).length).toBe(2)
})

test.each([
  ['DestinationIpv6CidrBlock', '2001:db8:99::/64'],
  ['DestinationPrefixListId', 'pl-1'],
])('a destination may be a %s', async (name, value) => {
  const { DestinationCidrBlock: _, ...rest } = vip
  const input = { ...rest, RouteTableId: 'rtb-2', [name]: value }
  await client.send(new CreateRouteCommand(input))
  await client.send(new ReplaceRouteCommand(input))
  expect(await routes('rtb-2')).toMatchObject([{ [name]: value, State: 'active', InstanceId: 'i-1' }])
})

describe('refuses', () => {
  test.each([
    ['InvalidRouteTableID.NotFound', { RouteTableId: 'rtb-9' }],
    ['InvalidNetworkInterfaceID.NotFound', { NetworkInterfaceId: 'eni-9' }],
    ['InvalidParameterCombination', { DestinationIpv6CidrBlock: '::/0' }],
    ['MissingParameter', { DestinationCidrBlock: undefined }],
    ['MissingParameter', { NetworkInterfaceId: undefined }],
    // What a Route Server advertises.
    ['OperationNotPermitted', { DestinationCidrBlock: '10.98.0.0/16' }],
    ['DryRunOperation', { DryRun: true }],
  ])('with %s: %o', async (name, input) => {
    const before = ec2.state()
    await expect(create(input)).rejects.toMatchObject({ name })
    expect(ec2.state()).toBe(before)
  })

  test('a table that is not there, by id, and finds nothing by filter', async () => {
    await expect(routes('rtb-9')).rejects.toMatchObject({ name: 'InvalidRouteTableID.NotFound' })
    const Filters = [{ Name: 'route-table-id', Values: ['rtb-2', 'rtb-9'] }]
    const { RouteTables } = await client.send(new DescribeRouteTablesCommand({ Filters }))
    expect(RouteTables?.map(({ RouteTableId }) => RouteTableId)).toEqual(['rtb-2'])
  })
})

test('a route says what it leads to, and whence it is', async () => {
  expect(await routes()).toMatchObject([
    { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-1', State: 'active', Origin: 'CreateRoute' },
    { DestinationCidrBlock: '10.98.0.0/16', NetworkInterfaceId: 'eni-1', Origin: 'Advertisement' },
  ])
})
