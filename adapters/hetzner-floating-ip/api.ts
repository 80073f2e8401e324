/** What of Hetzner Cloud's API is used, and what its refusals mean. */
import { z } from 'zod'
import { type Api, type Kinds, refusalBy, saidIn } from '../rest/api.ts'
import { tokenIn } from '../rest/token.ts'
import type { HetznerFloatingIpConfig } from './schema.ts'

const locationSchema = z.object({ network_zone: z.string() })

const addressSchema = z.object({
  ip: z.string(),
  server: z.int().nullable(),
  blocked: z.boolean().optional(),
  home_location: locationSchema.optional(),
})

export type Address = z.output<typeof addressSchema>

export const floatingIpSchema = z.object({ floating_ip: addressSchema }).transform((answer) => answer.floating_ip)

/** Where a server is stands in its location, and in answers of before that in its data centre. */
export const serverSchema = z
  .object({
    server: z.object({
      location: locationSchema.nullish(),
      datacenter: z.object({ location: locationSchema }).nullish(),
    }),
  })
  .transform(({ server: { location, datacenter } }) => ({
    zone: location?.network_zone ?? datacenter?.location.network_zone ?? null,
  }))

const jobSchema = z.object({
  id: z.int(),
  status: z.enum(['running', 'success', 'error']),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
})

export type Action = z.output<typeof jobSchema>

export const actionSchema = z.object({ action: jobSchema }).transform(({ action }) => action)

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** Whatever is not here goes by its status. */
export const kinds: Kinds = {
  rate_limit_exceeded: 'throttled',
  // Changed by somebody else while it was handled.
  conflict: 'conflict',
  // Another action of the address or of the server is running.
  locked: 'retry',
  maintenance: 'retry',
  resource_unavailable: 'retry',
  service_error: 'retry',
  server_error: 'retry',
  unavailable: 'retry',
  action_failed: 'retry',
  timeout: 'unknown',
}

export function apiOf({ endpoint, token }: HetznerFloatingIpConfig): Api {
  return {
    provider: 'Hetzner Cloud',
    endpoint,
    sign: tokenIn(token),
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)
      return said === undefined ? undefined : refusalBy(kinds, answer, said.error)
    },
  }
}
