/** What of Hetzner Robot's web service is used, and what its refusals mean. */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { type FailureKind, longestWaitMs } from '../failures.ts'
import { type Api, refusalBy, saidIn } from '../rest/api.ts'
import { canonicalAddress } from '../rest/fields.ts'
import { placeName, readSecret } from '../secret.ts'
import type { HetznerFailoverIpConfig } from './schema.ts'

const address = z.string().transform((value) => canonicalAddress(value))

export const failoverSchema = z.object({
  failover: z.object({
    ip: z.string(),
    server_ip: z.string().nullish(),
    active_server_ip: address.nullable(),
  }),
})

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
const kinds: Readonly<Record<string, FailureKind>> = {
  RATE_LIMIT_EXCEEDED: 'throttled',
  // A switch is under way.
  FAILOVER_LOCKED: 'retry',
  FAILOVER_FAILED: 'retry',
  INTERNAL_ERROR: 'retry',
  // Begun, and perhaps still going on.
  FAILOVER_NOT_COMPLETE: 'unknown',
}

/** After three wrong passwords Robot refuses everybody who comes from the same address for so long, in milliseconds. */
export const lockoutMs = 600_000

/** `now`: milliseconds, by a clock that only goes forward. */
export function apiOf({ endpoint, user, password }: HetznerFailoverIpConfig, now: () => number): Api {
  let sent = ''
  let refused: { readonly token: string; readonly at: number } | undefined
  return {
    provider: 'Hetzner Robot',
    endpoint,
    sign: async () => {
      const secret = await readSecret(password)
      if (secret.kind !== 'secret') return secret
      const token = base64(`${user}:${secret.value}`)
      // What was refused once is not tried again each minute, since that would lock out the correct one as well.
      if (refused?.token === token && now() - refused.at < lockoutMs) return wrongPassword(user, placeName(password))
      sent = token
      return { kind: 'signed', headers: { authorization: `Basic ${token}` }, secrets: [secret.value, token] }
    },
    refusal: (answer) => {
      if (answer.status === 401) {
        refused = { token: sent, at: now() }
        return wrongPassword(user, placeName(password))
      }
      const said = saidIn(answer, errorSchema)?.error
      if (said === undefined) return undefined
      const { code, message, max_request, interval } = said
      const share = interval === undefined ? undefined : Math.ceil((interval * 1000) / (max_request ?? 1))
      const afterMs = share === undefined ? undefined : Math.min(longestWaitMs, share)
      return refusalBy(kinds, answer, { code, message, afterMs })
    },
  }
}

function wrongPassword(user: string, place: string): Failure {
  const message = `Robot refuses the user ${user} with the password in ${place}, which is not tried again for ten minutes \
unless it changes: three failures lock this machine out`
  return { kind: 'permanent', code: 'UNAUTHORIZED', message }
}

/** Of any text, by its UTF-8. */
function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
}
