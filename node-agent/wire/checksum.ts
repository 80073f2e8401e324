/** The Internet checksum (RFC 1071), and the pseudo-header that RFC 5798 put in front of it. */
import type { Address } from './address.ts'

/** One's complement sum of 16-bit words, not yet complemented. An odd last octet is padded with zero on the right. */
export function onesComplementSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

/** What goes into a checksum field that was zero while `bytes` was summed. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~onesComplementSum(bytes, initial) & 0xffff
}

/**
 * The sum of an IPv4 pseudo-header: source, destination, zero, protocol, length of the payload.
 * RFC 9568 §5.2.8 leaves it out for IPv4; keepalived and FRR put it in by default.
 */
export function pseudoHeaderSum(header: {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly length: number
}): number {
  const afterAddresses = onesComplementSum(header.destination, onesComplementSum(header.source))
  return onesComplementSum(new Uint8Array(0), afterAddresses + header.protocol + header.length)
}
