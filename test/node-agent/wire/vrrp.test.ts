import { describe, expect, test } from 'vitest'
import { decodeIp, encodeIp, type IpDatagram } from '../../../node-agent/wire/ip.ts'
import { decodeIpv4 } from '../../../node-agent/wire/ipv4.ts'
import { decodeIpv6 } from '../../../node-agent/wire/ipv6.ts'
import {
  checksumForm,
  checksumHolds,
  encodeAdvertisement,
  multicastGroupOf,
  vrrpProtocol,
} from '../../../node-agent/wire/vrrp.ts'
import { expectBytes, fromHex } from '../../support/bytes.ts'
import { address } from '../../support/routers.ts'
import { decodeAdvertisement } from '../../support/vrrp.ts'
import vectors from '../vrrp-vectors.json' with { type: 'json' }

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const vectorOf = (name: string): Uint8Array => fromHex(vectors.find((vector) => vector.name === name)!.hex!)

/** Vectors that a router which keeps to the RFCs could have sent, in the forms that we send. */
const wellFormed = [
  ...['v2-noauth', 'v2-noauth-multi', 'v2-authtype-mismatch', 'v2-addr-mismatch-owner', 'v2-unknown-vrid'],
  ...['v3-ipv4-msgonly', 'v3-ipv4-pseudo', 'v3-ipv4-prio0-msgonly', 'v3-ipv4-prio0-pseudo', 'v3-ipv4-prio255'],
  ...['v3-ipv4-adv10', 'v3-ipv4-tie-greater', 'v3-ipv4-unicast-pseudo'],
  ...['v3-ipv6', 'v3-ipv6-prio0', 'v3-ipv6-tie-greater'],
]

describe('the VRRP vectors', () => {
  test.each(wellFormed)(
    '%s: decoded and encoded again, octet for octet (P-01, P-02, P-04, P-09, P-20 to P-24)',
    (name) => {
      const bytes = vectorOf(name)
      const datagram = decodeIp(bytes)!
      const payload = encodeAdvertisement(
        decodeAdvertisement(datagram)!,
        datagram,
        checksumForm(datagram.payload, datagram)!,
      )
      const encoded = encodeIp({ ...datagram, payload })
      // The IPv4 vectors carry identification 1, which the kernel fills in for us; the rest must be the same.
      const identified = bytes[0] === 0x45 ? [4, 5, 10, 11] : []
      for (const at of identified) encoded[at] = bytes[at]!
      expectBytes(encoded, hexOf(bytes))
    },
  )

  test('both encodings of a zero checksum are right, and 0x0000 is what is sent (P-25)', () => {
    const datagram = decodeIp(vectorOf('v3-ipv4-cksum-ffff'))!
    expect(datagram.payload.subarray(6, 8)).toEqual(Uint8Array.of(0xff, 0xff))
    expect(checksumHolds(datagram.payload, datagram, 'rfc9568')).toBe(true)
    const encoded = encodeAdvertisement(decodeAdvertisement(datagram)!, datagram, 'rfc9568')
    expect(encoded.subarray(6, 8)).toEqual(Uint8Array.of(0, 0))
    expect(checksumHolds(encoded, datagram, 'rfc9568')).toBe(true)
  })

  test('over IPv6 the pseudo-header belongs to the checksum, whatever form is asked for (P-22)', () => {
    const { payload, ...envelope } = decodeIp(vectorOf('v3-ipv6-msgonly'))!
    expect(checksumForm(payload, envelope)).toBeUndefined()
    const good = decodeIp(vectorOf('v3-ipv6'))!
    expect([checksumHolds(good.payload, good, 'rfc9568'), checksumHolds(good.payload, good, 'rfc5798')]).toEqual([
      true,
      true,
    ])
  })
})

describe('version 2', () => {
  const envelope = { source: address('192.0.2.2'), destination: multicastGroupOf('ipv4') }
  const fields = { version: 2, vrid: 51, priority: 100, addresses: [address('192.0.2.100')] } as const

  test('carries seconds, and a password in its last eight octets', () => {
    const password = new TextEncoder().encode('secret12')
    const message = encodeAdvertisement({ ...fields, maxAdvertiseInterval: 300, password }, envelope, 'rfc5798')
    expectBytes(message.subarray(0, 6), '21 33 64 01 01 03')
    expectBytes(message.subarray(12), hexOf(password))
    expect(checksumHolds(message, envelope, 'rfc9568')).toBe(true)
  })

  test('without a password carries type 0 and eight zeros', () => {
    const message = encodeAdvertisement({ ...fields, maxAdvertiseInterval: 100, password: null }, envelope, 'rfc9568')
    expectBytes(message, '21336401 0001b865 c0000264 00000000 00000000')
  })
})

describe('IP', () => {
  test.each([
    ['nothing', ''],
    ['a header cut short', '45c00020000100'],
    ['version 6', '65c0002000010000ff701890c0000202e0000012'],
    ['a header length below 20', '44c0002000010000ff701890c0000202e0000012'],
    ['a total length beyond the bytes', '45c0002c00010000ff701890c0000202e0000012'],
    ['a total length inside the header', '45c0001000010000ff701890c0000202e0000012'],
  ])('%s is no IPv4 datagram', (_, hex) => expect(decodeIpv4(fromHex(hex!))).toBeUndefined())

  const header = `6c000000 0000 70ff ${hexOf(address('fe80::2'))} ${hexOf(multicastGroupOf('ipv6'))}`
  test.each([
    ['nothing', ''],
    ['a header cut short', header.slice(0, -2)],
    ['version 4', header.replace('6c', '4c')],
    ['a payload length beyond the bytes', header.replace('0000 70ff', '0001 70ff')],
  ])('%s is no IPv6 datagram', (_, hex) => expect(decodeIpv6(fromHex(hex.replaceAll(' ', '')))).toBeUndefined())

  test('an IPv6 header has class 0xC0, the length of its payload, and ends before padding (P-01, P-02, P-04, P-09)', () => {
    const datagram: IpDatagram = {
      source: address('fe80::2'),
      destination: address('ff02::12'),
      ttl: 255,
      protocol: vrrpProtocol,
      payload: Uint8Array.of(1, 2, 3),
    }
    const bytes = encodeIp(datagram)
    expectBytes(bytes, '6c000000 000370ff fe800000000000000000000000000002 ff020000000000000000000000000012 010203')
    expect(decodeIp(Uint8Array.of(...bytes, 0xee, 0xee))).toEqual(datagram)
  })
})
