/** What an `aws-eip` binding is configured with. Light: nothing of the SDK is imported here. */
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

const configSchema = z.strictObject({
  region: regionSchema,
  allocationId: z
    .string()
    .regex(/^eipalloc-[0-9A-Za-z]+$/, 'an allocation id is like eipalloc-0123456789abcdef0')
    .describe('the Elastic IP, by its allocation: eipalloc-…'),
  strict: z
    .boolean()
    .default(false)
    .describe('move in two conditional steps that refuse a stale writer; between them the address points nowhere'),
  endpoint: endpointSchema,
  accountId: accountIdSchema,
})

const targetSchema = z.strictObject({
  networkInterfaceId: networkInterfaceIdSchema.describe("the node's network interface: eni-…"),
  privateIpAddress: z
    .ipv4('a private address is like 10.0.0.11')
    .describe('the private address of that interface which the Elastic IP stands for'),
  instanceId: z
    .string()
    .regex(/^i-[0-9A-Za-z]+$/, 'an instance id is like i-0123456789abcdef0')
    .optional()
    .describe('the instance of that interface, which narrows the IAM policy; without it the policy says `*` there'),
})

export type AwsEipConfig = z.output<typeof configSchema>
export type AwsEipTarget = z.output<typeof targetSchema>

export const awsEipSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'aws-eip',
  moves: 'an Elastic IP',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { region: 'eu-west-1', allocationId: 'eipalloc-0a1b2c3d', accountId: '123456789012' },
    targets: {
      n1: { networkInterfaceId: 'eni-0aaa', privateIpAddress: '10.0.1.10', instanceId: 'i-0aaa' },
      n2: { networkInterfaceId: 'eni-0bbb', privateIpAddress: '10.0.2.10', instanceId: 'i-0bbb' },
    },
  },
  permissions: ({ config, targets }) => {
    const all = Object.values(targets)
    const interfaces = all.map(({ networkInterfaceId }) => networkInterfaceId)
    const instances = all.map(({ instanceId = '*' }) => instanceId)
    return [
      readPermission(config, ['ec2:DescribeAddresses', 'ec2:DescribeNetworkInterfaces']),
      {
        kind: 'aws',
        actions: ['ec2:AssociateAddress', ...(config.strict ? ['ec2:DisassociateAddress'] : [])],
        resources: [
          ...arnsOf(config, 'elastic-ip', [config.allocationId]),
          ...arnsOf(config, 'network-interface', interfaces),
          ...arnsOf(config, 'instance', instances.includes('*') ? ['*'] : instances),
        ],
      },
    ]
  },
  budget: (config) => readBudget(config),
}
