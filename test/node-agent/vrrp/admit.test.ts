/** The receive rules one by one, with the packets that the reference vectors lack. */
import { describe, expect, test } from 'vitest'
import { type Admission, admit, type Receiver } from '../../../node-agent/vrrp/admit.ts'
import type { Transport, VirtualRouter } from '../../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import type { Prefix } from '../../../node-agent/wire/address.ts'
import { encodeIp } from '../../../node-agent/wire/ip.ts'
import { address, virtualRouter } from '../../support/routers.ts'
import { type DatagramChanges, datagramOf, vipsOf } from '../../support/vrrp.ts'

const own = { ipv4: '192.0.2.2', ipv6: 'fe80::2' } as const
const stranger6 = 'fe80::3'

const prefix = (text: string): Prefix => ({ address: address(text), prefixLength: 24 })
const ownAddresses = [own.ipv4, own.ipv6].map(prefix)

function receiverOf(...routers: readonly VirtualRouter[]): Receiver<VirtualRouter> {
  return {
    routerOf: (family, vrid) => routers.find((router) => router.family === family && router.vrid === vrid),
    ownAddresses: () => ownAddresses,
  }
}

const v3 = (changes: Partial<VirtualRouter> = {}): VirtualRouter => virtualRouter({ priority: 90, ...changes })
const v2 = (changes: Partial<VirtualRouter> = {}): VirtualRouter => v3({ version: 2, ...changes })
const v6 = (changes: Partial<VirtualRouter> = {}): VirtualRouter =>
  v3({
    family: 'ipv6',
    addresses: vipsOf.ipv6.map((vip) => ({ address: address(vip), prefixLength: 64 })),
    ...changes,
  })
const unicast = (peers: readonly string[], minTtl = 255): { transport: Transport } => ({
  transport: { kind: 'unicast', source: null, peers: peers.map(address), ttl: 255, minTtl },
})
const password = new TextEncoder().encode('secret12')

/** `event` and what is odd, or the reason of the discard. */
function said(admission: Admission<VirtualRouter>): string {
  return admission.kind === 'discard' ? admission.reason : ['event', ...admission.odd].join(' ')
}

type Case = readonly [name: string, router: VirtualRouter, heard: DatagramChanges, verdict: string]

const cases: readonly Case[] = [
  ['a plain advertisement', v3(), {}, 'event'],
  ['over IPv6', v6(), { source: stranger6 }, 'event'],
  ['of version 2', v2(), { version: 2 }, 'event'],

  ['R-02 P-05 TTL 64', v3(), { ttl: 64 }, 'ttl'],
  ['R-02 TTL 0', v3(), { ttl: 0 }, 'ttl'],
  ['R-02 v2-ttl64', v2(), { version: 2, ttl: 64 }, 'ttl'],
  ['R-02 P-05 hop limit 254', v6(), { source: stranger6, ttl: 254 }, 'ttl'],
  ['R-02 to the group, at a router whose peers may be further away', v3(unicast([], 1)), { ttl: 254 }, 'ttl'],
  [
    'R-02 P-10 a unicast peer at its limit',
    v3(unicast(['192.0.2.3'], 64)),
    { destination: own.ipv4, ttl: 64 },
    'event',
  ],
  ['R-02 a unicast peer beyond it', v3(unicast(['192.0.2.3'], 64)), { destination: own.ipv4, ttl: 63 }, 'ttl'],

  ['R-03 v2-to-v3-receiver', v3(), { version: 2 }, 'version'],
  ['R-03 version 3 to a version 2 receiver', v2(), {}, 'version'],
  ['R-03 version 0', v3(), { message: { 0: 0x01 } }, 'version'],
  ['R-03 version 2 over IPv6', v6(), { source: stranger6, version: 2 }, 'version'],
  ['R-03 version 2 over IPv6, of nobody’s VRID', v6(), { source: stranger6, version: 2, vrid: 9 }, 'version'],
  ['R-03 version 5 of nobody’s VRID', v3(), { vrid: 9, message: { 0: 0x51 } }, 'version'],

  ['R-04 v3-ipv4-type2', v3(), { message: { 0: 0x32 } }, 'type'],
  ['R-04 v2-type7', v2(), { version: 2, message: { 0: 0x27 } }, 'type'],

  ['R-05 nobody’s VRID', v3(), { vrid: 52 }, 'vrid'],
  ['R-05 nobody’s VRID of version 2', v3(), { version: 2, vrid: 52 }, 'vrid'],
  ['R-05 the VRID of a router of the other family', v6(), {}, 'vrid'],

  ['R-06 v2-count-too-big', v2(), { version: 2, message: { 3: 4 } }, 'length'],
  ['R-06 a count that is too small', v3(), { addresses: ['192.0.2.100', '192.0.2.101'], message: { 3: 1 } }, 'length'],
  ['R-06 IPv6, a count that is too big', v6(), { source: stranger6, message: { 3: 3 } }, 'length'],

  ['R-07 the other form where one is asked for', v3({ acceptChecksum: 'rfc5798' }), {}, 'checksum'],
  ['R-07 D1 the other form where both are right', v3(), { form: 'rfc5798' }, 'event checksum-form-differs'],
  ['R-07 D1 the form we send ourselves', v3({ checksum: 'rfc5798' }), { form: 'rfc5798' }, 'event'],
  [
    'R-07 P-24 the real destination is in a unicast pseudo-header',
    v3({ ...unicast(['192.0.2.3']), acceptChecksum: 'rfc5798' }),
    { destination: own.ipv4, form: 'rfc5798' },
    'event',
  ],

  ['R-08 v3-ipv4-count0', v3(), { addresses: [] }, 'count'],
  ['R-08 v2-count0', v2(), { version: 2, addresses: [] }, 'count'],
  ['R-08 IPv6', v6(), { source: stranger6, addresses: [] }, 'count'],
  ['R-09 an interval of zero', v3(), { interval: 0 }, 'interval'],
  ['R-09 of zero beside reserved bits', v3(), { interval: 0, message: { 4: 0xf0 } }, 'interval'],

  ['R-10 a password', v2({ password }), { version: 2, password }, 'event'],
  ['R-10 another', v2({ password }), { version: 2, password: new TextEncoder().encode('secret13') }, 'auth'],
  ['R-10 none where one is wanted', v2({ password }), { version: 2 }, 'auth'],
  ['R-10 one where none is wanted', v2(), { version: 2, password }, 'auth'],
  ['R-10 v2-authtype-unknown', v2(), { version: 2, message: { 4: 3 } }, 'auth'],
  ['R-10 v2-authtype-ah', v2({ password }), { version: 2, password, message: { 4: 2 } }, 'auth'],
  ['R-10 what type 0 carries is ignored', v2(), { version: 2, message: { 12: 0x61, 19: 0x62 } }, 'event'],

  ['R-11 v2-interval-mismatch', v2(), { version: 2, interval: 200 }, 'interval'],
  ['R-11 an interval of zero', v2(), { version: 2, interval: 0 }, 'interval'],
  ['R-12 version 3 learns it', v3(), { interval: 200 }, 'event interval-differs'],

  [
    'R-13 D3 global first, strict',
    v6({ profile: 'strict' }),
    { source: stranger6, addresses: ['2001:db8::100'] },
    'addr',
  ],
  [
    'R-13 D3 global first, interop',
    v6(),
    { source: stranger6, addresses: ['2001:db8::100', 'fe80::100'] },
    'event first-not-link-local',
  ],
  ['R-14 global source, strict', v6({ profile: 'strict' }), { source: '2001:db8::3' }, 'addr'],
  ['R-14 global source, interop', v6(), { source: '2001:db8::3' }, 'event source-not-link-local'],
  [
    'R-14 a unicast peer is configured by its address',
    v6({ profile: 'strict', ...unicast(['2001:db8::3']) }),
    { source: '2001:db8::3', destination: '2001:db8::2' },
    'event',
  ],

  ['R-15 unicast at a multicast router', v3(), { destination: own.ipv4 }, 'peer'],
  ['R-15 another group', v3(), { destination: '224.0.0.5' }, 'peer'],
  ['R-15 multicast at a unicast router', v3(unicast(['192.0.2.3'])), {}, 'peer'],
  ['R-15 another group at a unicast router', v3(unicast(['192.0.2.3'])), { destination: '239.1.1.1' }, 'peer'],
  ['R-15 from a configured peer', v3(unicast(['192.0.2.4', '192.0.2.3'])), { destination: own.ipv4 }, 'event'],
  ['R-15 from nobody configured', v3(unicast(['192.0.2.4'])), { destination: own.ipv4 }, 'peer'],
  ['R-15 IPv6 multicast at a unicast router', v6(unicast([stranger6])), { source: stranger6 }, 'peer'],
  ['R-15 IPv6 unicast at a multicast router', v6(), { source: stranger6, destination: own.ipv6 }, 'peer'],

  ['R-16 our own source', v3(), { source: own.ipv4 }, 'self'],
  ['R-16 our own source, of a better priority (T-30)', v3(), { source: own.ipv4, priority: 200 }, 'self'],
  ['R-16 our own source over IPv6', v6(), { source: own.ipv6 }, 'self'],
  ['R-16 before R-17', v2({ priority: 255 }), { version: 2, source: own.ipv4 }, 'self'],

  ['R-17 an owner of version 2', v2({ priority: 255 }), { version: 2 }, 'owner'],
  ['R-17 and another one (T-38)', v2({ priority: 255 }), { version: 2, priority: 255 }, 'owner'],
  ['R-17 D4 an owner of version 3 goes on', v3({ priority: 255 }), {}, 'event'],
  ['R-17 before R-18', v2({ priority: 255, profile: 'strict' }), { version: 2, addresses: ['192.0.2.9'] }, 'owner'],

  [
    'R-18 D7 another list, version 3 strict',
    v3({ profile: 'strict' }),
    { addresses: ['192.0.2.9'] },
    'event address-list-differs',
  ],
  ['R-18 D7 version 2 interop', v2(), { version: 2, addresses: ['192.0.2.9'] }, 'event address-list-differs'],
  ['R-18 D7 version 2 strict', v2({ profile: 'strict' }), { version: 2, addresses: ['192.0.2.9'] }, 'addr-list'],
  [
    'R-18 D7 version 2 strict, an owner’s',
    v2({ profile: 'strict' }),
    { version: 2, priority: 255, addresses: ['192.0.2.9'] },
    'event address-list-differs',
  ],
  ['R-18 a longer list', v3(), { addresses: ['192.0.2.100', '192.0.2.9'] }, 'event address-list-differs'],
  [
    'R-18 a repeated address is no second one',
    twoVips(),
    { addresses: ['192.0.2.100', '192.0.2.100'] },
    'event address-list-differs',
  ],
  ['R-18 in another order it is the same', twoVips(), { addresses: ['192.0.2.101', '192.0.2.100'] }, 'event'],
  [
    'R-18 another list over IPv6',
    v6(),
    { source: stranger6, addresses: ['fe80::100', '2001:db8::9'] },
    'event address-list-differs',
  ],

  ['R-19 reserved bits', v3(), { message: { 4: 0xf0 } }, 'event'],
  ['R-20 a second owner', v3({ priority: 255 }), { priority: 255 }, 'event second-owner'],
]

function twoVips(): VirtualRouter {
  return v3({ addresses: ['192.0.2.100', '192.0.2.101'].map((vip) => ({ address: address(vip), prefixLength: 24 })) })
}

describe('receive rules', () => {
  test.each(cases)('%s', (_, router, heard, verdict) => {
    expect(said(admit(receiverOf(router), datagramOf(heard)))).toBe(verdict)
  })

  test.each([
    ['IPv4', datagramOf({}), v3()],
    ['IPv6', datagramOf({ source: stranger6 }), v6()],
    ['version 2', datagramOf({ version: 2 }), v2()],
  ])('R-01 R-06 a datagram of %s that is cut anywhere is discarded for its length', (_, whole, router) => {
    for (let length = 0; length < whole.length; length += 1)
      expect(admit(receiverOf(router), whole.subarray(0, length))).toEqual({ kind: 'discard', reason: 'length' })
  })

  test.each([4, 16])(
    'R-01 less than a header behind the IP header (addresses of %i octets), or another protocol',
    (size) => {
      const here = new Uint8Array(size)
      const datagram = { source: here, destination: here, ttl: 255, protocol: 112, payload: new Uint8Array(7) }
      const { length } = datagram.payload
      for (let octets = 0; octets <= length; octets += 1) {
        const cut = { ...datagram, payload: datagram.payload.subarray(0, octets) }
        expect(said(admit(receiverOf(v3(), v6()), encodeIp(cut)))).toBe('length')
      }
      expect(said(admit(receiverOf(v3(), v6()), encodeIp({ ...datagram, protocol: 51 })))).toBe('length')
    },
  )

  test('R-05 T-59 routers of both families may have one VRID', () => {
    const [four, six] = [v3(), v6()]
    expect(admit(receiverOf(four, six), datagramOf({}))).toMatchObject({ router: { family: 'ipv4' } })
    expect(admit(receiverOf(four, six), datagramOf({ source: stranger6 }))).toMatchObject({
      router: { family: 'ipv6' },
    })
  })

  test('R-10 a password is right in all its octets or not at all', () => {
    for (let at = 0; at < 8; at += 1) {
      const wrong = Uint8Array.from(password, (octet, i) => (i === at ? octet ^ 1 : octet))
      expect(said(admit(receiverOf(v2({ password })), datagramOf({ version: 2, password: wrong })))).toBe('auth')
    }
  })

  test('an admitted advertisement is an event, in centiseconds in both versions', () => {
    const seconds = { version: 2, advertisementInterval: 300 as Centiseconds } as const
    expect(admit(receiverOf(v2(seconds)), datagramOf({ version: 2, interval: 300, priority: 7 }))).toMatchObject({
      event: { kind: 'advertisement', source: address('192.0.2.3'), priority: 7, maxAdvertiseInterval: 300 },
    })
    expect(admit(receiverOf(v6()), datagramOf({ source: stranger6, interval: 4095 }))).toMatchObject({
      event: { source: address(stranger6), priority: 100, maxAdvertiseInterval: 4095 },
    })
  })
})

describe('the same again', () => {
  const fields = { version: 2, password } as const

  test('R-19: is the same admission, whatever the fields that no rule reads', () => {
    for (const [router, heard, ignored] of [
      [v3(), datagramOf({}), [1, 4, 5, 6, 7, 10, 11]],
      [v2({ password }), datagramOf(fields), [1, 4, 5, 6, 7, 10, 11]],
      [v6(), datagramOf({ source: stranger6 }), [1, 2, 3]],
    ] as const) {
      const receiver = receiverOf(router)
      const first = admit(receiver, heard)
      expect(first.kind).toBe('event')
      for (const at of ignored) {
        const changed = Uint8Array.from(heard, (octet, i) => (i === at ? octet ^ 0x0f : octet))
        expect(admit(receiver, changed)).toBe(first)
      }
    }
  })

  test('is judged anew when any other octet differs', () => {
    for (const [router, heard, ignored] of [
      [v3(), datagramOf({}), [1, 4, 5, 6, 7, 10, 11]],
      [v6(), datagramOf({ source: stranger6 }), [0, 1, 2, 3]],
    ] as const) {
      const receiver = receiverOf(router)
      const first = admit(receiver, heard)
      const others = Array.from(heard.keys()).filter((at) => !ignored.some((known) => known === at))
      for (const at of others) {
        for (const bit of [1, 0x80]) {
          const changed = Uint8Array.from(heard, (octet, i) => (i === at ? octet ^ bit : octet))
          expect(admit(receiver, changed)).not.toBe(first)
        }
      }
      expect(admit(receiver, Uint8Array.of(...heard, 0))).not.toBe(first)
      expect(admit(receiver, heard.subarray(0, -1))).not.toBe(first)
    }
  })

  test('is not admitted once the source is our own, the router is another, or there is none', () => {
    const router = v3()
    let owned = [prefix('192.0.2.2')]
    const routers = [router]
    const receiver: Receiver<VirtualRouter> = { routerOf: () => routers[0], ownAddresses: () => owned }
    const heard = datagramOf({})
    expect(said(admit(receiver, heard))).toBe('event')
    owned = [prefix('192.0.2.2'), prefix('192.0.2.3')]
    expect(said(admit(receiver, heard))).toBe('self')
    owned = [prefix('192.0.2.2')]
    expect(said(admit(receiver, heard))).toBe('event')
    routers[0] = { ...router, acceptChecksum: 'rfc5798' }
    expect(said(admit(receiver, heard))).toBe('checksum')
    routers.pop()
    expect(said(admit(receiver, heard))).toBe('vrid')
  })

  test('keeps nothing of the buffer it was read from, which the next datagram overwrites', () => {
    const receiver = receiverOf(v3())
    const buffer = Buffer.from(datagramOf({}))
    const first = admit(receiver, buffer)
    buffer.fill(0xff)
    expect(first).toMatchObject({ event: { source: address('192.0.2.3') } })
    expect(admit(receiver, datagramOf({}))).toBe(first)
    expect(said(admit(receiver, buffer))).toBe('length')
  })
})
