/** What of Hetzner Cloud's API is used, and what its refusals mean. */
import { z } from 'zod'
import type { FailureKind } from '../failures.ts'
import { type Api, bearer, refusalBy, saidIn } from '../rest/api.ts'
import { readSecret } from '../secret.ts'
import type { HetznerFloatingIpConfig } from './schema.ts'

const locationSchema = z.object({ network_zone: z.string() })

export const floatingIpSchema = z.object({
  floating_ip: z.object({
    id: z.int(),
    ip: z.string(),
    type: z.enum(['ipv4', 'ipv6']),
    server: z.int().nullable(),
    blocked: z.boolean().optional(),
    home_location: locationSchema.optional(),
  }),
})

/** Where a server is stands in its location, and in answers of before that in its data centre. */
export const serverSchema = z
  .object({
    server: z.object({
      id: z.int(),
      location: locationSchema.nullish(),
      datacenter: z.object({ location: locationSchema }).nullish(),
    }),
  })
  .transform(({ server: { location, datacenter } }) => ({
    zone: location?.network_zone ?? datacenter?.location.network_zone ?? null,
  }))

export const actionSchema = z.object({
  action: z.object({
    id: z.int(),
    status: z.enum(['running', 'success', 'error']),
    error: z.object({ code: z.string(), message: z.string() }).nullish(),
  }),
})

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** Whatever is not here goes by its status. */
export const kinds: Readonly<Record<string, FailureKind>> = {
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
    sign: async () => {
      const secret = await readSecret(token)
      return secret.kind === 'secret' ? bearer(secret.value) : secret
    },
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)
      return said === undefined ? undefined : refusalBy(kinds, answer, said.error)
    },
  }
}
