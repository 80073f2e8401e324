/**
 * aws-private-ip against moto, as far as moto goes: an address that nobody has is assigned. It leaves one that it
 * reassigns at its old interface, too, and knows no filter for IPv6 addresses, so that moves are proven elsewhere.
 */
import {
  AssignPrivateIpAddressesCommand,
  CreateNetworkInterfaceCommand,
  DescribeSubnetsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createAwsPrivateIp } from '../../../adapters/aws-private-ip/adapter.ts'
import { awsPrivateIpSchema } from '../../../adapters/aws-private-ip/schema.ts'
import { describeWith, type MotoServer, moto, startMoto } from '../../support/peers.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'

const region = 'eu-west-1'
const signal = new AbortController().signal

describeWith(moto, 'moto tests', () => {
  let server: MotoServer

  beforeAll(async () => {
    server = await startMoto()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(useLabCredentials)

  test('is assigned, seen where it is, and seen at somebody else', async () => {
    const client = new EC2Client({ region, endpoint: server.url })
    const { Subnets } = await client.send(new DescribeSubnetsCommand({}))
    const { SubnetId: subnetId, CidrBlock } = Subnets![0]!
    const [n1, n2, foreign] = await Promise.all(
      [1, 2, 3].map(async () => {
        const command = new CreateNetworkInterfaceCommand({ SubnetId: subnetId })
        return (await client.send(command)).NetworkInterface!.NetworkInterfaceId!
      }),
    )
    const targets = { n1: { networkInterfaceId: n1! }, n2: { networkInterfaceId: n2! } }
    const adapterOf = (address: string) => {
      const config = awsPrivateIpSchema.config.parse({ region, subnetId, addresses: [address], endpoint: server.url })
      return createAwsPrivateIp({ service: 'web', binding: 'ip', config, targets })
    }
    const address = (last: number) => CidrBlock!.replace(/\d+\/\d+$/, String(last))

    const ours = adapterOf(address(200))
    expect(await ours.observe(signal)).toMatchObject({ kind: 'none' })
    expect(await ours.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
    expect(await ours.observe(signal)).toMatchObject({ kind: 'node', node: 'n2' })
    const results = (await ours.preflight(signal)).map(({ result }) => result)
    expect(results).toEqual(['passed', 'passed', 'passed', 'untried'])

    const theirs = adapterOf(address(201))
    const command = { NetworkInterfaceId: foreign!, PrivateIpAddresses: [address(201)] }
    await client.send(new AssignPrivateIpAddressesCommand(command))
    expect(await theirs.observe(signal)).toMatchObject({ kind: 'foreign', what: `${address(201)} at ${foreign}` })
    for (const adapter of [ours, theirs]) adapter.dispose()
    client.destroy()
  })
})
