/** Every reference packet through the receive rules, in each checksum mode and profile. */
import { describe, expect, test } from 'vitest'
import { admit, type DiscardReason, type Receiver } from '../../../node-agent/vrrp/admit.ts'
import type { Transport, VirtualRouter } from '../../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import { familyOf, virtualMacOf } from '../../../node-agent/wire/address.ts'
import { encodeGratuitousArp } from '../../../node-agent/wire/arp.ts'
import { encodeUnsolicitedAdvertisement } from '../../../node-agent/wire/ndp.ts'
import type { ChecksumForm } from '../../../node-agent/wire/vrrp.ts'
import { expectBytes, fromHex } from '../../support/bytes.ts'
import { address, virtualRouter } from '../../support/routers.ts'
import vectors from '../vrrp-vectors.json' with { type: 'json' }

type Verdict = { readonly verdict: string; readonly reason: string }

/** The file's fields, which differ from packet to packet. */
type Vector = {
  readonly name: string
  readonly layer: string
  readonly hex: string
  readonly ethernet_hex: string
  readonly params: {
    readonly src: string
    readonly receiver: {
      readonly version: 2 | 3
      readonly vrid: number
      readonly priority: number
      readonly advert_interval_s?: number
      readonly advert_interval_cs?: number
      readonly auth_pass?: string
      readonly vips: readonly string[]
      readonly own_ip: string
      readonly unicast_peers?: readonly string[]
    }
  }
  readonly expect: Verdict
  readonly expect_by_checksum_mode?: Readonly<Record<string, string>>
  readonly expect_by_profile?: Readonly<Record<string, string>>
}

const all = vectors as unknown as readonly Vector[]
const packets = all.filter(({ layer }) => layer === 'vrrp')
const modes = ['auto', 'rfc9568', 'rfc5798'] as const
const profiles = ['strict', 'interop'] as const

/** The counter that moves where a packet is discarded whatever the checksum mode; the file says it in prose. */
const reasons: Record<string, DiscardReason> = {
  'v2-pass-wrong': 'auth',
  'v2-authtype-mismatch': 'auth',
  'v2-bad-checksum': 'checksum',
  'v2-ttl254': 'ttl',
  'v2-no-authdata': 'length',
  'v2-addr-mismatch': 'addr-list',
  'v2-unknown-vrid': 'vrid',
  'v2-trailing': 'length',
  'v3-ipv4-adv0': 'interval',
  'v3-ipv4-bad-checksum': 'checksum',
  'v3-ipv4-ttl1': 'ttl',
  'v3-ipv4-unicast-ttl254': 'ttl',
  'v3-ipv4-unicast-oldka': 'checksum',
  'v3-ipv4-version4': 'version',
  'v3-ipv4-truncated': 'length',
  'v3-ipv4-unknown-vrid': 'vrid',
  'v3-ipv4-own-source': 'self',
  'v3-ipv6-global-first': 'addr',
  'v3-ipv6-msgonly': 'checksum',
  'v3-ipv6-bad-checksum': 'checksum',
  'v3-ipv6-hlim64': 'ttl',
  'v3-ipv6-hlim1': 'ttl',
  'v3-ipv6-adv0': 'interval',
  'v3-ipv6-global-source': 'addr',
}

/** What is told of packets that are admitted, where the vector's receiver is `interop` and accepts both checksums. */
const told: Record<string, string> = {
  'v2-addr-mismatch': 'address-list-differs',
  'v2-addr-mismatch-owner': 'address-list-differs',
  'v3-ipv4-pseudo': 'checksum-form-differs',
  'v3-ipv4-prio0-pseudo': 'checksum-form-differs',
  'v3-ipv4-unicast-pseudo': 'checksum-form-differs',
  'v3-ipv4-adv10': 'interval-differs',
  'v3-ipv4-addr-mismatch': 'address-list-differs',
  'v3-ipv6-global-first': 'first-not-link-local address-list-differs',
  'v3-ipv6-global-source': 'source-not-link-local',
}

/** Rules that are looked at before the checksum. */
const beforeChecksum: readonly (string | undefined)[] = ['length', 'ttl', 'version', 'type', 'vrid']

function receiverOf({ params }: Vector, changes: Partial<VirtualRouter>): Receiver<VirtualRouter> {
  const { receiver } = params
  const {
    version,
    vrid,
    priority,
    advert_interval_s: seconds = 1,
    auth_pass: password,
    unicast_peers: peers,
  } = receiver
  const interval = receiver.advert_interval_cs ?? 100 * seconds
  const transport: Transport =
    peers === undefined
      ? { kind: 'multicast' }
      : { kind: 'unicast', source: null, peers: peers.map(address), ttl: 255, minTtl: 255 }
  const router = virtualRouter({
    version,
    vrid,
    priority,
    transport,
    family: familyOf(address(receiver.own_ip)),
    advertisementInterval: interval as Centiseconds,
    addresses: receiver.vips.map((vip) => ({ address: address(vip), prefixLength: 24 })),
    password: password === undefined ? null : new TextEncoder().encode(password),
    ...changes,
  })
  const own = [{ address: address(receiver.own_ip), prefixLength: 24 }]
  return {
    routerOf: (family, heard) => (family === router.family && heard === router.vrid ? router : undefined),
    ownAddresses: () => own,
  }
}

/** The only form in which an IPv4 packet of version 3 is right. */
const formOf = ({ name }: Vector): ChecksumForm => (/pseudo|unicast/.test(name) ? 'rfc5798' : 'rfc9568')

function expected(vector: Vector, mode: (typeof modes)[number], profile: (typeof profiles)[number]): string {
  const { name } = vector
  const byProfile = vector.expect_by_profile?.[profile] ?? vector.expect.verdict
  const reason = reasons[name]
  // What the file makes depend on a setting that is off by default is discarded.
  const admitted = /^accept(\+log)?$/.test(byProfile)
  const otherForm = name.startsWith('v3-ipv4') && mode !== 'auto' && mode !== formOf(vector)
  if (otherForm && !beforeChecksum.includes(reason)) return 'checksum'
  if (!admitted) return reason ?? 'no reason is known'
  // A form that is asked for is no surprise.
  const odd = mode !== 'auto' && told[name] === 'checksum-form-differs' ? undefined : told[name]
  return ['event', ...(odd === undefined ? [] : [odd])].join(' ')
}

describe.each(modes)('T-35, D1: checksum mode %s', (mode) => {
  describe.each(profiles)('profile %s', (profile) => {
    test.each(packets.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
      const admission = admit(receiverOf(vector, { acceptChecksum: mode, profile }), fromHex(vector.hex))
      const said = admission.kind === 'discard' ? admission.reason : ['event', ...admission.odd].join(' ')
      expect(said).toBe(expected(vector, mode, profile))
      const inFile = vector.expect_by_checksum_mode?.[mode]
      if (inFile !== undefined) expect(admission.kind).toBe(inFile === 'accept' ? 'event' : 'discard')
    })
  })
})

test('v3-ipv4-unicast-ttl254 is admitted where the peer may be so far away', () => {
  const vector = packets.find(({ name }) => name === 'v3-ipv4-unicast-ttl254')!
  const peers = [address(vector.params.src)]
  const transport: Transport = { kind: 'unicast', source: null, peers, ttl: 255, minTtl: 254 }
  expect(admit(receiverOf(vector, { transport }), fromHex(vector.hex)).kind).toBe('event')
})

test('the verdict of every packet is known', () => {
  const names = packets.map(({ name }) => name)
  expect([...Object.keys(reasons), ...Object.keys(told)].filter((name) => !names.includes(name))).toEqual([])
  const discarded = packets.filter(({ expect: { verdict } }) => verdict === 'discard').map(({ name }) => name)
  expect(Object.keys(reasons).toSorted()).toEqual(discarded.toSorted())
  expect(packets).toHaveLength(47)
})

describe('announcements (D8, A-10, N-10)', () => {
  /** What we send, by the vector that it must be, octet for octet. */
  const sent: Record<string, () => Uint8Array> = {
    'garp-request-tha-vmac': () =>
      encodeGratuitousArp({ mac: virtualMacOf('ipv4', 51), address: address('192.0.2.100') }),
    'una-vmac': () =>
      encodeUnsolicitedAdvertisement({ mac: virtualMacOf('ipv6', 51), address: address('2001:db8::100') }),
  }

  test.each(Object.entries(sent))('%s is what we send', (name, encode) => {
    expectBytes(encode(), all.find((vector) => vector.name === name)!.ethernet_hex)
  })

  /** What we don't send ourselves. */
  const others: Record<string, string> = {
    'garp-request-tha-bcast': 'keepalived’s and FRR’s form',
    'garp-request-tha-zero': 'the announcement of RFC 5227',
    'garp-reply': 'another form',
    'garp-request-physical': 'the same form without a virtual MAC',
    'arp-request-for-vip': 'a host’s',
    'arp-reply-from-vmac': 'the kernel’s answer',
    'una-vmac-ll-source': 'another source',
    'una-no-router-flag': 'not conforming',
    'ns-for-vip': 'a host’s',
    'na-solicited-vmac': 'the kernel’s answer',
    'ns-dad-for-vip': 'a host’s',
  }

  test('every frame has its place', () => {
    const frames = all.filter(({ layer }) => layer !== 'vrrp').map(({ name }) => name)
    expect([...Object.keys(sent), ...Object.keys(others)].toSorted()).toEqual(frames.toSorted())
  })
})
