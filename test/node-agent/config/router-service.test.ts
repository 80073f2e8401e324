import { describe, expect, test } from 'vitest'
import { type Family, formatAddress, formatPrefix } from '../../../node-agent/wire/address.ts'
import { problems, read } from '../../support/agent-config.ts'

const manyAddresses = (count: number, family: Family = 'ipv4'): string =>
  Array.from({ length: count }, (_, i) =>
    family === 'ipv4' ? `10.77.${1 + (i >> 8)}.${i & 0xff}/16` : `"fd77::1:${(i + 1).toString(16)}/64"`,
  ).join(', ')

/** The one router of a service with these keys beside interface and vrid. */
const routerOf = (keys: string) => read(`services:\n  web: {interface: eth0, vrid: 51, ${keys}}\n`).routers[0]!

test('version 2 with a password, of which keepalived too reads eight octets', () => {
  const text = (password: string) => `services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24], version: 2, interval: 255s,
    authentication: {type: pass,
      password: "${password}"}}
`
  const short = read(text('seven77'))
  expect(short.routers[0]).toMatchObject({ version: 2, advertisementInterval: 25_500 })
  expect(Buffer.from(short.routers[0]!.password!).toString('latin1')).toBe('seven77\0')
  expect(short.warnings).toEqual([])
  const long = read(text('twelve-long!'))
  expect(Buffer.from(long.routers[0]!.password!).toString()).toBe('twelve-l')
  const [warning] = long.warnings
  expect(warning).toMatchObject({ file: 'n1.yaml', line: 4, key: 'services.web.authentication.password' })
  expect(warning!.message).toMatch(/longer than 8 octets/)
  expect(JSON.stringify(long.warnings)).not.toContain('twelve')
  // Eight characters may be more octets than eight.
  expect(read(text('pässwörd')).warnings).toHaveLength(1)
})

test('D3: IPv6 speaks when its address is first, with a link-local one before all others', () => {
  const router = routerOf('addresses: ["fd77::50/64", "fe80::51/64", 10.77.0.50/24]')
  expect(router.family).toBe('ipv6')
  expect(router.addresses.map(formatPrefix)).toEqual(['fe80::51/64', 'fd77::50/64'])
  expect(router.riders.map(formatPrefix)).toEqual(['10.77.0.50/24'])
})

test('unicast of both families', () => {
  const bare = routerOf('addresses: [10.77.0.50/24], unicast: {peers: [10.77.0.2]}')
  expect(bare.transport).toMatchObject({ kind: 'unicast', source: null, ttl: 255, minTtl: 255 })
  const full = routerOf(
    'addresses: ["fe80::51/64"], unicast: {source: "fe80::1", peers: ["fe80::2", "fe80::3"], ttl: 64, minTtl: 1}',
  )
  if (full.transport.kind !== 'unicast') throw new Error('it is not unicast')
  expect(formatAddress(full.transport.source!)).toBe('fe80::1')
  expect(full.transport.peers.map(formatAddress)).toEqual(['fe80::2', 'fe80::3'])
  expect(full.transport).toMatchObject({ ttl: 64, minTtl: 1 })
})

test('virtual MACs, and an active node that does not take packets', () => {
  const config = read(
    'services:\n  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24], virtualMac: true, accept: false}\n',
  )
  expect(config.routers[0]).toMatchObject({ virtualMac: true })
  expect(config.services[0]).toMatchObject({ accept: false })
})

describe('what can’t go together is named with file, line, key and remedy', () => {
  test.each([
    [
      'addresses: [10.77.0.50/24], version: 2, checksum: rfc9568',
      /: services\.web\.checksum: is for version 3 only .*one form/,
    ],
    [
      'addresses: [10.77.0.50/24], version: 2, acceptChecksum: auto',
      /: services\.web\.acceptChecksum: is for version 3 only/,
    ],
    [
      'addresses: [10.77.0.50/24], version: 2, interval: 1500ms',
      /: services\.web\.interval: must be whole seconds in version 2 .*version: 3/,
    ],
    [
      'addresses: [10.77.0.50/24], unicast: {peers: [10.77.0.2]}, virtualMac: true',
      /services\.web\.virtualMac: is not for unicast/,
    ],
    [
      'addresses: [10.77.0.50/24], version: 2, authentication: {type: pass, password: ""}',
      /services\.web\.authentication\.password: /,
    ],
    [
      'addresses: ["fd77::50/64"]',
      /addresses: needs a link-local address.*addresses: \["fe80::51\/64", "fd77::50\/64"\]/,
    ],
    ['addresses: ["fe80::51/64"], version: 2', /version: 2 speaks IPv4 only/],
    ['addresses: ["fe80::51/64"], checksum: rfc5798', /checksum: is for IPv4 only/],
    ['addresses: ["fe80::51/64"], unicast: {peers: [10.77.0.2]}', /unicast\.peers\[0\]: 10\.77\.0\.2 is not IPv6/],
    [
      'addresses: [10.77.0.50/24, "fd77::50/64"], virtualMac: true',
      /addresses\[1\]: fd77::50 can’t ride along with virtualMac.*vrid: 51, addresses: \["fe80::51\/64", "fd77::50\/64"\]/,
    ],
    [`addresses: [${manyAddresses(256)}]`, /addresses: has 256 IPv4 addresses, and .* room for 255 .*another service/],
    [`addresses: ["fe80::51/64", ${manyAddresses(90, 'ipv6')}]`, /addresses: has 91 IPv6 addresses.* room for 90/],
  ])('%.60s', (keys, expected) => {
    const [problem] = problems(`services:\n  web: {interface: eth0, vrid: 51, ${keys}}\n`)
    expect(problem).toMatch(/^n1.yaml:2: services\.web\./)
    expect(problem).toMatch(expected)
  })

  test('as many addresses as fit, and more of the other family', () => {
    const { addresses, riders } = routerOf(`addresses: [${manyAddresses(255)}, ${manyAddresses(100, 'ipv6')}]`)
    expect([addresses.length, riders.length]).toEqual([255, 100])
  })

  test('no problem and no warning has a password in it', () => {
    const password = 'hunter2hunter2'
    for (const keys of ['version: 3', 'version: 2, interval: 1500ms', 'version: 2, priority: 0']) {
      const text = `services:
  web: {interface: eth0, vrid: 51, addresses: [10.77.0.50/24], ${keys},
    authentication: {type: pass, password: "\${PASS}"}}
`
      expect(problems(text, { PASS: password }).join('\n')).not.toContain('hunter2')
      expect(problems(text.replace('pass,', 'ah,'), { PASS: password }).join('\n')).not.toContain('hunter2')
    }
  })
})
