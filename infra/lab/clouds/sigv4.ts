/**
 * Checks the signature of a request as AWS does (Signature Version 4): known key, right scope, recent, and computed
 * over this very request. A client that signs wrongly, or a clock that is off, is found out here and not in production.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

export type SignedRequest = {
  readonly method: string
  /** Path and query, as received. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Undefined when the signature holds, else AWS's code for why not. */
export type SignatureProblem = 'AuthFailure' | 'MissingAuthenticationToken' | 'RequestExpired' | undefined

/** How long a signed request is valid, either side of the clock, in milliseconds. */
const validityMs = 5 * 60_000

const authorizationPattern = new RegExp(
  [
    '^AWS4-HMAC-SHA256 Credential=([^/\\s]+)/(\\d{8})/([^/\\s]+)/([^/\\s]+)/aws4_request',
    'SignedHeaders=([^,\\s]+)',
    'Signature=([0-9a-f]{64})$',
  ].join(', ?'),
)

export function signatureProblem(
  request: SignedRequest,
  expected: { readonly service: string; readonly credentials: readonly Credentials[]; readonly now: Date },
): SignatureProblem {
  const authorization = headerOf(request, 'authorization')
  if (authorization === '') return 'MissingAuthenticationToken'
  const parts = authorizationPattern.exec(authorization)
  if (parts === null) return 'AuthFailure'
  const [, accessKeyId, day, region, service, signedHeaders, signature] = parts as unknown as readonly string[]
  const credentials = expected.credentials.find((known) => known.accessKeyId === accessKeyId)
  if (credentials === undefined || service !== expected.service) return 'AuthFailure'

  const stamp = headerOf(request, 'x-amz-date')
  const signedAt = instantOf(stamp)
  if (signedAt === undefined || !stamp.startsWith(day!)) return 'AuthFailure'
  const scope = `${day}/${region}/${service}/aws4_request`
  const digest = sha256(canonicalRequest(request, signedHeaders!))
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, digest].join('\n')
  const key = [day!, region!, service!, 'aws4_request'].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  )
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature!, 'hex'))) return 'AuthFailure'
  return Math.abs(expected.now.getTime() - signedAt) > validityMs ? 'RequestExpired' : undefined
}

/** The request in the one form that both sides sign. */
function canonicalRequest(request: SignedRequest, signedHeaders: string): string {
  const [path, query = ''] = request.target.split('?', 2) as [string, string?]
  const headers = signedHeaders.split(';').map((name) => `${name}:${headerOf(request, name)}\n`)
  const sortedQuery = query === '' ? '' : query.split('&').sort().join('&')
  return [request.method, path, sortedQuery, headers.join(''), signedHeaders, sha256(request.body)].join('\n')
}

function headerOf({ headers }: SignedRequest, name: string): string {
  const value = headers[name] ?? ''
  return (Array.isArray(value) ? value.join(',') : value).trim().replace(/\s+/g, ' ')
}

/** `20261122T140000Z` in milliseconds of the epoch. */
function instantOf(stamp: string): number | undefined {
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const instant = Date.parse(iso)
  return iso === stamp || Number.isNaN(instant) ? undefined : instant
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
