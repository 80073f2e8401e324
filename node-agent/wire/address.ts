/** IPv4 addresses as the four octets they are on the wire. */

export type Address = Uint8Array

/** An address with the length of its network's prefix: `10.77.0.50/24`. */
export type Prefix = { readonly address: Address; readonly prefixLength: number }

/** Dotted IPv4 to its octets; undefined when it is not one (leading zeros and short forms are not). */
export function parseIpv4(text: string): Address | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined
  return Uint8Array.from(parts, Number)
}

export function formatAddress(address: Address): string {
  return address.join('.')
}

/** Negative, zero or positive, as unsigned numbers in network order: how RFC 9568 §6.4.3 breaks a tie of priorities. */
export function compareAddresses(a: Address, b: Address): number {
  for (let i = 0; i < a.length; i += 1) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return 0
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.length === b.length && compareAddresses(a, b) === 0
}

/** Six octets as `02:00:0a:4d:00:01`. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (octet) => octet.toString(16).padStart(2, '0')).join(':')
}
