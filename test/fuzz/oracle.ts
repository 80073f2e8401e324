/**
 * The receive rules stated a second time, slowly and simply, to judge `admit` by: nothing of node-agent's code runs
 * here. Numbers and hex words instead of views; one list of rules in the order of the conformance list.
 */
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'

export type Judgement =
  | { readonly reason: string }
  | {
      readonly reason: null
      readonly source: string
      readonly priority: number
      readonly centiseconds: number
      readonly odd: readonly string[]
    }

type Packet = {
  readonly six: boolean
  readonly ttl: number
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly message: readonly number[]
}

export const hexOf = (octets: ArrayLike<number>): string =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')

/** `routers`: at the interface that heard it, whose own addresses are `own`. */
export function judgeByTheBook(
  routers: readonly VirtualRouter[],
  own: readonly string[],
  bytes: Uint8Array,
): Judgement {
  const packet = readPacket([...bytes])
  if (packet === null || packet.protocol !== 112 || packet.message.length < 8) return { reason: 'length' }
  const { six, source, message } = packet
  const [first, vrid, priority, count, fourth, fifth] = message as [number, number, number, number, number, number]
  const version = Math.floor(first / 16)
  const router = routers.find((one) => one.vrid === vrid && (one.family === 'ipv6') === six)
  const centiseconds = version === 2 ? fifth * 100 : (fourth % 16) * 256 + fifth
  const listed = addressesIn(message, count, six ? 16 : 4)
  const size = 8 + count * (six ? 16 : 4) + (version === 2 ? 8 : 0)
  const strict = router?.profile === 'strict'
  const multicast = router?.transport.kind !== 'unicast'
  const peers = router?.transport.kind === 'unicast' ? router.transport.peers.map(hexOf) : []
  const toAGroup = six ? packet.destination.startsWith('ff') : packet.destination.startsWith('e')
  const farthest = router?.transport.kind === 'unicast' && !toAGroup ? router.transport.minTtl : 255
  const wanted = new Set(router?.addresses.map(({ address }) => hexOf(address)))
  const sameList = count === wanted.size && [...wanted].every((address) => listed.includes(address))
  const group = six ? 'ff020000000000000000000000000012' : 'e0000012'
  const form = router === undefined ? null : checksumOf(packet, version, router)

  const rules: readonly (readonly [reason: string, broken: () => boolean])[] = [
    ['ttl', () => packet.ttl < farthest],
    ['version', () => (router === undefined ? version !== 3 && (version !== 2 || six) : version !== router.version)],
    ['type', () => first % 16 !== 1],
    ['vrid', () => router === undefined],
    ['length', () => message.length !== size],
    ['checksum', () => form === null],
    ['count', () => count === 0],
    ['interval', () => centiseconds === 0 && version === 3],
    // Nothing says which comes first where seconds are zero: no router has such an interval, so R-09 stands for R-11.
    ['interval', () => centiseconds === 0],
    ['auth', () => version === 2 && !authentic(router!, fourth, message)],
    ['interval', () => version === 2 && centiseconds !== router!.advertisementInterval],
    ['addr', () => six && strict && !isLinkLocal(listed[0]!)],
    ['addr', () => six && strict && multicast && !isLinkLocal(source)],
    ['peer', () => (multicast ? packet.destination !== group : toAGroup || !peers.includes(source))],
    ['self', () => own.includes(source)],
    ['owner', () => version === 2 && router!.priority === 255],
    ['addr-list', () => version === 2 && strict && priority !== 255 && !sameList],
  ]
  const broken = rules.find(([, isBroken]) => isBroken())
  if (broken !== undefined) return { reason: broken[0] }

  const odd: readonly (readonly [word: string, holds: boolean])[] = [
    ['checksum-form-differs', form === 'other'],
    ['interval-differs', centiseconds !== router!.advertisementInterval],
    ['first-not-link-local', six && !isLinkLocal(listed[0]!)],
    ['source-not-link-local', six && multicast && !isLinkLocal(source)],
    ['address-list-differs', !sameList],
    ['second-owner', priority === 255 && router!.priority === 255],
  ]
  const words = odd.filter(([, holds]) => holds).map(([word]) => word)
  return { reason: null, source, priority, centiseconds, odd: words }
}

function readPacket(octets: readonly number[]): Packet | null {
  const version = octets.length === 0 ? 0 : Math.floor(octets[0]! / 16)
  if (version === 4 && octets.length >= 20) {
    const header = (octets[0]! % 16) * 4
    const total = octets[2]! * 256 + octets[3]!
    if (header < 20 || total < header || total > octets.length) return null
    const [source, destination] = [hexOf(octets.slice(12, 16)), hexOf(octets.slice(16, 20))]
    const message = octets.slice(header, total)
    return { six: false, ttl: octets[8]!, protocol: octets[9]!, source, destination, message }
  }
  if (version === 6 && octets.length >= 40) {
    const total = 40 + octets[4]! * 256 + octets[5]!
    if (total > octets.length) return null
    const [source, destination] = [hexOf(octets.slice(8, 24)), hexOf(octets.slice(24, 40))]
    return { six: true, ttl: octets[7]!, protocol: octets[6]!, source, destination, message: octets.slice(40, total) }
  }
  return null
}

function addressesIn(message: readonly number[], count: number, size: number): string[] {
  return Array.from({ length: count }, (_, i) => hexOf(message.slice(8 + i * size, 8 + (i + 1) * size)))
}

/** fe80::/10 */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address) && address.length === 32
}

/** `ours`: right, and as we would make it or were told to expect it. `other`: right the other way, where both are welcome. */
function checksumOf(packet: Packet, version: number, router: VirtualRouter): 'ours' | 'other' | null {
  const { source, destination, message, six } = packet
  const carried = message[6]! * 256 + message[7]!
  const zeroed = message.map((octet, at) => (at === 6 || at === 7 ? 0 : octet))
  const length = message.length
  const pseudo = [...octetsOf(source), ...octetsOf(destination), 0, 112, Math.floor(length / 256), length % 256]
  const agrees = (octets: readonly number[]): boolean => {
    const right = complementOfSum(octets)
    return carried === right || (right === 0 && carried === 0xffff)
  }
  const plain = (): boolean => agrees(zeroed)
  const withPseudo = (): boolean => agrees([...pseudo, ...zeroed])
  if (version === 2) return plain() ? 'ours' : null
  if (six) return withPseudo() ? 'ours' : null
  const by = { rfc9568: plain, rfc5798: withPseudo }
  if (router.acceptChecksum !== 'auto') return by[router.acceptChecksum]() ? 'ours' : null
  if (by[router.checksum]()) return 'ours'
  return plain() || withPseudo() ? 'other' : null
}

/** RFC 1071 by division: the sum of all words modulo 0xffff, complemented. */
function complementOfSum(octets: readonly number[]): number {
  let total = 0
  for (let i = 0; i < octets.length; i += 2) total += octets[i]! * 256 + (octets[i + 1] ?? 0)
  if (total === 0) return 0xffff
  const folded = total % 0xffff === 0 ? 0xffff : total % 0xffff
  return 0xffff - folded
}

function octetsOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
}

function authentic({ password }: VirtualRouter, type: number, message: readonly number[]): boolean {
  if (password === null) return type === 0
  return type === 1 && hexOf(message.slice(-8)) === hexOf(password)
}
