/**
 * Packets as a broken or hostile sender would make them: the recorded ones, with octets changed, cut off or put in.
 *
 * Some are good by luck or have their checksum repaired; those lose every election against priorities from 100 on, so
 * that no state may change whatever is drawn.
 */
import { encodeIp } from '../../node-agent/wire/ip.ts'
import { vrrpProtocol } from '../../node-agent/wire/vrrp.ts'
import vectors from '../node-agent/vrrp-vectors.json' with { type: 'json' }
import { createRandom, type Random } from './prng.ts'
import { address } from './routers.ts'
import { repairChecksum } from './vrrp.ts'

const envelope = { source: address('10.77.0.77'), destination: address('224.0.0.18') }

/** As many whole IPv4 datagrams; the same seed gives the same ones. */
export function mutatedDatagrams(count: number, seed: number): Uint8Array[] {
  const random = createRandom(seed)
  const messages = vectors.flatMap(({ layer, hex }) =>
    layer === 'vrrp' && hex?.startsWith('45') ? [Buffer.from(hex, 'hex').subarray(20)] : [],
  )
  return Array.from({ length: count }, () => {
    const payload = mutated(random.pick(messages), random)
    return encodeIp({
      ...envelope,
      ttl: random.chance(0.9) ? 255 : random.between(0, 255),
      protocol: vrrpProtocol,
      payload,
    })
  })
}

function mutated(message: Uint8Array, random: Random): Uint8Array {
  const octet = (): number => Math.floor(random.between(0, 256))
  let bytes = Uint8Array.from(message)
  if (random.chance(0.2)) bytes = bytes.slice(0, Math.floor(random.between(0, bytes.length + 1)))
  if (random.chance(0.2)) bytes = Uint8Array.from([...bytes, ...Array.from({ length: octet() % 64 }, octet)])
  for (let changes = random.between(0, 5); changes >= 1 && bytes.length > 0; changes -= 1) {
    bytes[Math.floor(random.between(0, bytes.length))] = octet()
  }
  if (bytes.length >= 8) bytes[priorityAt] = 1 + (bytes[priorityAt]! % 99)
  if (random.chance(0.3)) repairChecksum(bytes, envelope, random.pick(['rfc9568', 'rfc5798']))
  return bytes
}

const priorityAt = 2
