/** powerdns against the strict PowerDNS: the shared suite, faults through control's driver, and what is its own. */
import { describe, expect, test } from 'vitest'
import type { Observation } from '../../../adapters/adapter.ts'
import { powerdnsSchema } from '../../../adapters/powerdns/schema.ts'
import { apiKey, vip } from '../../../infra/lab/dns/servers.ts'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, addresses, mixed, names, powerdnsWorld } from './worlds.ts'

const signal = () => AbortSignal.timeout(10_000)
const at = `${vip}.`
const set = (type: string, content: string, disabled = false) => {
  return { name: at, type, ttl: 30, records: [{ content, disabled }] }
}
const epochSet = (content: string) => ({ ...set('TXT', content), name: `_holdfast.${at}` })

const tokenOf = (seen: Observation): string | null => {
  if (seen.kind === 'unknown') throw new Error(JSON.stringify(seen))
  return seen.token
}

adapterCases({ name: 'powerdns with addresses', setup: () => powerdnsWorld() })
adapterCases({ name: 'powerdns with an alias', setup: () => powerdnsWorld({ targets: mixed }) })
faultMatrix({ name: 'powerdns', setup: () => powerdnsWorld() })

describe('powerdns', () => {
  test('writes name and epoch in one request, and says whose turn it is', async () => {
    const { adapter, world, powerdns } = await powerdnsWorld()
    expect(await adapter.apply({ node: 'n2', epoch: 42, token: null }, signal())).toEqual({ kind: 'done' })
    expect(powerdns.requests.map(({ action }) => action)).toEqual(['PATCH zone'])
    expect(powerdns.state().sets).toEqual([
      {
        ...set('A', ''),
        records: ['192.0.2.12', '192.0.2.22'].map((content) => ({ content, disabled: false })),
      },
      epochSet('"v=1 epoch=42 owner=n2"'),
    ])
    expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n2', epochSeen: 42 })
    await world.end()
  })

  test('tells the secondaries when it is to, and a notice that fails does not undo the move', async () => {
    const { adapter, world, powerdns } = await powerdnsWorld({ notify: true })
    expect(await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())).toEqual({ kind: 'done' })
    expect(powerdns.state().notified).toBe(1)
    powerdns.faults.add({ kind: 'reset-before', action: 'PUT notify' })
    expect(await adapter.apply({ node: 'n2', epoch: 2, token: null }, signal())).toEqual({ kind: 'done' })
    expect([await world.owner(), powerdns.state().notified]).toEqual(['n2', 1])
    await world.end()
  })

  test('a TTL that is not the binding’s is foreign, and put right by the next move', async () => {
    const sets = [{ ...set('A', '192.0.2.12'), ttl: 3_600 }]
    const targets = { ...addresses, n2: { a: ['192.0.2.12'] } }
    const { adapter, world } = await powerdnsWorld({ sets, targets })
    const seen = await adapter.observe(signal())
    expect(seen).toMatchObject({ kind: 'foreign', what: 'A 192.0.2.12 (TTL 3600)' })
    expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal())).toEqual({ kind: 'done' })
    expect(await adapter.observe(signal())).toMatchObject({ kind: 'node', node: 'n2' })
    await world.end()
  })

  test('a disabled record is not there', async () => {
    const { adapter, world } = await powerdnsWorld({ sets: [set('A', '192.0.2.99', true)] })
    expect(await adapter.observe(signal())).toMatchObject({ kind: 'none' })
    await world.end()
  })

  test.each([
    ['LUA', set('LUA', `A "ifportup(443, {'192.0.2.1'})"`), 'type LUA'],
    ['ALIAS', set('ALIAS', 'elsewhere.example.net.'), 'type ALIAS'],
    ['a foreign text', epochSet('"v=spf1 -all"'), 'no epoch of ours'],
    ['a text in several strings', epochSet('"v=1 epoch=1 " "owner=n1"'), 'no epoch of ours'],
  ])('%s is left for a person', async (_, present, words) => {
    const { adapter, world, powerdns } = await powerdnsWorld({ sets: [present] })
    const seen = await adapter.observe(signal())
    expect(seen).toMatchObject({ kind: 'foreign', what: expect.stringContaining(words) })
    const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: tokenOf(seen) }, signal())
    expect(outcome).toMatchObject({ kind: 'permanent', code: 'NotSimple' })
    expect(powerdns.state().sets).toEqual([present])
    expect(await adapter.preflight(signal())).toContainEqual(
      expect.objectContaining({ result: 'failed', message: expect.stringContaining(words) }),
    )
    await world.end()
  })

  test('preflight asks for a serial that rises, and for the primary', async () => {
    const results: unknown[] = []
    for (const [kind, soaEditApi] of [
      ['Native', ''],
      ['Master', 'DEFAULT'],
      ['Master', ''],
      ['Slave', 'DEFAULT'],
    ] as const) {
      const { adapter, world } = await powerdnsWorld({ kind, soaEditApi })
      results.push((await adapter.preflight(signal())).at(-1))
      await world.end()
    }
    expect(results).toMatchObject([
      { result: 'passed' },
      { result: 'passed' },
      { result: 'failed', message: expect.stringContaining('SOA-EDIT-API') },
      { result: 'failed', message: expect.stringContaining('primary') },
    ])
  })

  test('what preflight was kept from trying is untried, or failed with the reason', async () => {
    const { adapter, world, powerdns } = await powerdnsWorld()
    powerdns.faults.add({ kind: 'error', code: '401', action: 'PATCH zone', next: 1 })
    const findings = await adapter.preflight(signal())
    expect(findings.map(({ result }) => result)).toEqual(['passed', 'passed', 'failed', 'passed'])
    const given = await adapter.preflight(AbortSignal.abort())
    expect(given.map(({ result }) => result)).toEqual(['untried'])
    await world.end()
  })

  test('a key that no header can carry is permanent, and is not quoted', async () => {
    const { world, powerdns } = await powerdnsWorld()
    for (const key of ['two\nlines of it', 'schlüssel-ü']) {
      const outcome = await adapterAt(powerdns.url, { key }).apply({ node: 'n1', epoch: 1, token: null }, signal())
      expect(outcome).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
      expect(JSON.stringify(outcome)).not.toContain(key.slice(0, 5))
    }
    expect(powerdns.requests).toEqual([])
    await world.end()
  })
})

test('a configuration says what is wrong with it', () => {
  const good = { url: 'http://127.0.0.1:8081', key: { env: 'KEY' }, zone: 'example.com', name: 'vip.example.com' }
  const problemOf = (change: object) =>
    powerdnsSchema.config.safeParse({ ...good, ...change }).error?.issues[0]?.message
  expect(problemOf({})).toBeUndefined()
  expect(problemOf({ name: 'vip.example.org' })).toBe('the name does not lie in the zone')
  expect(problemOf({ url: 'http://user:word@127.0.0.1' })).toBe('a URL holds no user name or password')
  expect(problemOf({ url: 'http://127.0.0.1/?a=b' })).toContain('no query')
  expect(problemOf({ url: 'ftp://127.0.0.1' })).toContain('a URL is like')
  expect(problemOf({ serverId: '../zones' })).toContain('a server id is like')
  expect(problemOf({ key: apiKey })).toContain('a secret is not written here')
  const grants = powerdnsSchema.permissions({ config: powerdnsSchema.config.parse(good), targets: {}, ...names })
  expect(JSON.stringify(grants)).toContain('the environment variable KEY')
})
