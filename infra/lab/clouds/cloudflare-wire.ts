/** How Cloudflare's API writes an answer: one envelope for all of its products, and errors by number. */
import type { Reply } from './strict-cloud.ts'

export type Refusal = { readonly kind: 'error'; readonly code: number; readonly message: string }

export const messages = {
  1000: 'Invalid API Token',
  1001: 'resource not found',
  6003: 'Invalid request headers',
  7000: 'No route for that URI',
  7003: 'Could not route to the resource, perhaps your object identifier is invalid?',
  9109: 'Unauthorized to access requested resource',
  10000: 'Authentication error',
  10013: 'An unknown error has occurred',
  10429: 'More than 1200 requests per 300 seconds reached. Please wait and consider throttling your request speed',
  81044: 'Record does not exist.',
  81053: 'An A, AAAA, or CNAME record with that host already exists.',
  81054: 'A CNAME record with that host already exists.',
  81056: 'NS records with that host already exist.',
  81057: 'The record already exists.',
  81058: 'An identical record already exists.',
} as const satisfies Readonly<Record<number, string>>

const statuses: Readonly<Record<number, number>> = {
  1000: 401,
  1001: 404,
  7000: 404,
  7003: 404,
  9109: 403,
  10000: 403,
  10013: 500,
  10429: 429,
  81044: 404,
}

/** `said`: for codes whose words depend on what was wrong. */
export function refusal(code: number, said?: string): Refusal {
  const known: Readonly<Record<number, string>> = messages
  return { kind: 'error', code, message: said ?? known[code] ?? 'unknown' }
}

export function isRefusal(value: object): value is Refusal {
  return 'kind' in value && value.kind === 'error'
}

export function errorReply({ code, message }: Refusal, headers: Reply['headers'] = {}): Reply {
  const body = { result: null, success: false, errors: [{ code, message }], messages: [] }
  return reply(statuses[code] ?? 400, body, String(code), headers)
}

export type PageInfo = {
  readonly page: number
  readonly per_page: number
  readonly count: number
  readonly total_count: number
  readonly total_pages: number
}

export function resultReply(result: unknown, info?: PageInfo): Reply {
  const body = { result, success: true, errors: [], messages: [], ...(info === undefined ? {} : { result_info: info }) }
  return reply(200, body, 'ok')
}

function reply(status: number, body: object, outcome: string, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), outcome }
}

/** Ids as Cloudflare's are: 32 hexadecimal digits, each given once. */
export function createIds(): () => string {
  let count = 0
  return () => {
    count += 1
    return count.toString(16).padStart(32, '0')
  }
}
