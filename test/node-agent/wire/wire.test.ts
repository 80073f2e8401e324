import { describe, expect, test } from 'vitest'
import { compareAddresses, formatAddress, formatMac, parseIpv4 } from '../../../node-agent/wire/address.ts'
import { internetChecksum } from '../../../node-agent/wire/checksum.ts'
import {
  askForAcknowledgement,
  concatenate,
  decodeAttributes,
  decodeMessages,
  encodeAttribute,
  encodeMessage,
  errnoOf,
} from '../../../node-agent/wire/netlink.ts'
import { decodeAddress, decodeLink, encodeAddAddress, encodeDeleteAddress } from '../../../node-agent/wire/rtnetlink.ts'
import { expectBytes, fromHex } from '../../support/bytes.ts'
import { address } from '../../support/routers.ts'

describe('addresses', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
  ])('%s is read and written', (text, written) => expect(formatAddress(parseIpv4(text)!)).toBe(written))

  test.each([
    '',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '192.0.2.1.1',
    '192.0.2.x',
    ' 192.0.2.1',
    '1e2.0.0.1',
    '-1.0.0.1',
  ])('%j is none', (text) => expect(parseIpv4(text)).toBeUndefined())

  test('compare as unsigned numbers: 203.0.113.9 is above 10.0.0.2', () => {
    expect(compareAddresses(address('203.0.113.9'), address('10.0.0.2'))).toBeGreaterThan(0)
    expect(compareAddresses(address('10.0.0.2'), address('10.0.1.1'))).toBeLessThan(0)
    expect(compareAddresses(address('10.0.0.2'), address('10.0.0.2'))).toBe(0)
  })

  test('a hardware address is written as people do', () =>
    expect(formatMac(fromHex('00005e000133'))).toBe('00:00:5e:00:01:33'))
})

describe('checksum', () => {
  test('the example of RFC 1071 §3', () => expect(internetChecksum(fromHex('0001f203f4f5f6f7'))).toBe(~0xddf2 & 0xffff))
  test('an odd octet is padded on the right', () => expect(internetChecksum(fromHex('01'))).toBe(0xfeff))
})

describe('netlink', () => {
  test('messages and attributes survive a round trip, aligned to four octets', () => {
    const attributes = concatenate([encodeAttribute(3, fromHex('65746800')), encodeAttribute(1, fromHex('0a0b0c0d0e'))])
    const datagram = concatenate([
      encodeMessage({ type: 16, flags: 5, sequence: 7, payload: concatenate([new Uint8Array(16), attributes]) }),
      encodeMessage({ type: 3, flags: 0, sequence: 8, payload: new Uint8Array(0) }),
    ])
    const [first, second] = decodeMessages(datagram)
    expect(first).toMatchObject({ type: 16, flags: 5, sequence: 7 })
    expect(second).toMatchObject({ type: 3, sequence: 8 })
    expectBytes(decodeAttributes(first!.payload, 16).get(1)!, '0a0b0c0d0e')
    expectBytes(decodeAttributes(first!.payload, 16).get(3)!, '65746800')
  })

  test('a length that lies ends the list instead of reading on', () => {
    const message = encodeMessage({ type: 16, flags: 0, sequence: 1, payload: new Uint8Array(4) })
    const lying = new Uint8Array(message)
    new DataView(lying.buffer).setUint32(0, 4_000, true)
    expect(decodeMessages(concatenate([message, lying]))).toHaveLength(1)
    expect(decodeMessages(message.subarray(0, 10))).toEqual([])
    expect(decodeAttributes(fromHex('ffff0100'), 0).size).toBe(0)
    expect(decodeAttributes(fromHex('02000100'), 0).size).toBe(0)
  })

  test('an error carries its errno', () => {
    expect(errnoOf({ type: 2, flags: 0, sequence: 1, payload: fromHex('efffffff') })).toBe(17)
    expect(errnoOf({ type: 2, flags: 0, sequence: 1, payload: fromHex('00000000') })).toBe(0)
  })

  test('an address to add is what ip(8) sends, and reads back', () => {
    const wanted = { address: address('10.77.0.50'), prefixLength: 24, index: 5 }
    const [message] = decodeMessages(encodeAddAddress(wanted, 9))
    expect(message).toMatchObject({ type: 20, sequence: 9, flags: 0x1 | 0x400 | 0x100 })
    expectBytes(message!.payload, '02180000 05000000 08000200 0a4d0032 08000100 0a4d0032')
    expect(decodeAddress(message!)).toEqual({ ...wanted, ready: true })
    expect(decodeMessages(encodeDeleteAddress(wanted, 10))[0]).toMatchObject({ type: 21, flags: 0x1 })
  })

  test('only a message that asks for it is acknowledged', () => {
    const message = encodeDeleteAddress({ address: address('10.77.0.50'), prefixLength: 24, index: 5 }, 1)
    askForAcknowledgement(message)
    expect(decodeMessages(message)[0]).toMatchObject({ type: 21, flags: 0x1 | 0x4 })
  })

  test('an IPv6 address to add needs no search for duplicates, and no route of its own where there is one', () => {
    const wanted = { address: address('fd77::50'), prefixLength: 64, index: 5 }
    const both = '14000200 fd77 0000 0000 0000 0000 0000 0000 0050 14000100 fd77 0000 0000 0000 0000 0000 0000 0050'
    const [message] = decodeMessages(encodeAddAddress(wanted, 9))
    expectBytes(message!.payload, `0a400000 05000000 ${both} 08000800 02000000`)
    expect(decodeAddress(message!)).toEqual({ ...wanted, ready: true })
    const [second] = decodeMessages(encodeAddAddress(wanted, 9, { prefixRoute: false }))
    expectBytes(second!.payload, `0a400000 05000000 ${both} 08000800 02020000`)
    expectBytes(decodeMessages(encodeDeleteAddress(wanted, 10))[0]!.payload, `0a400000 05000000 ${both}`)
  })

  test('an address is not ready while duplicates are looked for, nor when one was found', () => {
    const header = (flags: string) => fromHex(`0a40${flags}fd 05000000`)
    const told = (flags: string, ...attributes: Uint8Array[]) => {
      const address = encodeAttribute(1, fromHex('fe80 0000 0000 0000 0000 0000 0000 0001'))
      return decodeAddress({
        type: 20,
        flags: 0,
        sequence: 0,
        payload: concatenate([header(flags), address, ...attributes]),
      })
    }
    expect(told('80')).toMatchObject({ ready: true, prefixLength: 64, index: 5 })
    expect(told('c0')).toMatchObject({ ready: false })
    expect(told('88')).toMatchObject({ ready: false })
    // The longer flags say more than those that fit into an octet.
    expect(told('80', encodeAttribute(8, fromHex('c0020000')))).toMatchObject({ ready: false })
  })

  test('what a bridge says of a port, or a radio of itself, is no news of a link', () => {
    const name = encodeAttribute(3, fromHex('6574683000'))
    const told = (header: string, ...attributes: Uint8Array[]) =>
      decodeLink({ type: 17, flags: 0, sequence: 0, payload: concatenate([fromHex(header), ...attributes]) })
    expect(told('00000100 05000000 43100100 00000000', name)).toMatchObject({ name: 'eth0' })
    expect(told('07000100 05000000 43100100 00000000', name)).toBeUndefined()
    expect(told('00000100 05000000 43100100 00000000')).toBeUndefined()
  })

  test('a link is up when it is administratively up and has a carrier', () => {
    const link = (flags: string) => {
      const payload = concatenate([
        fromHex(`00000100 05000000 ${flags} 00000000`),
        encodeAttribute(3, fromHex('6574683000')),
      ])
      return decodeLink({ type: 16, flags: 0, sequence: 0, payload })!
    }
    expect(link('43100100')).toMatchObject({ index: 5, name: 'eth0', up: true })
    expect(link('03100000')).toMatchObject({ up: false })
    expect(link('42100100')).toMatchObject({ up: false })
  })
})
