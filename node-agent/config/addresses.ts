/** Addresses in the agent's configuration: with the length of their network where they are a service's, bare for peers. */
import { z } from 'zod'
import { type Address, familyOf, type Prefix, parseAddress } from '../wire/address.ts'

const prefixHint = 'write an address with the length of its network, such as 10.77.0.50/24 or "fd77::50/64"'

/** `10.77.0.50/24`, `fd77::50/64`. */
export const prefixSchema = z.string().transform((text, context): Prefix => {
  const problem = (message: string, hint: string): never => {
    context.issues.push({ code: 'custom', input: text, message, params: { hint } })
    return z.NEVER
  }
  const [written, length, ...rest] = text.split('/')
  const address = parseAddress(written ?? '')
  if (address === undefined || rest.length > 0) return problem(`must be an address; got "${text}"`, prefixHint)
  const longest = address.length * 8
  if (length === undefined || !/^\d{1,3}$/.test(length) || Number(length) < 1 || Number(length) > longest)
    return problem(`needs a prefix length of 1..${longest}; got "${text}"`, prefixHint)
  if (!isHost(address)) return problem(`${written} is no address of a host`, prefixHint)
  return { address, prefixLength: Number(length) }
})

/** `10.77.0.2`, `fe80::2`. */
export const hostSchema = z.string().transform((text, context): Address => {
  const address = parseAddress(text)
  if (address !== undefined && isHost(address)) return address
  const message = `must be an address of a host; got "${text}"`
  const params = { hint: 'write it without a prefix length and without a zone, such as 10.77.0.2 or "fe80::2"' }
  context.issues.push({ code: 'custom', input: text, message, params })
  return z.NEVER
})

/** Neither unspecified, nor loopback, nor a group, nor of the other family in disguise. */
function isHost(address: Address): boolean {
  const first = address[0]!
  if (familyOf(address) === 'ipv4') return first !== 0 && first !== 127 && first < 224
  // ::/8 has the unspecified address, loopback and those that stand for IPv4.
  return first !== 0 && first !== 0xff
}
