/** What leaves: the envelope and the message of each kind of router. */
import { describe, expect, test } from 'vitest'
import { datagramsOf } from '../../../node-agent/vrrp/datagrams.ts'
import type { Transport } from '../../../node-agent/vrrp/router.ts'
import type { RunningRouter } from '../../../node-agent/vrrp/step.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import { formatAddress } from '../../../node-agent/wire/address.ts'
import { decodeIp } from '../../../node-agent/wire/ip.ts'
import { checksumForm } from '../../../node-agent/wire/vrrp.ts'
import { expectBytes } from '../../support/bytes.ts'
import { address, router } from '../../support/routers.ts'
import { decodeAdvertisement, vipsOf } from '../../support/vrrp.ts'

const prefixes = (texts: readonly string[]) => texts.map((text) => ({ address: address(text), prefixLength: 64 }))
const six = { family: 'ipv6', addresses: prefixes(vipsOf.ipv6), primaryAddress: address('fe80::2') } as const
const unicast: Transport = {
  kind: 'unicast',
  source: null,
  peers: ['192.0.2.3', '198.51.100.9'].map(address),
  ttl: 64,
  minTtl: 60,
}

const onlyOne = (running: RunningRouter, priority = 100) => {
  const [outgoing, ...others] = datagramsOf(running, priority)
  expect(others).toEqual([])
  return outgoing!
}

describe('an advertisement', () => {
  test('of version 3 (T-01)', () => {
    const { datagram, destination, mac } = onlyOne(router())
    expectBytes(
      datagram,
      '45c00020 00000000 ff701899 c0000202 e0000012 31336401 0064' +
        `${Buffer.from(datagram.subarray(26, 28)).toString('hex')} c0000264`,
    )
    expect(checksumForm(decodeIp(datagram)!.payload, decodeIp(datagram)!)).toBe('rfc9568')
    expect([formatAddress(destination), mac]).toEqual(['224.0.0.18', null])
  })

  test('in the other checksum form (D2)', () => {
    const { payload, ...envelope } = decodeIp(onlyOne(router({ checksum: 'rfc5798' })).datagram)!
    expect(checksumForm(payload, envelope)).toBe('rfc5798')
  })

  test('of version 2, in seconds, with the password when there is one (T-02, T-03)', () => {
    const plain = { version: 2, advertisementInterval: 300 as Centiseconds } as const
    const message = (running: RunningRouter) => decodeIp(onlyOne(running).datagram)!.payload
    expectBytes(message(router(plain)), '21336401 0003b863 c0000264 0000000000000000')
    const password = new TextEncoder().encode('longpass')
    expectBytes(message(router({ ...plain, password })).subarray(0, 6), '21336401 0103')
    expectBytes(message(router({ ...plain, password })).subarray(12), Buffer.from('longpass').toString('hex'))
  })

  test('has every address, in the configured order (T-04)', () => {
    const addresses = prefixes(['192.0.2.102', '192.0.2.100', '192.0.2.101'])
    const { datagram } = onlyOne(router({ addresses, riders: prefixes(['2001:db8::1']) }))
    expect(decodeAdvertisement(decodeIp(datagram)!)).toMatchObject({ addresses: addresses.map((one) => one.address) })
    expect(datagram).toHaveLength(40)
  })

  test('over IPv6 (T-05), from the virtual MAC of its family (P-07)', () => {
    const { datagram, destination, mac } = onlyOne(router({ ...six, virtualMac: true }))
    expect(decodeIp(datagram)).toMatchObject({ source: six.primaryAddress, ttl: 255, protocol: 112 })
    expect(decodeAdvertisement(decodeIp(datagram)!)).toMatchObject({ version: 3, addresses: vipsOf.ipv6.map(address) })
    expect(formatAddress(destination)).toBe('ff02::12')
    expectBytes(mac!, '00005e000233')
  })

  test.each([1, 10, 4095])('has the interval in 12 bits: %i cs (T-06)', (interval) => {
    const { datagram } = onlyOne(router({ advertisementInterval: interval as Centiseconds }))
    expect(decodeAdvertisement(decodeIp(datagram)!)).toMatchObject({ maxAdvertiseInterval: interval })
  })

  test('goes to each unicast peer with the configured TTL, and its own checksum (P-10, P-24)', () => {
    const sent = datagramsOf(router({ transport: unicast, checksum: 'rfc5798' }), 0)
    expect(sent.map(({ destination }) => formatAddress(destination))).toEqual(['192.0.2.3', '198.51.100.9'])
    for (const { datagram, destination } of sent) {
      const decoded = decodeIp(datagram)!
      expect(decoded).toMatchObject({ destination, ttl: 64 })
      expect(decodeAdvertisement(decoded)).toMatchObject({ priority: 0 })
      expect(checksumForm(decoded.payload, decoded)).toBe('rfc5798')
    }
  })
})

test('what has been made once is sent again', () => {
  const running = router()
  expect(datagramsOf(running, 100)).toBe(datagramsOf(running, 100))
  expect(datagramsOf(running, 0)).not.toBe(datagramsOf(running, 100))
})
