/** What holds of the codec and of `admit` for any fields and any bytes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { admit, type Receiver } from '../../../node-agent/vrrp/admit.ts'
import { datagramsOf } from '../../../node-agent/vrrp/datagrams.ts'
import type { Transport, VirtualRouter } from '../../../node-agent/vrrp/router.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import type { Address, Family, Prefix } from '../../../node-agent/wire/address.ts'
import { decodeIp, encodeIp } from '../../../node-agent/wire/ip.ts'
import {
  type Advertisement,
  type ChecksumForm,
  checksumForm,
  checksumHolds,
  decodeAddresses,
  decodeHeader,
  encodeAdvertisement,
} from '../../../node-agent/wire/vrrp.ts'
import { holds } from '../../support/property.ts'
import { address, router as routerOf } from '../../support/routers.ts'
import { datagramOf, decodeAdvertisement, vipsOf } from '../../support/vrrp.ts'

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const addressOf = (family: Family): fc.Arbitrary<Address> => octets(family === 'ipv4' ? 4 : 16)
const octet = fc.integer({ min: 0, max: 255 })
const forms = fc.constantFrom<ChecksumForm>('rfc9568', 'rfc5798')

const fieldsOf = (family: Family) => ({
  vrid: octet,
  priority: octet,
  addresses: fc.array(addressOf(family), { maxLength: 20 }),
})

const version3 = (family: Family): fc.Arbitrary<Advertisement> =>
  fc.record({
    ...fieldsOf(family),
    version: fc.constant(3 as const),
    maxAdvertiseInterval: fc.integer({ min: 0, max: 4095 }),
  })

const version2: fc.Arbitrary<Advertisement> = fc.record({
  ...fieldsOf('ipv4'),
  version: fc.constant(2 as const),
  maxAdvertiseInterval: octet.map((seconds) => seconds * 100),
  password: fc.option(octets(8), { nil: null }),
})

const sent = fc.oneof(
  ...[version2, version3('ipv4')].map((advertisement) =>
    fc.record({ advertisement, source: addressOf('ipv4'), destination: addressOf('ipv4'), form: forms, ttl: octet }),
  ),
  fc.record({
    advertisement: version3('ipv6'),
    source: addressOf('ipv6'),
    destination: addressOf('ipv6'),
    form: forms,
    ttl: octet,
  }),
)

test('what was encoded is decoded: decode(encode(x)) = x, in both versions, families and checksum forms', () => {
  holds(
    fc.property(sent, ({ advertisement, source, destination, form, ttl }) => {
      const envelope = { source, destination }
      const payload = encodeAdvertisement(advertisement, envelope, form)
      const datagram = { ...envelope, ttl, protocol: 112, payload }
      const decoded = decodeIp(encodeIp(datagram))!
      expect(decoded).toEqual(datagram)
      expect(decodeAdvertisement(decoded)).toEqual(advertisement)
      expect(checksumHolds(decoded.payload, decoded, form)).toBe(true)
      expect(checksumForm(decoded.payload, decoded)).toBeDefined()
      expect(Buffer.from(decoded.payload.subarray(6, 8)).toString('hex')).not.toBe('ffff')
    }),
  )
})

test('one bit changed anywhere in a message breaks its checksum (P-20)', () => {
  holds(
    fc.property(sent, fc.nat(), ({ advertisement, source, destination, form }, at) => {
      const envelope = { source, destination }
      const message = encodeAdvertisement(advertisement, envelope, form)
      const bit = at % (8 * message.length)
      message[bit >> 3]! ^= 1 << (bit & 7)
      // The version bits say whether there is a pseudo-header at all.
      if (bit >= 4) expect(checksumHolds(message, envelope, form)).toBe(false)
    }),
  )
})

const v6 = {
  family: 'ipv6',
  addresses: vipsOf.ipv6.map((vip) => ({ address: address(vip), prefixLength: 64 })),
} as const

const noAddresses: readonly Prefix[] = []

/** Fresh ones, so that nothing is recalled from another run. */
function receiver(changes: Partial<VirtualRouter>): Receiver<VirtualRouter> {
  const [four, six] = [routerOf(changes), routerOf({ ...changes, ...v6, version: 3 })]
  return {
    routerOf: (family, vrid) => (vrid % 2 === 1 ? (family === 'ipv4' ? four : six) : undefined),
    ownAddresses: () => noAddresses,
  }
}

/** Anything, or a datagram of ours with anything put into it, so that the bytes get past the first rules. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 120 }),
  fc
    .record({
      whole: fc.constantFrom(
        datagramOf(),
        datagramOf({ version: 2 }),
        datagramOf({ source: 'fe80::3' }),
        datagramOf({ addresses: Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 100}`) }),
      ),
      at: fc.nat(90),
      put: fc.uint8Array({ maxLength: 8 }),
      length: fc.option(fc.nat(120)),
    })
    .map(({ whole, at, put, length }) => {
      const changed = new Uint8Array(length ?? whole.length)
      changed.set(whole.subarray(0, changed.length))
      changed.set(put.subarray(0, Math.max(0, changed.length - at)), Math.min(at, changed.length))
      return changed
    }),
)

const settings: fc.Arbitrary<Partial<VirtualRouter>> = fc.record({
  version: fc.constantFrom(2, 3),
  profile: fc.constantFrom('strict', 'interop'),
  acceptChecksum: fc.constantFrom('auto', 'rfc9568', 'rfc5798'),
  password: fc.option(octets(8), { nil: null }),
  transport: fc.constantFrom<Transport>(
    { kind: 'multicast' },
    { kind: 'unicast', source: null, peers: [address('192.0.2.3'), address('fe80::3')], ttl: 255, minTtl: 1 },
  ),
})

describe('any bytes', () => {
  test('throw nothing, and what is said of them depends on them alone, not on what is beside them', () => {
    holds(
      fc.property(bytes, settings, fc.nat(40), (given, changes, margin) => {
        const amid = (poison: number): Uint8Array => {
          const buffer = new Uint8Array(given.length + 2 * margin).fill(poison)
          buffer.set(given, margin)
          return buffer.subarray(margin, margin + given.length)
        }
        const said = [given, amid(0x00), amid(0xff), Buffer.from(given)].map((one) => {
          const admission = admit(receiver(changes), one)
          return admission.kind === 'discard' ? admission : { event: admission.event, odd: admission.odd }
        })
        for (const other of said) expect(other).toEqual(said[0])
        expect(decodeIp(amid(0x00))).toEqual(decodeIp(amid(0xff)))
      }),
      1_000,
    )
  })

  test('are a header or none, and no address is longer than its bytes', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 40 }), octet, fc.constantFrom(4, 16), (message, count, size) => {
        expect(decodeHeader(message) === undefined).toBe(message.length < 8)
        expect(decodeAddresses(message, count, size).every(({ length }) => length <= size)).toBe(true)
      }),
    )
  })

  test('heard again are judged as at first', () => {
    holds(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 6 }), settings, (heard, changes) => {
        const known = receiver(changes)
        for (const one of [...heard, ...heard]) expect(admit(known, one).kind).toBe(admit(receiver(changes), one).kind)
      }),
    )
  })
})

test('what one router sends, another of the same service admits, and finds nothing odd', () => {
  const services = fc
    .record({
      settings,
      priority: fc.integer({ min: 0, max: 255 }),
      seconds: fc.integer({ min: 1, max: 40 }),
      six: fc.boolean(),
    })
    .map(({ settings: { profile, password, version, transport }, priority, seconds, six }) => {
      const [here, there] = six ? ['fe80::2', 'fe80::3'] : ['192.0.2.2', '192.0.2.3']
      const common = {
        ...(six ? { ...v6, version: 3 as const, password: null } : { version: version!, password: password! }),
        profile: profile!,
        transport: transport!,
        advertisementInterval: (100 * seconds) as Centiseconds,
      }
      const reached: Transport = transport!.kind === 'unicast' ? { ...transport!, peers: [address(here!)] } : transport!
      return {
        priority,
        sender: routerOf({ ...common, transport: reached, primaryAddress: address(there!) }),
        hearer: routerOf(common),
      }
    })
  holds(
    fc.property(services, ({ sender, hearer, priority }) => {
      const [outgoing] = datagramsOf(sender, priority)
      const known: Receiver<VirtualRouter> = { routerOf: () => hearer, ownAddresses: () => noAddresses }
      expect(admit(known, outgoing!.datagram)).toEqual({
        kind: 'event',
        router: hearer,
        event: {
          kind: 'advertisement',
          source: sender.primaryAddress,
          priority,
          maxAdvertiseInterval: sender.advertisementInterval,
        },
        odd: [],
      })
    }),
  )
})
