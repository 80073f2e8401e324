/**
 * The login of Robot's web service, which all bindings of one user share: after three wrong passwords Robot refuses
 * everybody who comes from the same address.
 *
 *   a password that was never tried    goes with one request; others wait until that is answered
 *   one that was accepted              goes with every request
 *   one that was refused               goes with none for ten minutes, unless it changes
 */
import type { Failure } from '../adapter.ts'
import { givenUp, timedOut } from '../failures.ts'
import { pauseFor } from '../pause.ts'
import { leftOf, type Signed, type Span } from '../rest/api.ts'
import { placeName, readSecret } from '../secret.ts'
import type { HetznerFailoverIpConfig } from './schema.ts'

/** For how long Robot refuses everybody, and a refused password is not tried again, in milliseconds. */
const lockoutMs = 600_000

type Known =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly at: number }
  /** Aborted when it is answered. */
  | { readonly kind: 'tried'; readonly answered: AbortController }

/** By a digest of endpoint, user and password, which are not kept. */
const logins = new Map<string, Known>()

/** `now`: milliseconds, by a clock that only goes forward. */
export async function loginOf(
  config: HetznerFailoverIpConfig,
  span: Span,
  now: () => number,
): Promise<Signed | Failure> {
  const { endpoint, user, password } = config
  const secret = await readSecret(password)
  if (secret.kind !== 'secret') return secret
  const token = base64(`${user}:${secret.value}`)
  const key = await digestOf(`${endpoint} ${token}`)
  for (let known = logins.get(key); known?.kind === 'tried'; known = logins.get(key)) {
    if (span.signal.aborted) return givenUp
    if (leftOf(span) === 0) return timedOut(span.timeoutMs)
    await pauseFor(leftOf(span), AbortSignal.any([span.signal, known.answered.signal]))
  }
  const known = logins.get(key)
  if (known?.kind === 'refused' && now() - known.at < lockoutMs) return wrongPassword(config)
  const signed = {
    kind: 'signed',
    headers: { authorization: `Basic ${token}` },
    secrets: [secret.value, token],
  } as const
  return { ...signed, answered: answeredFor(key, now) }
}

function answeredFor(key: string, now: () => number): NonNullable<Signed['answered']> {
  const answered = new AbortController()
  const isTrial = logins.get(key)?.kind !== 'accepted'
  if (isTrial) logins.set(key, { kind: 'tried', answered })
  return (status) => {
    if (status === 401) logins.set(key, { kind: 'refused', at: now() })
    // Too many requests, and trouble of Robot's, say nothing about it: whoever waits tries it.
    else if (isTrial && (status === undefined || status === 403 || status >= 500)) logins.delete(key)
    else if (isTrial) logins.set(key, { kind: 'accepted' })
    answered.abort()
    return false
  }
}

export function wrongPassword({ user, password }: HetznerFailoverIpConfig): Failure {
  const message = `Robot refuses the user ${user} with the password in ${placeName(password)}, which is not tried again \
for ten minutes unless it changes: three failures lock this machine out`
  return { kind: 'permanent', code: 'UNAUTHORIZED', message }
}

/** Of any text, by its UTF-8. */
function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
