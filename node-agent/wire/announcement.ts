/** The frame by which hosts learn where an address is now: gratuitous ARP, or an unsolicited neighbour advertisement. */
import { type Address, familyOf } from './address.ts'
import { encodeGratuitousArp } from './arp.ts'
import { encodeUnsolicitedAdvertisement } from './ndp.ts'

export function encodeAnnouncement(told: { readonly mac: Uint8Array; readonly address: Address }): Uint8Array {
  return familyOf(told.address) === 'ipv4' ? encodeGratuitousArp(told) : encodeUnsolicitedAdvertisement(told)
}
