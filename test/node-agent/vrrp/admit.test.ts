import { describe, expect, test } from 'vitest'
import { admit, type Receiver } from '../../../node-agent/vrrp/admit.ts'
import type { RunningRouter } from '../../../node-agent/vrrp/step.ts'
import { sameAddress } from '../../../node-agent/wire/address.ts'
import { encodeIpv4 } from '../../../node-agent/wire/ipv4.ts'
import { encodeAdvertisement } from '../../../node-agent/wire/vrrp.ts'
import { fromHex } from '../../support/bytes.ts'
import { address, router } from '../../support/routers.ts'
import vectors from '../vrrp-vectors.json' with { type: 'json' }

const ours = router({ priority: 90 })

function receiver(ownAddress: string, of: RunningRouter = ours): Receiver<RunningRouter> {
  return {
    routerOf: (family, vrid) => (family === of.family && vrid === of.vrid ? of : undefined),
    isOwnAddress: (heard) => sameAddress(heard, address(ownAddress)),
  }
}

/** What the receive rules say of each IPv4 vector of version 3, and of version 2 heard by a version 3 router. */
const verdicts: Record<string, string> = {
  'v3-ipv4-msgonly': 'event',
  'v3-ipv4-pseudo': 'event checksum-form-differs',
  'v3-ipv4-prio0-msgonly': 'event',
  'v3-ipv4-prio0-pseudo': 'event checksum-form-differs',
  'v3-ipv4-prio255': 'event',
  'v3-ipv4-adv10': 'event interval-differs',
  'v3-ipv4-reserved-set': 'event',
  'v3-ipv4-adv0': 'interval',
  'v3-ipv4-bad-checksum': 'checksum',
  'v3-ipv4-ttl1': 'ttl',
  'v3-ipv4-version4': 'version',
  'v3-ipv4-truncated': 'length',
  'v3-ipv4-unknown-vrid': 'vrid',
  'v3-ipv4-addr-mismatch': 'event address-list-differs',
  'v3-ipv4-router-alert': 'event',
  'v3-ipv4-padded': 'event',
  'v3-ipv4-physical-smac': 'event',
  'v3-ipv4-cksum-ffff': 'event',
  'v3-ipv4-tie-greater': 'event',
  'v3-ipv4-tie-lower': 'event',
  'v3-ipv4-own-source': 'self',
  // A multicast router ignores unicast packets; their TTL is looked at first.
  'v3-ipv4-unicast-pseudo': 'peer',
  'v3-ipv4-unicast-ttl254': 'ttl',
  'v3-ipv4-unicast-oldka': 'checksum',
  'v2-noauth': 'version',
  'v2-ttl254': 'ttl',
}

describe('receive rules', () => {
  test.each(Object.entries(verdicts))('%s: %s', (name, verdict) => {
    const vector = vectors.find((candidate) => candidate.name === name)!
    const own = (vector.params as { receiver?: { own_ip?: string } }).receiver?.own_ip ?? '192.0.2.3'
    const admission = admit(receiver(own, { ...ours, addresses: addressesOf(vector) }), fromHex(vector.hex!))
    const said = admission.kind === 'discard' ? admission.reason : ['event', ...admission.odd].join(' ')
    expect(said).toBe(verdict)
  })

  test('every IPv4 vector that a version 3 multicast router may hear is in the table', () => {
    const heard = vectors.filter(({ name }) => name.startsWith('v3-ipv4'))
    expect(heard.map(({ name }) => name).filter((name) => !(name in verdicts))).toEqual([])
  })

  test.each(Array.from({ length: 28 }, (_, length) => [length] as const))(
    'a datagram cut to %i octets is discarded',
    (length) => {
      const whole = encodeIpv4({
        source: address('192.0.2.3'),
        destination: address('224.0.0.18'),
        ttl: 255,
        protocol: 112,
        payload: new Uint8Array(8),
      })
      expect(admit(receiver('192.0.2.2'), whole.subarray(0, length))).toEqual({ kind: 'discard', reason: 'length' })
    },
  )

  test('a type other than 1 and an empty address list are counted as such', () => {
    const datagram = (change: (message: Uint8Array) => void, addresses = ['192.0.2.100']) => {
      const envelope = { source: address('192.0.2.3'), destination: address('224.0.0.18') }
      const fields = {
        version: 3,
        vrid: 51,
        priority: 100,
        maxAdvertiseInterval: 100,
        addresses: addresses.map(address),
      } as const
      const payload = encodeAdvertisement(fields, envelope, 'rfc9568')
      change(payload)
      return encodeIpv4({ ...envelope, ttl: 255, protocol: 112, payload })
    }
    const unchanged = () => {}
    expect(
      admit(
        receiver('192.0.2.2'),
        datagram((message) => message.set([0x37], 0)),
      ),
    ).toMatchObject({ reason: 'type' })
    expect(admit(receiver('192.0.2.2'), datagram(unchanged, []))).toMatchObject({ reason: 'count' })
    expect(admit(receiver('192.0.2.2'), datagram(unchanged))).toMatchObject({ kind: 'event', event: { priority: 100 } })
  })

  test('a second address owner on the link is odd, and not discarded', () => {
    const vector = vectors.find(({ name }) => name === 'v3-ipv4-prio255')!
    const admission = admit(receiver('192.0.2.3', router({ priority: 255 })), fromHex(vector.hex!))
    expect(admission).toMatchObject({ kind: 'event', odd: ['second-owner'] })
  })
})

/** The addresses that the vector's receiver is configured with. */
function addressesOf(vector: (typeof vectors)[number]): RunningRouter['addresses'] {
  const { receiver: configured } = vector.params as { receiver?: { vips?: string[] } }
  return (configured?.vips ?? ['192.0.2.100']).map((vip) => ({ address: address(vip), prefixLength: 24 }))
}
