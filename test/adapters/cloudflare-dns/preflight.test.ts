/** What preflight says of a token, a zone and a name; it never changes anything. */
import { beforeEach, expect, test } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { type CloudflareToken, labToken, type Permission } from '../../../infra/lab/clouds/cloudflare-access.ts'
import { accountId, adapterAt, cloudflareDnsWorld, mixed, useLabToken, vip, zoneId } from './worlds.ts'

beforeEach(() => useLabToken())

const signal = new AbortController().signal

async function verdicts(adapter: Adapter): Promise<string[]> {
  const findings = await adapter.preflight(signal)
  return findings.map(({ check, result, message }) => `${result} ${check}${message === null ? '' : `: ${message}`}`)
}

function tokenThat(may: readonly Permission[], more: Partial<CloudflareToken> = {}): CloudflareToken {
  return { ...labToken, may: may.map((permission) => ({ permission, of: zoneId })), ...more }
}

test('all that can be tried is tried, with the permissions that it asks for and no others', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ tokens: [tokenThat(['Zone Read', 'DNS Write'])] })
  expect(await verdicts(adapter)).toEqual([
    'passed the token is active',
    `passed zone ${zoneId} can be read`,
    'passed vip.example.com lies in the zone example.com',
    'passed the records of vip.example.com can be read',
    'passed vip.example.com may be moved to A 192.0.2.11, AAAA 2001:db8::11 (n1)',
    'passed vip.example.com may be moved to A 192.0.2.12 192.0.2.22 (n2)',
  ])
  expect(cloudflare.requests.map(({ action }) => action)).not.toContain('POST dns_records/batch')
  // And they are enough for a move.
  const seen = await adapter.observe(signal)
  if (seen.kind === 'unknown') throw new Error('it could not be observed')
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: seen.token }, signal)).toEqual({ kind: 'done' })
  await world.end()
})

test('a token that may only read fails before a move needs it', async () => {
  const { adapter, world } = await cloudflareDnsWorld({ tokens: [tokenThat(['Zone Read', 'DNS Read'])] })
  const failed = (await verdicts(adapter)).filter((line) => line.startsWith('failed'))
  expect(failed).toHaveLength(2)
  expect(failed[0]).toContain('#dns_records:edit')
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal)).toMatchObject({
    kind: 'permanent',
    code: '10000',
  })
  await world.end()
})

test('a token of the account is asked for there', async () => {
  const tokens = [tokenThat(['Zone Read', 'DNS Write'], { owner: 'account' })]
  const { adapter, world, cloudflare } = await cloudflareDnsWorld({ tokens })
  expect(await verdicts(adapter)).toContain('passed the token is active')
  expect(cloudflare.requests.map(({ action }) => action)).toContain('GET accounts/tokens/verify')
  expect(cloudflare.requests.find(({ params }) => params.account !== undefined)?.params.account).toBe(accountId)
  await world.end()
})

test.each([
  [{ status: 'expired' as const }, /failed the token is active: 1000: Cloudflare refuses the token/],
  [{ expires: new Date(Date.now() + 86_400_000).toISOString() }, /failed the token is active: it expires at 20/],
  [{ may: [] }, /failed zone 023e105f4ecef8ad9ca31a8372d0c353 can be read: 10000/],
])('a token %j fails', async (more, says) => {
  const { adapter, world } = await cloudflareDnsWorld({ tokens: [{ ...labToken, ...more }] })
  expect((await verdicts(adapter)).join('\n')).toMatch(says)
  await world.end()
})

test('what could not be asked is untried, not failed', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  cloudflare.faults.add({ kind: 'error', code: '10429' })
  expect((await verdicts(adapter)).filter((line) => !line.startsWith('untried'))).toEqual([])
  await world.end()
})

test.each([
  { name: 'a zone that does not exist', at: { zoneId: accountId }, says: '7003' },
  { name: 'a name of another zone', at: { name: 'vip.example.org' }, says: 'is the zone example.com' },
  { name: 'a name that only ends alike', at: { name: 'vip.notexample.com' }, says: 'correct zoneId or name' },
])('$name fails', async ({ at, says }) => {
  const { world, cloudflare } = await cloudflareDnsWorld()
  const failed = (await verdicts(adapterAt(cloudflare.endpoint, at))).filter((line) => line.startsWith('failed'))
  expect(failed.join('\n')).toContain(says)
  await world.end()
})

test('what is not wrong and yet not certain is said', async () => {
  const { world, cloudflare } = await cloudflareDnsWorld()
  const adapter = adapterAt(cloudflare.endpoint, { name: 'example.com', ttl: 30, targets: mixed })
  const said = (await verdicts(adapter)).join('\n')
  expect(said).toMatch(/untried a ttl of 30 s: only zones of the Enterprise plan/)
  expect(said).toMatch(/untried the CNAME of the zone itself: Cloudflare flattens it/)
  await world.end()
})

test('a zone that is not active, and a text that stops every write, fail', async () => {
  const { adapter, world, cloudflare } = await cloudflareDnsWorld()
  cloudflare.change((state) => ({
    ...state,
    zones: state.zones.map((zone) => ({ ...zone, status: 'pending' as const })),
  }))
  cloudflare.setOutOfBand(zoneId, `_holdfast.${vip}`, ['TXT'], [{ type: 'TXT', content: '"hello"', ttl: 60 }])
  const said = (await verdicts(adapter)).join('\n')
  expect(said).toMatch(/failed the zone is active: it is pending/)
  expect(said).toMatch(/failed the records of vip.example.com can be read: .*no epoch of ours/)
  await world.end()
})
