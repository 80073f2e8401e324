/** What of DigitalOcean's API is used, and what its refusals mean. */
import { z } from 'zod'
import { type Api, type Kinds, refusalBy, saidIn } from '../rest/api.ts'
import { tokenIn } from '../rest/token.ts'
import type { DigitalOceanReservedIpConfig } from './schema.ts'

const placeSchema = z.object({
  ip: z.string(),
  droplet: z.object({ id: z.int() }).nullish(),
  region: z.object({ slug: z.string() }).nullish(),
  region_slug: z.string().optional(),
})

export type Address = z.output<typeof placeSchema>

const addressSchema = z.object({ reserved_ip: placeSchema }).transform((answer) => answer.reserved_ip)

/** Documented in an envelope, and known to have come without. */
const address6Schema = z
  .union([z.object({ reserved_ipv6: placeSchema }), placeSchema])
  .transform((answer) => ('reserved_ipv6' in answer ? answer.reserved_ipv6 : answer))

/** Where an address of either family is found, and what is answered there. */
export function resourceOf(ip: string) {
  return ip.includes(':')
    ? { path: `/v2/reserved_ipv6/${ip}`, schema: address6Schema }
    : { path: `/v2/reserved_ips/${ip}`, schema: addressSchema }
}

export const dropletSchema = z.object({
  droplet: z.object({ region: z.object({ slug: z.string() }) }),
})

const jobSchema = z.object({ id: z.int(), status: z.enum(['in-progress', 'completed', 'errored']) })

export type Action = z.output<typeof jobSchema>

export const actionSchema = z.object({ action: jobSchema }).transform(({ action }) => action)

const errorSchema = z.object({ id: z.string(), message: z.string() })

/** Whatever is not here goes by its status. */
const kinds: Kinds = {
  too_many_requests: 'throttled',
  conflict: 'conflict',
  server_error: 'retry',
  service_unavailable: 'retry',
  pending_event: 'retry',
}

export function apiOf({ endpoint, token }: DigitalOceanReservedIpConfig): Api {
  return {
    provider: 'DigitalOcean',
    endpoint,
    sign: tokenIn(token),
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)
      if (said === undefined) return undefined
      // Another event of the address or of the Droplet is under way: only the words tell it from a mistake.
      const isPending = answer.status === 422 && /pending event/i.test(said.message)
      return refusalBy(kinds, answer, { code: isPending ? 'pending_event' : said.id, message: said.message })
    },
  }
}
