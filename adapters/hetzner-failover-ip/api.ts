/** What of Hetzner Robot's web service is used, and what its refusals mean. */
import { z } from 'zod'
import { longestWaitMs } from '../failures.ts'
import { type Api, type Kinds, refusalBy, saidIn } from '../rest/api.ts'
import { canonicalAddress } from '../rest/fields.ts'
import { loginOf, wrongPassword } from './login.ts'
import type { HetznerFailoverIpConfig } from './schema.ts'

const address = z.string().transform((value) => canonicalAddress(value))

const placeSchema = z.object({
  server_ip: z.string().nullish(),
  active_server_ip: address.nullable(),
})

export type Failover = z.output<typeof placeSchema>

export const failoverSchema = z.object({ failover: placeSchema }).transform(({ failover }) => failover)

export const serversSchema = z.array(
  z.object({ server: z.object({ server_ip: address.nullish(), server_ipv6_net: address.nullish() }) }),
)

const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    max_request: z.number().positive().optional().catch(undefined),
    interval: z.number().positive().optional().catch(undefined),
  }),
})

/** Whatever is not here goes by its status. */
const kinds: Kinds = {
  RATE_LIMIT_EXCEEDED: 'throttled',
  // A switch is under way.
  FAILOVER_LOCKED: 'retry',
  FAILOVER_FAILED: 'retry',
  INTERNAL_ERROR: 'retry',
  // Begun, and perhaps still going on.
  FAILOVER_NOT_COMPLETE: 'unknown',
}

/** `now`: milliseconds, by a clock that only goes forward. */
export function apiOf(config: HetznerFailoverIpConfig, now: () => number = () => performance.now()): Api {
  return {
    provider: 'Hetzner Robot',
    endpoint: config.endpoint,
    sign: (_request, span) => loginOf(config, span, now),
    refusal: (answer) => {
      if (answer.status === 401) return wrongPassword(config)
      const said = saidIn(answer, errorSchema)?.error
      if (said === undefined) return undefined
      const { code, message, max_request, interval } = said
      const share = interval === undefined ? undefined : Math.ceil((interval * 1000) / (max_request ?? 1))
      const afterMs = share === undefined ? undefined : Math.min(longestWaitMs, share)
      return refusalBy(kinds, answer, { code, message, afterMs })
    },
  }
}
