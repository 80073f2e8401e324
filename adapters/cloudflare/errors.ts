/**
 * What a refusal of Cloudflare's API means to control. All of its products answer in one envelope:
 *
 *   {"success": false, "errors": [{"code": 81044, "message": "Record does not exist."}], "messages": [], "result": null}
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { type FailureKind, failure, harmless, kindOfStatus, strangeAnswer } from '../failures.ts'
import type { Answer } from '../http.ts'

/** Until 2024 the cause of a DNS error was inside another one. */
const errorSchema = z.object({
  code: z.number(),
  message: z.string(),
  error_chain: z.array(z.object({ code: z.number(), message: z.string() })).optional(),
})
const refusalSchema = z.object({ success: z.literal(false), errors: z.array(errorSchema).min(1) })

/** Codes that say more than the status that they come with. */
const kinds: Readonly<Record<number, FailureKind>> = {
  // A record is not as it was observed: it has gone, or another one has come.
  81044: 'conflict',
  81053: 'conflict',
  81054: 'conflict',
  81057: 'conflict',
  // An identical record: that move, or the first of all, has been made already.
  81058: 'conflict',
  // More than 1200 calls in five minutes.
  971: 'throttled',
  10429: 'throttled',
}

/** The token is none, is malformed, has expired, or does not reach as far as this. */
const tokenCodes: ReadonlySet<number> = new Set([1000, 6003, 6111, 9103, 9106, 9107, 9109, 10000, 10001])

/** How long to wait when nothing is said: whoever is shut out is so for up to five minutes, in milliseconds. */
const shutOutMs = 60_000

/** The failure that an answer is which was no success. */
export function failureOf(answer: Answer, secrets: readonly string[]): Failure {
  const { status, retryAfterMs = shutOutMs } = answer
  const errors = errorsOf(answer.text)
  if (errors === undefined) return strangeAnswer('Cloudflare', status, retryAfterMs)
  const known = errors.find(({ code }) => kinds[code] !== undefined)
  const { code } = known ?? errors[0]!
  const refused = errors.some((each) => tokenCodes.has(each.code))
  const said = errors.map(({ code, message }) => `${message} (${code})`).join('; ')
  const message = harmless(
    refused ? `Cloudflare refuses the token, or this is beyond its permissions: ${said}` : said,
    secrets,
  )
  const kind = kinds[code] ?? (refused && status < 429 ? 'permanent' : kindOfStatus(status))
  return failure(kind, String(code), message, retryAfterMs)
}

function errorsOf(text: string): { readonly code: number; readonly message: string }[] | undefined {
  try {
    const { data } = refusalSchema.safeParse(JSON.parse(text))
    return data?.errors.flatMap(({ error_chain = [], ...error }) => [...error_chain, error])
  } catch {
    return undefined
  }
}
