/** What a route53 binding may be configured with. */
import { expect, test } from 'vitest'
import { route53Schema } from '../../../adapters/route53/schema.ts'

const { config, target } = route53Schema

test('a name is the same with capitals and a dot at the end', () => {
  const parsed = config.parse({ hostedZoneId: 'Z1', name: '*.VIP.Example.com.' })
  expect(parsed).toEqual({ hostedZoneId: 'Z1', name: '*.vip.example.com', ttl: 30, region: 'us-east-1' })
})

test.each([
  { hostedZoneId: '/hostedzone/Z1', name: 'vip.example.com' },
  { hostedZoneId: 'Z1', name: 'vip' },
  { hostedZoneId: 'Z1', name: 'a.*.example.com' },
  { hostedZoneId: 'Z1', name: 'vip..example.com' },
  { hostedZoneId: 'Z1', name: 'vip.example.com', ttl: 0 },
  { hostedZoneId: 'Z1', name: 'vip.example.com', endpoint: 'http://me:secret@127.0.0.1:1' },
  { hostedZoneId: 'Z1', name: 'vip.example.com', setIdentifier: 'blue' },
])('refuses %j', (wrong) => {
  expect(config.safeParse(wrong).success).toBe(false)
})

test.each([
  {},
  { a: [] },
  { a: ['2001:db8::1'] },
  { aaaa: ['192.0.2.1'] },
  { a: ['192.0.2.1'], cname: 'n1.example.com' },
])('refuses the target %j', (wrong) => {
  expect(target.safeParse(wrong).success).toBe(false)
})

test.each([
  ['us-east-1', 'arn:aws:route53:::hostedzone/Z1'],
  ['cn-northwest-1', 'arn:aws-cn:route53:::hostedzone/Z1'],
  ['us-gov-west-1', 'arn:aws-us-gov:route53:::hostedzone/Z1'],
])('in %s permissions are for %s', (region, arn) => {
  const parsed = config.parse({ hostedZoneId: 'Z1', name: '*.example.com', region })
  const permissions = route53Schema.permissions({ config: parsed, targets: {} })
  expect(permissions[1]).toEqual({
    kind: 'aws',
    actions: ['route53:ChangeResourceRecordSets'],
    resources: [arn],
    condition: {
      'ForAllValues:StringEquals': {
        'route53:ChangeResourceRecordSetsNormalizedRecordNames': [
          '\\052.example.com',
          '_holdfast._wildcard.example.com',
        ],
        'route53:ChangeResourceRecordSetsRecordTypes': ['A', 'AAAA', 'CNAME', 'TXT'],
        'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE'],
      },
    },
  })
})
