/** aws-route against moto: an EC2 that nobody here wrote, for the wire format. It is lenient where the strict EC2 is not. */
import {
  CreateNetworkInterfaceCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  DeleteRouteCommand,
  DescribeRouteTablesCommand,
  DescribeSubnetsCommand,
  EC2Client,
  ModifyNetworkInterfaceAttributeCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAwsRoute } from '../../../adapters/aws-route/adapter.ts'
import { awsRouteSchema } from '../../../adapters/aws-route/schema.ts'
import { describeWith, type MotoServer, moto, startMoto } from '../../support/peers.ts'
import { type Place, type PlainWorld, plainAdapterCases } from '../adapter-cases.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { adapterAt } from './worlds.ts'

const region = 'eu-west-1'

describeWith(moto, 'moto tests', () => {
  let server: MotoServer

  beforeAll(async () => {
    server = await startMoto()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(useLabCredentials)

  const ipv4 = '10.99.0.10/32'
  plainAdapterCases({ name: 'aws-route against moto', setup: () => motoWorld(server.url, ipv4) })
  plainAdapterCases({ name: 'aws-route against moto, IPv6', setup: () => motoWorld(server.url, '2001:db8:99::/64') })

  test('the source/destination check is seen there, too', async () => {
    const { adapter, world } = await motoWorld(server.url, ipv4)
    const signal = new AbortController().signal
    const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
    // Of n1 it was switched off.
    expect(failed.map(({ message }) => message)).toEqual([expect.stringContaining('source/destination check is on')])
    await world.end()
  })
})

/** Two route tables and three interfaces of their own in a moto that may be shared by many. */
async function motoWorld(
  url: string,
  destination: string,
): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const client = new EC2Client({ region, endpoint: url })
  const subnets = await client.send(new DescribeSubnetsCommand({}))
  const { SubnetId, VpcId } = subnets.Subnets![0]!
  const [n1, n2, foreign] = await Promise.all([1, 2, 3].map(() => createInterface(client, SubnetId!)))
  const known = { n1: n1!, n2: n2!, foreign: foreign! }
  const off = { NetworkInterfaceId: known.n1, SourceDestCheck: { Value: false } }
  await client.send(new ModifyNetworkInterfaceAttributeCommand(off))
  const made = await Promise.all([1, 2].map(() => client.send(new CreateRouteTableCommand({ VpcId }))))
  const routeTables = made.map(({ RouteTable }) => RouteTable!.RouteTableId!)
  const name = destination.includes(':') ? 'DestinationIpv6CidrBlock' : 'DestinationCidrBlock'
  const read = async (): Promise<readonly (string | null)[]> => {
    const { RouteTables } = await client.send(new DescribeRouteTablesCommand({ RouteTableIds: routeTables }))
    return RouteTables!.map(({ Routes = [] }) => {
      return Routes.find((route) => route[name] === destination)?.NetworkInterfaceId ?? null
    })
  }
  const world: PlainWorld = {
    owner: async () => {
      const places = new Set((await read()).map((id) => (id === null ? null : nameOf(known, id))))
      return places.size === 1 ? [...places][0]! : 'foreign'
    },
    setOutOfBand: async (place) => {
      const present = await read()
      for (const [i, RouteTableId] of routeTables.entries()) {
        const route = { RouteTableId, [name]: destination }
        if (present[i] !== null) await client.send(new DeleteRouteCommand(route))
        if (place === null) continue
        await client.send(new CreateRouteCommand({ ...route, NetworkInterfaceId: known[place] }))
      }
    },
    unreachable: async () => adapterAt('http://127.0.0.1:9'),
    end: async () => client.destroy(),
  }
  const config = awsRouteSchema.config.parse({ region, destination, routeTables, endpoint: url })
  const targets = { n1: { networkInterfaceId: known.n1 }, n2: { networkInterfaceId: known.n2 } }
  return { adapter: createAwsRoute({ service: 'web', binding: 'route', config, targets }), world }
}

async function createInterface(client: EC2Client, SubnetId: string): Promise<string> {
  const { NetworkInterface } = await client.send(new CreateNetworkInterfaceCommand({ SubnetId }))
  return NetworkInterface!.NetworkInterfaceId!
}

function nameOf(known: Readonly<Record<string, string>>, id: string): Place {
  return (Object.entries(known).find(([, one]) => one === id)?.[0] ?? 'foreign') as Place
}
