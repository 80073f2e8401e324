/** What an `aws-eip` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema } from '../adapter.ts'

const configSchema = z.strictObject({
  region: z.string().regex(/^[a-z0-9-]+$/, 'a region is like eu-west-1'),
  /** The Elastic IP, by its allocation. */
  allocationId: z.string().regex(/^eipalloc-[0-9A-Za-z]+$/, 'an allocation id is like eipalloc-0123456789abcdef0'),
  /** Another EC2 than AWS's own for the region: a VPC endpoint, or a local one. Default: AWS's. */
  endpoint: z
    .url({ protocol: /^https?$/, error: 'an endpoint is a URL like http://127.0.0.1:5000' })
    .refine((value) => !/^[a-z]+:\/\/[^/?#]*@/i.test(value), 'an endpoint holds no user name or password')
    .optional(),
  /**
   * Move in two conditional steps, so that a stale writer is refused: the address points nowhere between them, for
   * about the time of one call. Default false: one unconditional step.
   */
  strict: z.boolean().default(false),
})

const targetSchema = z.strictObject({
  networkInterfaceId: z.string().regex(/^eni-[0-9A-Za-z]+$/, 'an interface id is like eni-0123456789abcdef0'),
  /** The private address of that interface which the Elastic IP stands for. */
  privateIpAddress: z.ipv4('a private address is like 10.0.0.11'),
})

export type AwsEipConfig = z.output<typeof configSchema>
export type AwsEipTarget = z.output<typeof targetSchema>

export const awsEipSchema: AdapterSchema<typeof configSchema, typeof targetSchema> = {
  name: 'aws-eip',
  moves: 'an Elastic IP',
  config: configSchema,
  target: targetSchema,
  example: {
    config: { region: 'eu-west-1', allocationId: 'eipalloc-0a1b2c3d' },
    targets: {
      n1: { networkInterfaceId: 'eni-0aaa', privateIpAddress: '10.0.1.10' },
      n2: { networkInterfaceId: 'eni-0bbb', privateIpAddress: '10.0.2.10' },
    },
  },
  permissions: () => [],
  budget: ({ region }) => ({ account: `AWS EC2 reads in ${region}`, calls: 100, perMs: 5_000 }),
}
