/**
 * Tokens for Google Cloud: by a service account's key, whose JSON lies in a secret place, or by the metadata server of
 * the machine that this runs on.
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import type { Api, Span } from '../rest/api.ts'
import { askForToken, type Granted, tokenBy } from '../rest/token.ts'
import { readSecret, type SecretPlace } from '../secret.ts'

export type GoogleCredentials = {
  /** A service account's key. Left out: the metadata server's default account. */
  readonly credentials?: SecretPlace | undefined
  /** Another token endpoint than the key's own, or another metadata server. */
  readonly tokenEndpoint?: string | undefined
}

const scope = 'https://www.googleapis.com/auth/compute'
const metadataServer = 'http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token'

const keySchema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(3),
  private_key_id: z.string().optional(),
  private_key: z.string().startsWith('-----BEGIN PRIVATE KEY-----'),
  token_uri: z.url({ protocol: /^https?$/ }).default('https://oauth2.googleapis.com/token'),
})

type Key = z.output<typeof keySchema>

export function googleToken({ credentials, tokenEndpoint }: GoogleCredentials): Api['sign'] {
  return tokenBy((span) =>
    credentials === undefined
      ? ofMetadata(tokenEndpoint ?? metadataServer, span)
      : ofKey(credentials, tokenEndpoint, span),
  )
}

function ofMetadata(url: string, span: Span): Promise<Granted | Failure> {
  return askForToken({ method: 'GET', url, headers: { 'metadata-flavor': 'Google' } }, 'the metadata server', span)
}

async function ofKey(place: SecretPlace, endpoint: string | undefined, span: Span): Promise<Granted | Failure> {
  const secret = await readSecret(place)
  if (secret.kind !== 'secret') return secret
  const key = keyIn(secret.value)
  if (key === undefined) return noKey('the secret is no key file of a service account: download it as JSON')
  const url = endpoint ?? key.token_uri
  // The audience is what Google knows itself by, also when the request goes through another address.
  const assertion = await assertionOf(key, new Date()).catch(() => undefined)
  if (assertion === undefined) return noKey('private_key of the service account is no RSA key in PKCS#8')
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const secrets = [key.private_key, assertion]
  return askForToken({ method: 'POST', url, headers, body: String(body), secrets }, "Google's token endpoint", span)
}

function noKey(message: string): Failure {
  return { kind: 'permanent', code: 'NoCredentials', message }
}

function keyIn(text: string): Key | undefined {
  try {
    return keySchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** A JWT that asks for a token, by RFC 7523 with RS256. */
async function assertionOf(key: Key, now: Date): Promise<string> {
  const seconds = Math.floor(now.getTime() / 1000)
  const header = { alg: 'RS256', typ: 'JWT', ...(key.private_key_id === undefined ? {} : { kid: key.private_key_id }) }
  const claims = { iss: key.client_email, scope, aud: key.token_uri, iat: seconds, exp: seconds + 3600 }
  const signed = `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(claims))}`
  const der = Uint8Array.from(atob(key.private_key.replace(/-----[^-]+-----|\s/g, '')), (char) => char.charCodeAt(0))
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  const signature = await crypto.subtle.sign(algorithm.name, imported, new TextEncoder().encode(signed))
  return `${signed}.${encoded(new Uint8Array(signature))}`
}

/** Base64url, without padding. */
function encoded(value: string | Uint8Array): string {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
