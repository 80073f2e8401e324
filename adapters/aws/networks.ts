/** Addresses and networks in the one spelling that EC2 answers with, so that they can be compared as text. */

/** `2001:DB8:0:0::1` is `2001:db8::1`; an IPv4 address has one spelling only. */
export function canonicalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address
}

/** `2001:DB8::/32` is `2001:db8::/32`. Null when bits of the host are set, which EC2 would drop without a word. */
export function canonicalNetwork(network: string): string | null {
  const [address, length] = network.split('/') as [string, string]
  const canonical = canonicalAddress(address)
  const hostBits = BigInt(canonical.includes(':') ? 128 - Number(length) : 32 - Number(length))
  const isNetwork = (bitsOf(canonical) & ((1n << hostBits) - 1n)) === 0n
  return isNetwork ? `${canonical}/${Number(length)}` : null
}

/** A canonical address as a number. */
function bitsOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
  const [before = '', after = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const zeros = Array.from({ length: 8 - groups(before).length - groups(after).length }, () => '0')
  return [...groups(before), ...zeros, ...groups(after)].reduce((bits, part) => (bits << 16n) | BigInt(`0x${part}`), 0n)
}
