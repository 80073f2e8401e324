/** Addresses and ranges of IPv4, as aliases are compared by. */

/** An alias of one address may be written with or without its length. */
export function aliasOf(range: string): string {
  return range.includes('/') ? range : `${range}/32`
}

export function fits(address: string, range: string): boolean {
  const [network = '', length = '32'] = range.split('/')
  const size = 2 ** (32 - Number(length))
  return Math.floor(numberOf(address) / size) === Math.floor(numberOf(network) / size)
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}
