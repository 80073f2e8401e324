/**
 * Bearer tokens: one that lies in a secret place, or one that is fetched when it is needed, kept in memory until shortly
 * before it expires, and renewed once when a provider refuses it, since it may have been revoked.
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, harmless, kindOfStatus, strangeAnswer } from '../failures.ts'
import { type Ask, ask } from '../http.ts'
import { readSecret, type SecretPlace } from '../secret.ts'
import { type Api, leftOf, type Signed, type Span, saidIn } from './api.ts'

/** A token that is sent as it is (RFC 6750). */
function bearer(token: string): Signed {
  return { kind: 'signed', headers: { authorization: `Bearer ${token}` }, secrets: [token] }
}

/** The token in `place`, read at each use. */
export function tokenIn(place: SecretPlace): Api['sign'] {
  return async () => {
    const secret = await readSecret(place)
    return secret.kind === 'secret' ? bearer(secret.value) : secret
  }
}

export type Granted = { readonly kind: 'granted'; readonly token: string; readonly expiresInSeconds: number }

/** A token is not used in its last minute: it must still hold when the request arrives. */
const spareMs = 60_000

/** A token by `grant`. `now`: milliseconds, by a clock that only goes forward. */
export function tokenBy(
  grant: (span: Span) => Promise<Granted | Failure>,
  now: () => number = () => performance.now(),
): Api['sign'] {
  let kept: { readonly token: string; readonly until: number } | undefined
  return async (_request, span) => {
    const isKept = kept !== undefined && now() < kept.until
    if (!isKept) {
      const granted = await grant(span)
      if (granted.kind !== 'granted') return granted
      kept = { token: granted.token, until: now() + granted.expiresInSeconds * 1000 - spareMs }
    }
    const used = kept!
    return {
      ...bearer(used.token),
      answered: (status) => {
        if (status !== 401) return false
        // Unless another call has renewed it meanwhile.
        if (kept === used) kept = undefined
        return isKept
      },
    }
  }
}

const grantSchema = z.object({
  access_token: z.string().min(1),
  // The metadata services differ in whether it is a number.
  expires_in: z.coerce.number().positive(),
})

const refusalSchema = z.object({ error: z.string(), error_description: z.string().optional() })

/** One request for a token (RFC 6749, sections 4.4 and 5). `who`: whose words these are. */
export async function askForToken(request: Ask, who: string, span: Span): Promise<Granted | Failure> {
  const answer = await ask({ ...request, timeoutMs: leftOf(span) }, span.signal)
  if (answer.kind !== 'answered') return answer
  const granted = answer.status === 200 ? saidIn(answer, grantSchema) : undefined
  if (granted !== undefined) {
    return { kind: 'granted', token: granted.access_token, expiresInSeconds: granted.expires_in }
  }
  const refused = saidIn(answer, refusalSchema)
  if (refused === undefined) return strangeAnswer(who, answer.status, answer.retryAfterMs)
  const [code, words] = [refused.error, refused.error_description ?? refused.error].map((text) =>
    harmless(text, request.secrets),
  )
  return failure(kindOfStatus(answer.status), code!, `${who} gives no token: ${words}`, answer.retryAfterMs)
}
