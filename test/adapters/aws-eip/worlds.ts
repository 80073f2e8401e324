/** The two worlds of the aws-eip adapter: the strict EC2, which can be made to fail, and moto, which nobody here wrote. */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  CreateNetworkInterfaceCommand,
  DescribeAddressesCommand,
  DescribeSubnetsCommand,
  DisassociateAddressCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAwsEip } from '../../../adapters/aws-eip/adapter.ts'
import { createEc2 } from '../../../infra/lab/clouds/ec2.ts'
import type { Place, PlainWorld } from '../adapter-cases.ts'
import { createEc2World, type Ec2World } from '../aws/ec2-world.ts'

export const names = { service: 'web', binding: 'eip' }
export const allocationId = 'eipalloc-1'
export const places = {
  n1: { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.11' },
  n2: { networkInterfaceId: 'eni-2', privateIpAddress: '10.0.0.12' },
  foreign: { networkInterfaceId: 'eni-9', privateIpAddress: '10.0.0.99' },
} as const

const labWorld = {
  addresses: [{ allocationId, publicIp: '203.0.113.10' }],
  interfaces: [
    { networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.1', '10.0.0.11'] },
    { networkInterfaceId: 'eni-2', instanceId: 'i-2', privateIpAddresses: ['10.0.0.12'] },
    { networkInterfaceId: 'eni-9', instanceId: 'i-9', privateIpAddresses: ['10.0.0.99'] },
  ],
}

export function adapterAt(
  endpoint: string,
  options: { readonly strict?: boolean; readonly callTimeoutMs?: number; readonly allocationId?: string } = {},
): Adapter {
  const { strict = false, callTimeoutMs } = options
  const config = { region: 'eu-west-1', allocationId: options.allocationId ?? allocationId, endpoint, strict }
  const targets = { n1: places.n1, n2: places.n2 }
  return createAwsEip({ ...names, config, targets }, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

export function ec2World({
  strict,
  clock,
}: {
  readonly strict: boolean
  readonly clock?: () => Date
}): Promise<Ec2World> {
  return createEc2World({
    lab: { ...labWorld, ...(clock === undefined ? {} : { clock }) },
    actions: { observe: ['DescribeAddresses'], apply: ['AssociateAddress'] },
    adapterAt: (url) => adapterAt(url, { strict }),
    owner: (ec2) => placeOf(ec2.state().addresses[0]?.association ?? null, places),
    move: (ec2, place) => ec2.setOutOfBand(allocationId, place === null ? null : places[place]),
  })
}

type Association = { readonly networkInterfaceId: string; readonly privateIpAddress: string }

function placeOf(association: Association | null, known: Readonly<Record<string, Association>>): Place {
  if (association === null) return null
  const found = Object.entries(known).find(([, { networkInterfaceId }]) => {
    return networkInterfaceId === association.networkInterfaceId
  })
  return (found?.[0] ?? 'foreign') as Place
}

/** One Elastic IP and three interfaces of their own in a moto that may be shared by many. */
export async function motoWorld(url: string): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const region = 'eu-west-1'
  const client = new EC2Client({ region, endpoint: url })
  const subnets = await client.send(new DescribeSubnetsCommand({}))
  const SubnetId = subnets.Subnets?.[0]?.SubnetId
  const created = await Promise.all([1, 2, 3].map(() => client.send(new CreateNetworkInterfaceCommand({ SubnetId }))))
  const [n1, n2, foreign] = created.map(({ NetworkInterface: made }) => ({
    networkInterfaceId: made!.NetworkInterfaceId!,
    privateIpAddress: made!.PrivateIpAddress!,
  }))
  const known = { n1: n1!, n2: n2!, foreign: foreign! }
  const { AllocationId } = await client.send(new AllocateAddressCommand({ Domain: 'vpc' }))
  const config = { region, allocationId: AllocationId!, endpoint: url, strict: false }
  const read = async () =>
    (await client.send(new DescribeAddressesCommand({ AllocationIds: [AllocationId!] }))).Addresses![0]!
  const world: PlainWorld = {
    owner: async () => {
      const { AssociationId, NetworkInterfaceId, PrivateIpAddress } = await read()
      if (AssociationId === undefined) return null
      return placeOf({ networkInterfaceId: NetworkInterfaceId!, privateIpAddress: PrivateIpAddress! }, known)
    },
    setOutOfBand: async (place) => {
      const { AssociationId } = await read()
      if (AssociationId !== undefined) await client.send(new DisassociateAddressCommand({ AssociationId }))
      if (place === null) return
      const { networkInterfaceId: NetworkInterfaceId, privateIpAddress: PrivateIpAddress } = known[place]
      await client.send(new AssociateAddressCommand({ AllocationId, NetworkInterfaceId, PrivateIpAddress }))
    },
    unreachable: async () => {
      const gone = await createEc2(labWorld)
      await gone.close()
      return adapterAt(gone.url)
    },
    end: async () => client.destroy(),
  }
  return { adapter: createAwsEip({ ...names, config, targets: { n1: known.n1, n2: known.n2 } }), world }
}
