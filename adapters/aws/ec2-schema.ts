/** What the bindings of all EC2 adapters are configured with alike, and what follows from it. Light: no SDK here. */
import { z } from 'zod'
import type { Budget, Permission } from '../adapter.ts'
import { plainUrl } from '../url.ts'

export const regionSchema = z
  .string()
  .regex(/^[a-z0-9-]+$/, 'a region is like eu-west-1')
  .describe('the region all of it is in: eu-west-1')

export const endpointSchema = plainUrl('an endpoint is a URL like http://127.0.0.1:5000')
  .optional()
  .describe("another EC2 than AWS's own for the region: a VPC endpoint, or a local one")

export const accountIdSchema = z
  .string()
  .regex(/^\d{12}$/, 'an account id is twelve digits, in quotes: "123456789012"')
  .optional()
  .describe('the account, which narrows the IAM policy; without it the policy says `*` there')

export const networkInterfaceIdSchema = z
  .string()
  .regex(/^eni-[0-9A-Za-z]+$/, 'an interface id is like eni-0123456789abcdef0')

export type Ec2Config = {
  readonly region: string
  readonly endpoint?: string | undefined
  readonly accountId?: string | undefined
}

/** ARNs of EC2 resources: `arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-1`, each once. */
export function arnsOf(
  { region, accountId = '*' }: Ec2Config,
  type: string,
  ids: readonly string[],
): readonly string[] {
  return [...new Set(ids)].map((id) => `arn:${partitionOf(region)}:ec2:${region}:${accountId}:${type}/${id}`)
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

/** Describing knows no resource: only where it is asked can be narrowed. */
export function readPermission({ region }: Ec2Config, actions: readonly string[]): Permission {
  return {
    kind: 'aws',
    actions,
    resources: ['*'],
    condition: { StringEquals: { 'aws:RequestedRegion': region } },
  }
}

/**
 * Describe calls that are filtered or by id have a bucket of 100, filled by 20 a second, shared by all of the account in
 * the region.
 */
export function readBudget({ region }: Ec2Config, perLook = 1): Budget {
  return { account: `AWS EC2 reads in ${region}`, calls: 100, perMs: 5_000, perLook }
}
