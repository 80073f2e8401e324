/** The world of the aws-private-ip adapter: addresses of either family, or both, in one subnet of the strict EC2. */
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAwsPrivateIp } from '../../../adapters/aws-private-ip/adapter.ts'
import { awsPrivateIpSchema } from '../../../adapters/aws-private-ip/schema.ts'
import type { Ec2 } from '../../../infra/lab/clouds/ec2.ts'
import { addressesOf, type Ec2State, moveAddress } from '../../../infra/lab/clouds/ec2-state.ts'
import type { Place } from '../adapter-cases.ts'
import { commonPlace, createEc2World, type Ec2World, interfaceOf, placeOf } from '../aws/ec2-world.ts'

export const ipv4 = '10.0.0.100'
export const ipv6 = '2001:db8::100'

export const lab = {
  addresses: [{ allocationId: 'eipalloc-1', publicIp: '203.0.113.10' }],
  subnets: [{ subnetId: 'subnet-1', cidrBlock: '10.0.0.0/24', ipv6CidrBlock: '2001:db8::/64' }],
  interfaces: [
    ...['1', '2', '9'].map((n) => ({
      networkInterfaceId: `eni-${n}`,
      instanceId: `i-${n}`,
      subnetId: 'subnet-1',
      privateIpAddresses: [`10.0.0.${n}`],
      ipv6Addresses: [`2001:db8::${n}`],
    })),
    // Another network with the same addresses: nobody's business.
    {
      networkInterfaceId: 'eni-7',
      instanceId: 'i-7',
      subnetId: 'subnet-7',
      privateIpAddresses: ['10.0.0.7', ipv4],
    },
  ],
}

export type AdapterOptions = { readonly addresses: readonly string[]; readonly callTimeoutMs?: number }

export function adapterAt(endpoint: string, { addresses, ...options }: AdapterOptions): Adapter {
  const given = { region: 'eu-west-1', subnetId: 'subnet-1', addresses: [...addresses], endpoint }
  const config = awsPrivateIpSchema.config.parse(given)
  const targets = { n1: { networkInterfaceId: 'eni-1' }, n2: { networkInterfaceId: 'eni-2' } }
  return createAwsPrivateIp({ service: 'web', binding: 'ip', config, targets }, options)
}

export function privateIpWorld(addresses: readonly string[]): Promise<Ec2World> {
  return createEc2World({
    lab,
    actions: {
      observe: ['DescribeNetworkInterfaces'],
      apply: ['AssignPrivateIpAddresses', 'AssignIpv6Addresses'],
      late: ['AssignPrivateIpAddresses', 'AssignIpv6Addresses', 'UnassignIpv6Addresses'],
    },
    adapterAt: (url) => adapterAt(url, { addresses }),
    owner: (ec2) => commonPlace(addresses.map((address) => at(ec2, address))),
    move: (ec2, place) => {
      for (const address of addresses) ec2.change((state) => moved(state, address, place))
    },
  })
}

export function at(ec2: Ec2, address: string): Place {
  const holder = inSubnet(ec2.state()).find((one) => addressesOf(one, address).includes(address))
  return placeOf(holder?.networkInterfaceId ?? null)
}

function inSubnet({ interfaces }: Ec2State): Ec2State['interfaces'] {
  return interfaces.filter(({ subnetId }) => subnetId === 'subnet-1')
}

/** Somebody else moves one address, or takes it away; the other network stays as it is. */
export function moved(state: Ec2State, address: string, place: Place): Ec2State {
  const others = state.interfaces.filter((one) => !inSubnet(state).includes(one))
  const here = { ...state, interfaces: inSubnet(state) }
  const after = moveAddress(here, address, place === null ? null : interfaceOf[place])
  return { ...after, interfaces: [...after.interfaces, ...others] }
}
