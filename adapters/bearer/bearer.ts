/**
 * Bearer tokens that are fetched when needed, kept in memory until shortly before they expire, and renewed once when a
 * provider refuses one: it may have been revoked. A refused request had no effect, so sending it again is safe.
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, harmless, kindOfStatus, strangeAnswer } from '../failures.ts'
import { type Answer, type Ask, ask } from '../http.ts'

export type Granted = { readonly kind: 'granted'; readonly token: string; readonly expiresInSeconds: number }

export type Bearer = {
  /** Asks with a token. An answer comes with what must not be quoted from it. */
  ask(request: Ask, signal: AbortSignal): Promise<Asked | Failure>
  /** Whether there is a token: for preflight. */
  token(signal: AbortSignal): Promise<Granted | Failure>
}

export type Asked = { readonly kind: 'asked'; readonly answer: Answer; readonly secrets: readonly string[] }

/** A token is not used in its last minute: it must still hold when the request arrives. */
const spareMs = 60_000

export function createBearer(
  grant: (signal: AbortSignal) => Promise<Granted | Failure>,
  now: () => number = () => performance.now(),
): Bearer {
  let kept: { readonly granted: Granted; readonly until: number } | undefined

  async function token(signal: AbortSignal): Promise<Granted | Failure> {
    if (kept !== undefined && now() < kept.until) return kept.granted
    const granted = await grant(signal)
    if (granted.kind !== 'granted') return granted
    kept = { granted, until: now() + granted.expiresInSeconds * 1000 - spareMs }
    return granted
  }

  async function once(request: Ask, signal: AbortSignal): Promise<Asked | Failure> {
    const granted = await token(signal)
    if (granted.kind !== 'granted') return granted
    const secrets = [...(request.secrets ?? []), granted.token]
    const headers = { ...request.headers, authorization: `Bearer ${granted.token}` }
    const answer = await ask({ ...request, headers, secrets }, signal)
    return answer.kind === 'answered' ? { kind: 'asked', answer, secrets } : answer
  }

  return {
    token,
    ask: async (request, signal) => {
      const before = kept
      const asked = await once(request, signal)
      if (asked.kind !== 'asked' || asked.answer.status !== 401) return asked
      // Unless another call has renewed it meanwhile, or it was fetched for this one.
      if (kept === before) kept = undefined
      return before === undefined ? asked : once(request, signal)
    },
  }
}

const grantSchema = z.object({
  access_token: z.string().min(1),
  // The metadata services differ in whether it is a number.
  expires_in: z.coerce.number().positive(),
})

const refusalSchema = z.object({ error: z.string(), error_description: z.string().optional() })

/** One request for a token (RFC 6749, sections 4.4 and 5). `who`: whose words these are. */
export async function askForToken(request: Ask, who: string, signal: AbortSignal): Promise<Granted | Failure> {
  const answer = await ask(request, signal)
  if (answer.kind !== 'answered') return answer
  const json = jsonOr(answer.text)
  const granted = grantSchema.safeParse(json)
  if (answer.status === 200 && granted.success) {
    return { kind: 'granted', token: granted.data.access_token, expiresInSeconds: granted.data.expires_in }
  }
  const refused = refusalSchema.safeParse(json).data
  if (refused === undefined) return strangeAnswer(who, answer.status, answer.retryAfterMs)
  const words = harmless(refused.error_description ?? refused.error, request.secrets)
  return failure(kindOfStatus(answer.status), refused.error, `${who} gives no token: ${words}`, answer.retryAfterMs)
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
