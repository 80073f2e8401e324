/**
 * aws-private-ip against moto, for the wire format as far as moto goes. It leaves an address that is reassigned at its old
 * interface, too, finds interfaces by their primary address only, and by no IPv6 address: moves are proven elsewhere.
 */
import {
  CreateNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAwsPrivateIp } from '../../../adapters/aws-private-ip/adapter.ts'
import { awsPrivateIpSchema } from '../../../adapters/aws-private-ip/schema.ts'
import { describeWith, type MotoServer, moto, startMoto } from '../../support/peers.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'

const region = 'eu-west-1'
const signal = new AbortController().signal

describeWith(moto, 'moto tests', () => {
  let server: MotoServer
  let client: EC2Client
  let subnetId: string
  let n1: string
  let n2: string

  beforeAll(async () => {
    server = await startMoto()
  }, 60_000)
  afterAll(() => server.stop())

  beforeEach(async () => {
    useLabCredentials()
    client = new EC2Client({ region, endpoint: server.url })
    const { Subnets } = await client.send(new DescribeSubnetsCommand({}))
    subnetId = Subnets![0]!.SubnetId!
    const made = await Promise.all(
      [1, 2].map(() => client.send(new CreateNetworkInterfaceCommand({ SubnetId: subnetId }))),
    )
    ;[n1, n2] = made.map(({ NetworkInterface }) => NetworkInterface!.NetworkInterfaceId!) as [string, string]
    return () => client.destroy()
  })

  function adapterOf(address: string): Adapter {
    const config = awsPrivateIpSchema.config.parse({ region, subnetId, addresses: [address], endpoint: server.url })
    const targets = { n1: { networkInterfaceId: n1 }, n2: { networkInterfaceId: n2 } }
    return createAwsPrivateIp({ service: 'web', binding: 'ip', config, targets })
  }

  async function interfaceBy(id: string) {
    const command = new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] })
    return (await client.send(command)).NetworkInterfaces![0]!
  }

  test('an IPv4 address is assigned', async () => {
    const { PrivateIpAddress: primary } = await interfaceBy(n2)
    const address = primary!.replace(/\d+$/, '250')
    const adapter = adapterOf(address)
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
    const { PrivateIpAddresses } = await interfaceBy(n2)
    expect(PrivateIpAddresses).toContainEqual(expect.objectContaining({ PrivateIpAddress: address }))
    adapter.dispose()
  })

  test('an IPv6 address is taken from one and assigned to the other', async () => {
    const address = '2001:db8::100'
    const adapter = adapterOf(address)
    expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
    const token = JSON.stringify({ [address]: n1 })
    expect(await adapter.apply({ node: 'n2', epoch: 2, token }, signal)).toEqual({ kind: 'done' })
    const seen = await Promise.all([n1, n2].map(interfaceBy))
    expect(seen.map(({ Ipv6Addresses }) => Ipv6Addresses?.map(({ Ipv6Address }) => Ipv6Address))).toEqual([
      [],
      [address],
    ])
    adapter.dispose()
  })

  test('an address is seen where it is, and preflight says that a primary one never moves', async () => {
    const { PrivateIpAddress: primary } = await interfaceBy(n2)
    const adapter = adapterOf(primary!)
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n2', raw: { primary } })
    const results = (await adapter.preflight(signal)).map(({ result }) => result)
    expect(results).toEqual(['passed', 'passed', 'failed', 'untried'])
    adapter.dispose()
  })
})
