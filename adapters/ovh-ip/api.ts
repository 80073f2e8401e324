/**
 * What of OVHcloud's API is used, how a request is signed, and what refusals mean.
 *
 *   X-Ovh-Signature: $1$ and SHA-1 of secret+consumer key+method+url+body+time, in hexadecimal
 *
 * The time is OVHcloud's own: it is asked once (`GET /auth/time`), and again after a request that came too late by it.
 */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { strangeAnswer } from '../failures.ts'
import { ask } from '../http.ts'
import { type Api, type Kinds, leftOf, type Request, refusalBy, type Span, saidIn } from '../rest/api.ts'
import { readSecret } from '../secret.ts'
import type { OvhIpConfig } from './schema.ts'

export const ipSchema = z.object({
  ip: z.string(),
  type: z.string().optional(),
  routedTo: z.object({ serviceName: z.string().nullish() }).nullish(),
})

export type Ip = z.output<typeof ipSchema>

export const taskSchema = z.object({
  taskId: z.int(),
  status: z.enum(['init', 'todo', 'doing', 'done', 'cancelled', 'customerError', 'ovhError']),
  comment: z.string().nullish(),
})

export type Task = z.output<typeof taskSchema>

/** Where an IP may be moved to, by kinds of service. */
export const destinationsSchema = z.record(z.string(), z.array(z.object({ service: z.string() })).nullish())

const errorSchema = z.object({ message: z.string(), errorCode: z.string().optional(), class: z.string().optional() })

/** Whatever is not here goes by its status. */
const kinds: Kinds = {
  QUERY_TIME_OUT: 'retry',
  // A task of the same IP is under way.
  'Client::Conflict': 'retry',
}

const timeSchema = z.int().positive()

/** `now`: this machine's wall clock. */
export function apiOf(config: OvhIpConfig, now: () => Date = () => new Date()): Api {
  const { endpoint, applicationKey } = config
  /** How far their clock is ahead of ours, in seconds. */
  let delta: number | undefined
  return {
    provider: 'OVHcloud',
    endpoint,
    sign: async (request, span) => {
      const secret = await readSecret(config.applicationSecret)
      if (secret.kind !== 'secret') return secret
      const consumerKey = await readSecret(config.consumerKey)
      if (consumerKey.kind !== 'secret') return consumerKey
      if (delta === undefined) {
        const theirs = await theirTime(endpoint, span)
        if (typeof theirs !== 'number') return theirs
        delta = theirs - seconds(now())
      }
      const time = seconds(now()) + delta
      const signature = await signatureOf(endpoint, request, { secret: secret.value, key: consumerKey.value, time })
      const headers = {
        'x-ovh-application': applicationKey,
        'x-ovh-consumer': consumerKey.value,
        'x-ovh-timestamp': String(time),
        'x-ovh-signature': signature,
      }
      return { kind: 'signed', headers, secrets: [secret.value, consumerKey.value, signature] }
    },
    refusal: (answer) => {
      const said = saidIn(answer, errorSchema)
      if (said === undefined) return undefined
      const code = said.errorCode ?? said.class ?? `HTTP ${answer.status}`
      if (code === 'QUERY_TIME_OUT') delta = undefined
      return refusalBy(kinds, answer, { code, message: said.message })
    },
  }
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

/** Seconds since 1970. */
async function theirTime(endpoint: string, span: Span): Promise<number | Failure> {
  const request = { method: 'GET' as const, url: `${endpoint}/auth/time`, timeoutMs: leftOf(span) }
  const answer = await ask(request, span.signal)
  if (answer.kind !== 'answered') return answer
  const time = answer.status === 200 ? saidIn(answer, timeSchema) : undefined
  return time ?? strangeAnswer('OVHcloud', answer.status, answer.retryAfterMs)
}

type Keys = { readonly secret: string; readonly key: string; readonly time: number }

export async function signatureOf(endpoint: string, request: Request, { secret, key, time }: Keys): Promise<string> {
  const { method, path, body } = request
  const text = [secret, key, method, `${endpoint}${path}`, body?.text ?? '', time].join('+')
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return `$1$${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
