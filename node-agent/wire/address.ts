/** IP addresses as the octets they are on the wire: four of IPv4, sixteen of IPv6. */

export type Address = Uint8Array

export type Family = 'ipv4' | 'ipv6'

/** An address with the length of its network's prefix: `10.77.0.50/24`, `fd77::50/64`. */
export type Prefix = { readonly address: Address; readonly prefixLength: number }

export function familyOf(address: Address): Family {
  return address.length === 4 ? 'ipv4' : 'ipv6'
}

/** An address of either family; undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** Dotted IPv4 to its octets; undefined when it is not one (leading zeros and short forms are not). */
export function parseIpv4(text: string): Address | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined
  return Uint8Array.from(parts, Number)
}

/** Any text form of RFC 4291 §2.2, without a zone; undefined when it is none. */
export function parseIpv6(text: string): Address | undefined {
  const sides = text.split('::')
  if (sides.length > 2) return undefined
  const [head, tail] = sides.map(groupsOf)
  if (head === undefined || (sides.length === 2 && tail === undefined)) return undefined
  const missing = 16 - head.length - (tail?.length ?? 0)
  // A double colon stands for at least one group of zeros.
  if (sides.length === 1 ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...(tail ?? [])])
}

/** The octets of groups between colons, the last of which may be dotted IPv4. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const octets: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    const dotted = i === groups.length - 1 && group.includes('.') ? parseIpv4(group) : undefined
    if (dotted === undefined && !/^[0-9a-f]{1,4}$/i.test(group)) return undefined
    const value = Number.parseInt(group, 16)
    octets.push(...(dotted ?? [value >> 8, value & 0xff]))
  }
  return octets
}

/** The one form of RFC 5952 for IPv6; dotted for IPv4. */
export function formatAddress(address: Address): string {
  if (address.length === 4) return address.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((address[2 * i]! << 8) | address[2 * i + 1]!).toString(16))
  // The longest run of zeros, the first of equals; one group alone is written out.
  let [start, length] = [0, 1]
  for (let from = 0; from < 8; from += 1) {
    let to = from
    while (to < 8 && groups[to] === '0') to += 1
    if (to - from > length) [start, length] = [from, to - from]
  }
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

export function formatPrefix({ address, prefixLength }: Prefix): string {
  return `${formatAddress(address)}/${prefixLength}`
}

/** fe80::/10: an address of one link only (RFC 4291 §2.5.6). */
export function isLinkLocal(address: Address): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80
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

/** What RFC 9568 §7.3 gives a virtual router of a family. */
export function virtualMacOf(family: Family, vrid: number): Uint8Array {
  return Uint8Array.of(0x00, 0x00, 0x5e, 0x00, family === 'ipv4' ? 0x01 : 0x02, vrid)
}
