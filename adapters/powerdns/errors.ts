/** What an answer of the API of PowerDNS means, by its status and by whether PowerDNS wrote it. */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { failure, harmless, kindOfStatus, strangeAnswer } from '../failures.ts'
import { type Answer, jsonOf } from '../http.ts'

const errorSchema = z.object({ error: z.string() })

/** An answer that is no success. `where`: the zone, for people. `secret`: what must not be quoted. */
export function failureOf(answer: Answer, { where, secret }: { where: string; secret: string }): Failure {
  const { status, retryAfterMs } = answer
  const code = `HTTP ${status}`
  if (status === 401) return failure('permanent', code, 'PowerDNS refuses the API key: is it api-key of its settings?')
  if (status === 404) {
    const message = `PowerDNS knows no ${where}: check url, serverId and zone, and whether api=yes`
    return failure('permanent', code, message)
  }
  const said = jsonOf(answer, errorSchema, 'PowerDNS')
  if (said.kind !== 'value') return strangeAnswer('PowerDNS', status, retryAfterMs)
  return failure(kindOfStatus(status), code, harmless(said.value.error, [secret]), retryAfterMs)
}
