/** What a `route53` binding is configured with. Light: nothing of the SDK is imported here. */
import { z } from 'zod'
import type { AdapterSchema, Permission } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { dnsNameSchema } from '../dns/names.ts'
import { dnsTargetSchema, recordTypes } from '../dns/records.ts'
import { plainUrl } from '../url.ts'

const configSchema = z.strictObject({
  hostedZoneId: z
    .string()
    .regex(/^[A-Z0-9]{1,32}$/, 'a hosted zone id is like Z0123456789ABCDEFGHIJ')
    .describe('the hosted zone, by its id'),
  name: dnsNameSchema.describe('the name that moves: vip.example.com or *.vip.example.com'),
  ttl: z
    .int()
    .min(1)
    .max(86_400)
    .default(30)
    .describe('seconds for which resolvers keep an answer, and so go on using the old node'),
  region: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'a region is like us-east-1')
    .default('us-east-1')
    .describe('where Route 53 is: as it is, except in China (cn-northwest-1) and GovCloud (us-gov-west-1)'),
  endpoint: plainUrl('an endpoint is a URL like http://127.0.0.1:5000')
    .optional()
    .describe("another Route 53 than AWS's own"),
})

export type Route53Config = z.output<typeof configSchema>
export type Route53Target = z.output<typeof dnsTargetSchema>

export const route53Schema: AdapterSchema<typeof configSchema, typeof dnsTargetSchema> = {
  name: 'route53',
  moves: 'a name in a hosted zone of Route 53',
  config: configSchema,
  target: dnsTargetSchema,
  example: {
    config: { hostedZoneId: 'Z0123456789ABCDEFGHIJ', name: 'vip.example.com', ttl: 30 },
    targets: {
      n1: { a: ['192.0.2.10'], aaaa: ['2001:db8::10'] },
      n2: { a: ['198.51.100.20'] },
    },
  },
  permissions: ({ config }) => permissionsOf(config),
  // A name's own records and its epoch record are most often one page of the zone, and never more than two calls.
  budget: () => ({ account: 'AWS Route 53', calls: 5, perMs: 1_000, perLook: 2 }),
}

/** Records of other names, and of other types, stay out of reach. */
function permissionsOf({ hostedZoneId, name, region }: Route53Config): readonly Permission[] {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
  const zone = `arn:${partition}:route53:::hostedzone/${hostedZoneId}`
  const condition = {
    'ForAllValues:StringEquals': {
      'route53:ChangeResourceRecordSetsNormalizedRecordNames': [name, epochRecordName(name)].map(escaped),
      // All of them, since what somebody else has put there instead must be taken away.
      'route53:ChangeResourceRecordSetsRecordTypes': [...recordTypes, 'TXT'],
      'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE'],
    },
  }
  return [
    { kind: 'aws', actions: ['route53:GetHostedZone', 'route53:ListResourceRecordSets'], resources: [zone] },
    { kind: 'aws', actions: ['route53:ChangeResourceRecordSets'], resources: [zone], condition },
    // A change's id is known only once it was made.
    { kind: 'aws', actions: ['route53:GetChange'], resources: [`arn:${partition}:route53:::change/*`] },
  ]
}

/** As Route 53 compares names with a policy's: the wildcard by its code. */
function escaped(name: string): string {
  return name.replace(/^\*/, '\\052')
}
