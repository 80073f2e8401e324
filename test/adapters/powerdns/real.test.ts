/** powerdns against the real PowerDNS: the shared suite, and that the strict one of the lab has the same rules. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPowerDnsCloud, type PowerDns } from '../../../infra/lab/clouds/powerdns.ts'
import { apiKey, type DnsServer, startDns, vip, zone } from '../../../infra/lab/dns/servers.ts'
import { describeWith, programRequirement } from '../../support/peers.ts'
import { plainAdapterCases } from '../adapter-cases.ts'
import { adapterAt, call, mixed, realWorld } from './worlds.ts'

const signal = () => AbortSignal.timeout(10_000)

describeWith(programRequirement('pdns_server'), 'powerdns against PowerDNS', () => {
  let server: DnsServer
  let strict: PowerDns
  beforeAll(async () => {
    server = await startDns('powerdns')
    strict = await createPowerDnsCloud({ zone: `${zone}.`, apiKey })
  }, 30_000)
  afterAll(async () => {
    await strict?.close()
    await server?.stop()
  })

  plainAdapterCases({ name: 'powerdns with addresses', setup: () => realWorld(server) })
  plainAdapterCases({ name: 'powerdns with an alias', setup: () => realWorld(server, { targets: mixed }) })

  test('preflight passes, and changes nothing', async () => {
    const { adapter } = await realWorld(server)
    const serial = async () =>
      ((await (await call({ url: server.api }, 'GET', '')).json()) as { serial: number }).serial
    await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())
    const before = [await adapter.observe(signal()), await serial()]
    expect((await adapter.preflight(signal())).map(({ result }) => result)).toEqual(Array(4).fill('passed'))
    expect([await adapter.observe(signal()), await serial()]).toEqual(before)
  })

  test.each([
    ['the key', { key: 'wrong' }, 'API key'],
    ['the zone', { zone: 'example.org', name: 'vip.example.org' }, 'zone example.org'],
    ['the server', { serverId: 'other' }, 'on server other'],
  ])('%s that is wrong is permanent, and says which', async (_, options, words) => {
    const adapter = adapterAt(server.api, options)
    const seen = await adapter.observe(signal())
    expect(seen).toMatchObject({ kind: 'unknown', failure: { kind: 'permanent' } })
    expect(JSON.stringify(seen)).toContain(words)
    const outcome = await adapter.apply({ node: 'n1', epoch: 1, token: null }, signal())
    expect(outcome).toMatchObject({ kind: 'permanent', message: expect.stringContaining(words) })
    const findings = await adapter.preflight(signal())
    expect(findings).toMatchObject([{ result: 'failed', message: expect.stringContaining(words) }])
  })

  test('what the strict PowerDNS of the lab refuses and takes is what the real one does', async () => {
    const text = (content: string) => [{ content, disabled: false }]
    const set = (name: string, type: string, content: string) => {
      return { name, type, ttl: 30, changetype: 'REPLACE', records: text(content) }
    }
    const at = `${vip}.`
    const gone = (type: string) => ({ name: at, type, changetype: 'DELETE' })
    const requests: readonly (readonly [method: string, path: string, body?: unknown])[] = [
      ['PATCH', '', { rrsets: [set(at, 'A', '192.0.2.1'), set(`_holdfast.${at}`, 'TXT', '"v=1 epoch=1 owner=n1"')] }],
      ['PATCH', '', { rrsets: [set(at, 'CNAME', 'n2.example.net.')] }],
      ['PATCH', '', { rrsets: [set(at, 'CNAME', 'n2.example.net.'), gone('A')] }],
      ['PATCH', '', { rrsets: [gone('A'), set(at, 'CNAME', 'n2.example.net.')] }],
      ['PATCH', '', { rrsets: [set(at, 'AAAA', '2001:db8::1')] }],
      ['PATCH', '', { rrsets: [gone('CNAME'), set(at, 'AAAA', '2001:DB8:0::1')] }],
      ['PATCH', '', { rrsets: [set(at, 'A', '192.0.2.7'), set(at, 'A', '192.0.2.8')] }],
      ['PATCH', '', { rrsets: [set(at, 'A', '192.0.2.7'), set(`_holdfast.${at}`, 'TXT', 'no quotes')] }],
      ['PATCH', '', { rrsets: [set(at, 'A', '192.0.2.999')] }],
      ['GET', `?rrset_name=${at}`],
      ['PATCH', '', { rrsets: [{ ...set(at, 'A', ''), records: [] }] }],
      ['PATCH', '', { rrsets: [{ ...set(at, 'A', ''), records: [...text('192.0.2.1'), ...text('192.0.2.1')] }] }],
      ['PATCH', '', { rrsets: [set(at, 'TXT', 'no quotes')] }],
      ['PATCH', '', { rrsets: [set(vip, 'A', '192.0.2.1')] }],
      ['PATCH', '', { rrsets: [set('vip.example.org.', 'A', '192.0.2.1')] }],
      ['PATCH', '', { rrsets: [{ ...gone('A'), changetype: 'ADD' }] }],
      ['PATCH', '', {}],
      ['PATCH', '', '{"rrsets": '],
      ['GET', `?rrset_name=${at}`],
      ['GET', `?rrset_name=_holdfast.${at}`],
      ['PUT', '/notify'],
      ['GET', '/nothing-there'],
    ]
    await realWorld(server)
    const rows: unknown[] = []
    const expected: unknown[] = []
    for (const [method, path, body] of requests) {
      rows.push([method, path, body, await gistOf(await call(strict, method, path, body))])
      expected.push([method, path, body, await gistOf(await call({ url: server.api }, method, path, body))])
    }
    expect(rows).toEqual(expected)
    expect(new Set(rows.map((row) => (row as [string, string, unknown, { status: number }])[3].status)).size).toBe(5)
  })
})

/** The part of an answer that the adapter looks at; of an error, its words up to the first that quote a parser. */
async function gistOf(response: Response): Promise<{ readonly status: number }> {
  const { status } = response
  const text = await response.text()
  if (!text.startsWith('{')) return { status, text } as { status: number }
  const { error, rrsets } = JSON.parse(text) as { error?: string; rrsets?: unknown }
  return { status, error: error?.replace(/ \(try .*$/, ''), rrsets } as { status: number }
}
