/** What preflight says of a zone, a name and permissions; it never changes anything. */
import { beforeEach, expect, test } from 'vitest'
import type { Adapter, Finding } from '../../../adapters/adapter.ts'
import { adapterAt, addresses, mixed, route53World, ttl, useLabCredentials, vip, zoneId } from './worlds.ts'

beforeEach(useLabCredentials)

const signal = new AbortController().signal

async function resultsOf(adapter: Adapter): Promise<Record<string, Finding['result']>> {
  const findings = await adapter.preflight(signal)
  return Object.fromEntries(findings.map(({ check, result }) => [check.split(' ')[0], result]))
}

test('all that can be tried is tried, and what cannot says why', async () => {
  const { adapter, world, route53 } = await route53World()
  expect((await adapter.preflight(signal)).map(({ check, result }) => `${result} ${check}`)).toEqual([
    'passed route53:GetHostedZone Z0LAB',
    'passed vip.example.com lies in the zone example.com',
    'passed route53:ListResourceRecordSets Z0LAB from vip.example.com',
    'passed route53:GetChange',
    'untried route53:ChangeResourceRecordSets vip.example.com to A 192.0.2.11, AAAA 2001:db8::11 (n1)',
    'untried route53:ChangeResourceRecordSets vip.example.com to A 192.0.2.12 192.0.2.22 (n2)',
  ])
  expect(route53.requests.map(({ action }) => action)).not.toContain('ChangeResourceRecordSets')
  await world.end()
})

test.each(['GetHostedZone', 'ListResourceRecordSets', 'GetChange'])(
  'a missing permission for %s fails',
  async (action) => {
    const { adapter, world, route53 } = await route53World()
    route53.faults.add({ kind: 'error', action, code: 'AccessDenied' })
    expect(await resultsOf(adapter)).toMatchObject({ [`route53:${action}`]: 'failed' })
    await world.end()
  },
)

test('what could not be asked is untried, not failed', async () => {
  const { adapter, world, route53 } = await route53World()
  route53.faults.add({ kind: 'error', code: 'Throttling' })
  expect(new Set(Object.values(await resultsOf(adapter)))).toEqual(new Set(['untried']))
  await world.end()
})

test.each([
  { name: 'a zone that does not exist', at: { hostedZoneId: 'Z404' }, says: 'NoSuchHostedZone' },
  { name: 'a name of another zone', at: { name: 'vip.example.org' }, says: 'Z0LAB is the zone example.com' },
  { name: 'a name that only ends alike', at: { name: 'vip.notexample.com' }, says: 'correct hostedZoneId or name' },
  { name: 'a CNAME for the zone itself', at: { name: 'example.com', targets: mixed }, says: 'give n2 addresses' },
])('$name fails', async ({ at, says }) => {
  const { world, route53 } = await route53World()
  const adapter = adapterAt(route53.url, at)
  const failed = (await adapter.preflight(signal)).filter(({ result }) => result === 'failed')
  expect(failed.map(({ message }) => message).join('\n')).toContain(says)
  adapter.dispose()
  await world.end()
})

test('a record that cannot be written fails before it has to be', async () => {
  const { adapter, world, route53 } = await route53World()
  const weighted = { name: vip, type: 'A', ttl, values: addresses.n1.a!, setIdentifier: 'blue', weight: '10' }
  route53.setOutOfBand(zoneId, vip, ['A'], [weighted])
  expect(await resultsOf(adapter)).toMatchObject({ 'route53:ListResourceRecordSets': 'failed' })
  await world.end()
})
