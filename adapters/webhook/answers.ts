/**
 * What a receiver's answers mean:
 *
 *   2xx                        done, whatever it says besides; with a page for a browser unknown: it is none of a receiver's
 *   409                        conflict; with `{"epoch": higher}` the receiver is fenced, and control must go above it
 *   429, 503 with Retry-After  throttled for so long
 *   3xx                        permanent: a signed request is not carried to where somebody else points
 *   any other                  by its status, with the receiver's words
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { clockRemark, failure, harmless, kindOfStatus } from '../failures.ts'
import type { Answer } from '../http.ts'

const epochSchema = z.int().min(0)

/** What a GET is answered with. More is not looked at. */
export const placeSchema = z.object({
  node: z.string().min(1).max(255).nullable(),
  epoch: epochSchema.nullish(),
})

const refusalSchema = z.object({ epoch: epochSchema })

/** The epoch that a 409 names. */
export function epochIn({ text }: Answer): number | undefined {
  try {
    return refusalSchema.safeParse(JSON.parse(text)).data?.epoch
  } catch {
    return undefined
  }
}

/** What an answer to a request means that is not 2xx. */
export function failureOf(answer: Answer, secret: string, now: Date): Failure {
  const { status, headers, retryAfterMs } = answer
  if (status >= 300 && status < 400) return redirected(answer, secret)
  const busy = status === 503 && retryAfterMs !== undefined
  const kind = status === 409 ? 'conflict' : busy ? 'throttled' : kindOfStatus(status)
  const clock = status === 401 || status === 403 ? clockRemark(headers.get('date'), now) : ''
  const message = `the receiver answered ${status}${wordsOf(answer, secret)}${clock}`
  return failure(kind, `HTTP ${status}`, message, retryAfterMs)
}

function redirected({ status, headers }: Answer, secret: string): Failure {
  const to = harmless(headers.get('location')?.replace(/\?.*$/, '') ?? 'nowhere', [secret])
  const message = `the receiver redirects to ${to}, and redirects are not followed: write the URL that is meant`
  return { kind: 'permanent', code: `HTTP ${status}`, message }
}

/** A proxy's or a portal's, not a receiver's. */
export function isPage({ text }: Answer): boolean {
  return /^\s*</.test(text)
}

/** What it says, unless that is a page for a browser. */
function wordsOf(answer: Answer, secret: string): string {
  const { text } = answer
  if (text.trim() === '') return ''
  return isPage(answer) ? ' with a page: is there a proxy?' : `: ${harmless(text, [secret])}`
}
