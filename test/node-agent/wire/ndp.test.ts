import { expect, test } from 'vitest'
import { onesComplementSum, pseudoHeaderSum } from '../../../node-agent/wire/checksum.ts'
import { encodeEthernet, groupMac } from '../../../node-agent/wire/ethernet.ts'
import { encodeUnsolicitedAdvertisement } from '../../../node-agent/wire/ndp.ts'
import { expectBytes, fromHex } from '../../support/bytes.ts'
import { address } from '../../support/routers.ts'

test('N-10: an unsolicited neighbour advertisement, octet by octet, with a checksum that holds', () => {
  const vip = address('2001:db8::100')
  const frame = encodeUnsolicitedAdvertisement({ mac: fromHex('00005e000233'), address: vip })
  const sum = frame.slice(56, 58)
  expectBytes(
    frame,
    [
      '3333 0000 0001 0000 5e00 0233 86dd',
      '6000 0000 0020 3aff 2001 0db8 0000 0000 0000 0000 0000 0100 ff02 0000 0000 0000 0000 0000 0000 0001',
      `8800 ${Buffer.from(sum).toString('hex')} a000 0000 2001 0db8 0000 0000 0000 0000 0000 0100 0201 0000 5e00 0233`,
    ].join(' '),
  )
  const envelope = { source: vip, destination: address('ff02::1'), protocol: 58, length: 32 }
  expect(onesComplementSum(frame.subarray(54), pseudoHeaderSum(envelope))).toBe(0xffff)
  expect(Buffer.from(sum).toString('hex')).not.toBe('0000')
})

test('the MAC of a group: 23 bits of an IPv4 one, 32 of an IPv6 one', () => {
  expectBytes(groupMac(address('224.0.0.18')), '01005e000012')
  expectBytes(groupMac(address('239.255.1.2')), '01005e7f0102')
  expectBytes(groupMac(address('ff02::12')), '333300000012')
  expectBytes(groupMac(address('ff02::1:ff00:100')), '3333ff000100')
})

test('an Ethernet header', () => {
  const header = { destination: groupMac(address('ff02::12')), source: fromHex('00005e000233'), type: 0x86dd }
  expectBytes(encodeEthernet(header), '333300000012 00005e000233 86dd')
})
