/** Fields that the configurations of several providers have. */
import { z } from 'zod'
import { baseUrl } from '../url.ts'

/** Another API than the provider's own, without a slash at its end. */
export function endpointSchema(provider: string, own: string) {
  return baseUrl(own).default(own).describe(`another API than ${provider}'s own`)
}

/** Of either family, in its one form. */
export const addressSchema = z
  .union([z.ipv4(), z.ipv6()], { error: 'an address is like 203.0.113.10 or 2001:db8::10' })
  .transform((value) => canonicalAddress(value))

/** One text for an address however it was written. */
export function canonicalAddress(value: string): string {
  const url = `http://[${value}]/`
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : value
}
