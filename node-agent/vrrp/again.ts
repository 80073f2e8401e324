/**
 * What a router heard last, so that the same again is admitted without being judged again, and without allocation:
 * an active router says the same each time, up to a hundred times a second, for each of hundreds of routers.
 *
 * What `admit` says is a function of the router, of the addresses that are our own, and of the octets that the rules
 * read. The first two must be the very objects that they were, and every octet that the rules read is compared; those
 * that they ignore (TOS, identification, flags, the IPv4 header's checksum, the flow label) are left out. So nothing is
 * admitted here that would not be admitted there.
 */
import type { Family, Prefix } from '../wire/address.ts'
import type { Admitted, Receiver } from './admit.ts'
import type { VirtualRouter } from './router.ts'

type Heard = {
  readonly form: Form
  readonly bytes: Uint8Array
  readonly own: readonly Prefix[]
  readonly admitted: Admitted<VirtualRouter>
}

const heard = new WeakMap<VirtualRouter, Heard>()

/** `bytes` were judged and admitted. Only a datagram of the plain form is remembered. */
export function remember(
  receiver: Receiver<VirtualRouter>,
  admitted: Admitted<VirtualRouter>,
  bytes: Uint8Array,
): void {
  const form = formOf(bytes)
  if (form === undefined) return
  heard.set(admitted.router, { form, bytes: new Uint8Array(bytes), own: receiver.ownAddresses(), admitted })
}

/** Undefined when it has to be judged. */
export function recall<Router extends VirtualRouter>(
  receiver: Receiver<Router>,
  bytes: Uint8Array,
): Admitted<Router> | undefined {
  const form = formOf(bytes)
  if (form === undefined) return undefined
  const router = receiver.routerOf(form.family, bytes[form.headerLength + 1]!)
  const last = router && heard.get(router)
  if (last === undefined || last.form !== form || last.own !== receiver.ownAddresses()) return undefined
  return sameWhereRead(form, last.bytes, bytes) ? (last.admitted as Admitted<Router>) : undefined
}

/** Which octets the rules read: `single` ones, and all from `from` on. */
type Form = {
  readonly family: Family
  readonly headerLength: number
  readonly single: readonly number[]
  readonly from: number
}

/** Version and header length; total length; TTL, protocol; from the source on. */
const ipv4: Form = { family: 'ipv4', headerLength: 20, single: [0, 2, 3, 8, 9], from: 12 }
/** Payload length, next header, hop limit, and all after them; the version has been looked at. */
const ipv6: Form = { family: 'ipv6', headerLength: 40, single: [], from: 4 }

/** The plain form: a header without options, and nothing after the length that it gives. */
function formOf(bytes: Uint8Array): Form | undefined {
  const plain4 = bytes.length >= 28 && bytes[0] === 0x45 && ((bytes[2]! << 8) | bytes[3]!) === bytes.length
  if (plain4) return ipv4
  const plain6 = bytes.length >= 48 && bytes[0]! >> 4 === 6 && ((bytes[4]! << 8) | bytes[5]!) + 40 === bytes.length
  return plain6 ? ipv6 : undefined
}

function sameWhereRead({ single, from }: Form, known: Uint8Array, bytes: Uint8Array): boolean {
  if (known.length !== bytes.length) return false
  for (const at of single) if (known[at] !== bytes[at]) return false
  for (let at = from; at < bytes.length; at += 1) if (known[at] !== bytes[at]) return false
  return true
}
