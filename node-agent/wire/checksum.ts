/** The Internet checksum (RFC 1071), and the pseudo-header that IPv6 and RFC 5798 put in front of a message. */
import type { Address } from './address.ts'

/** One's complement sum of 16-bit words, not yet complemented. An odd last octet is padded with zero on the right. */
export function onesComplementSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8
  return fold(sum)
}

/**
 * What goes into a checksum field that was zero while `bytes` was summed. Of the two encodings of zero it is 0x0000
 * (0xffff needs a sum of nothing but zeros), which a peer that recomputes and compares expects too (P-25).
 */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~onesComplementSum(bytes, initial) & 0xffff
}

/**
 * The sum of a pseudo-header: source, destination, zeros, protocol, length of the payload. The order and width of its
 * fields differ between IPv4 (RFC 5798's reading) and IPv6 (RFC 8200 §8.1), their sum doesn't.
 */
export function pseudoHeaderSum(header: {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly length: number
}): number {
  const addresses = onesComplementSum(header.destination, onesComplementSum(header.source))
  return fold(addresses + header.protocol + header.length)
}

function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}
