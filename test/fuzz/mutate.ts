/** Reference packets, changed: a few of their bits, their length, or a part of one put into another. */

import type { Random } from '../support/prng.ts'
import { repairChecksum } from '../support/vrrp.ts'

const below = (random: Random, bound: number): number => Math.floor(random.next() * bound)

/** Fields where a changed octet means something, from the start of the message on. */
const telling = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const
const tellingOctets = [0, 1, 2, 0x0f, 0x10, 0x21, 0x31, 51, 52, 90, 100, 0x7f, 0x80, 0xfe, 0xff] as const

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

const mutations: readonly Mutation[] = [
  /** As it is: what follows is compared with it. */
  (bytes) => bytes,
  function flipBits(bytes, random) {
    for (let flips = 1 + below(random, 4); flips > 0 && bytes.length > 0; flips -= 1)
      bytes[below(random, bytes.length)]! ^= 1 << below(random, 8)
    return bytes
  },
  function setOctet(bytes, random) {
    const at = headerLengthOf(bytes) + random.pick(telling)
    if (at < bytes.length) bytes[at] = random.pick(tellingOctets)
    return bytes
  },
  function setHeaderOctet(bytes, random) {
    const at = below(random, Math.min(headerLengthOf(bytes), bytes.length))
    if (at < bytes.length) bytes[at] = random.chance(0.5) ? random.pick(tellingOctets) : below(random, 256)
    return bytes
  },
  function truncate(bytes, random) {
    return bytes.slice(0, below(random, bytes.length + 1))
  },
  function extend(bytes, random) {
    const longer = new Uint8Array(bytes.length + 1 + below(random, 24))
    longer.set(bytes)
    for (let at = bytes.length; at < longer.length; at += 1) longer[at] = random.chance(0.5) ? 0 : below(random, 256)
    return longer
  },
  /** A whole number of addresses less. */
  function shorten(bytes, random) {
    const size = bytes[0]! >> 4 === 6 ? 16 : 4
    return bytes.slice(0, Math.max(0, bytes.length - size * (1 + below(random, 3))))
  },
  function splice(bytes, random, others) {
    const other = random.pick(others)
    const [from, to] = [below(random, bytes.length + 1), below(random, other.length + 1)]
    return Uint8Array.of(...bytes.subarray(0, from), ...other.subarray(to))
  },
  function messageOfAnother(bytes, random, others) {
    const other = random.pick(others)
    const at = headerLengthOf(other)
    return Uint8Array.of(...bytes.subarray(0, headerLengthOf(bytes)), ...other.subarray(at))
  },
]

/** One or two mutations; in half of the packets what was broken first is made to fit again, so that later rules are reached. */
export function mutate(bases: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = new Uint8Array(random.pick(bases))
  const rounds = 1 + below(random, 2)
  for (let round = 0; round < rounds; round += 1) bytes = new Uint8Array(random.pick(mutations)(bytes, random, bases))
  if (random.chance(0.5)) repair(bytes, random)
  return bytes
}

function headerLengthOf(bytes: Uint8Array): number {
  if (bytes.length === 0) return 0
  return bytes[0]! >> 4 === 6 ? 40 : Math.max(20, (bytes[0]! & 0x0f) * 4)
}

/** Lengths and checksum fit the bytes; often the TTL is right, and the count fits the message. */
function repair(bytes: Uint8Array, random: Random): void {
  const header = headerLengthOf(bytes)
  if (bytes.length < header + 8) return
  const six = bytes[0]! >> 4 === 6
  const length = six ? bytes.length - header : bytes.length
  bytes.set([length >> 8, length & 0xff], six ? 4 : 2)
  if (random.chance(0.7)) bytes[six ? 7 : 8] = 255
  const message = bytes.subarray(header)
  const trailer = message[0]! >> 4 === 2 ? 8 : 0
  if (random.chance(0.7)) message[3] = Math.max(0, message.length - 8 - trailer) / (six ? 16 : 4)
  const [source, destination] = six
    ? [bytes.subarray(8, 24), bytes.subarray(24, 40)]
    : [bytes.subarray(12, 16), bytes.subarray(16, 20)]
  repairChecksum(message, { source, destination }, random.chance(0.5) ? 'rfc9568' : 'rfc5798')
}
