/** What an `aws-private-ip` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'
import {
  accountIdSchema,
  arnsOf,
  endpointSchema,
  networkInterfaceIdSchema,
  readBudget,
  readPermission,
  regionSchema,
} from '../aws/ec2-schema.ts'
import { canonicalAddress } from '../aws/networks.ts'

const addressSchema = z
  .union([z.ipv4(), z.ipv6()], { error: 'an address is like 10.0.0.10 or 2001:db8::10, without a prefix length' })
  .transform(canonicalAddress)

const configSchema = z.strictObject({
  region: regionSchema,
  subnetId: z
    .string()
    .regex(/^subnet-[0-9A-Za-z]+$/, 'a subnet id is like subnet-0123456789abcdef0')
    .describe('the subnet of the addresses and of all interfaces: EC2 moves none out of it'),
  addresses: z
    .array(addressSchema)
    .min(1)
    .max(15)
    .refine((all) => new Set(all).size === all.length, 'each address stands here once')
    .describe('secondary private addresses, IPv4 and IPv6, that move together; an Elastic IP on one moves with it'),
  endpoint: endpointSchema,
  accountId: accountIdSchema,
})

const targetSchema = z.strictObject({
  networkInterfaceId: networkInterfaceIdSchema.describe("the node's network interface, in that subnet: eni-…"),
})

export type AwsPrivateIpConfig = z.output<typeof configSchema>
export type AwsPrivateIpTarget = z.output<typeof targetSchema>

export function isIpv6(address: string): boolean {
  return address.includes(':')
}

export const awsPrivateIpSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'aws-private-ip',
  moves: 'secondary private addresses of an EC2 network interface, IPv4 and IPv6',
  config: configSchema,
  target: targetSchema,
  example: {
    config: {
      region: 'eu-west-1',
      subnetId: 'subnet-0a1b2c3d',
      addresses: ['10.0.1.100', '2001:db8:0:1::100'],
      accountId: '123456789012',
    },
    targets: { n1: { networkInterfaceId: 'eni-0aaa' }, n2: { networkInterfaceId: 'eni-0bbb' } },
  },
  permissions: ({ config, targets }) => {
    const interfaces = Object.values(targets).map(({ networkInterfaceId }) => networkInterfaceId)
    const actions = [
      ...(config.addresses.every(isIpv6) ? [] : ['ec2:AssignPrivateIpAddresses']),
      ...(config.addresses.some(isIpv6) ? ['ec2:AssignIpv6Addresses', 'ec2:UnassignIpv6Addresses'] : []),
    ]
    return [
      readPermission(config, ['ec2:DescribeNetworkInterfaces']),
      { kind: 'aws', actions, resources: arnsOf(config, 'network-interface', interfaces) },
    ]
  },
  budget: (config) => readBudget(config, familiesOf(config)),
}

/** One observation takes a call for each family. */
function familiesOf({ addresses }: AwsPrivateIpConfig): number {
  return new Set(addresses.map(isIpv6)).size
}
