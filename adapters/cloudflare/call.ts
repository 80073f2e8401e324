/**
 * One call of Cloudflare's API through its official SDK.
 *
 *   adapter ──▶ SDK: path, query, body, types ──▶ `ask`: one request on a kept connection, 8 s, no retry ──▶ Cloudflare
 *           ◀── this file: the envelope and the result, checked ◀───────────────────────────────────────────┘
 *
 * The SDK is only given what the configuration says: left to itself it takes addresses, credentials and headers from the
 * environment, retries for minutes, and takes a proxy's page for an empty list.
 */
import type { ClientOptions } from 'cloudflare'
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { givenUp, harmless, strangeAnswer } from '../failures.ts'
import { type Answer, ask, callMs, jsonOf } from '../http.ts'
import { readSecret, type SecretPlace } from '../secret.ts'
import { failureOf } from './errors.ts'

const cloudflareApi = 'https://api.cloudflare.com/client/v4'

export type Account = {
  readonly token: SecretPlace
  readonly endpoint?: string | undefined
}

export type Called<Result> =
  | { readonly kind: 'answered'; readonly result: Result; readonly pages: number | undefined }
  | Failure

export type Request<Client, Schema extends z.ZodType> = {
  /** Makes the SDK's client with the resources that are needed. */
  readonly connect: (options: ClientOptions) => Client
  readonly send: (client: Client) => PromiseLike<unknown>
  /** What is used of the result. */
  readonly result: Schema
  readonly timeoutMs?: number
}

/** Never throws. `pages`: how many there are of a list, where Cloudflare says so, which it need not. */
export async function call<Client, Schema extends z.ZodType>(
  account: Account,
  { connect, send, result, timeoutMs = callMs }: Request<Client, Schema>,
  signal: AbortSignal,
): Promise<Called<z.output<Schema>>> {
  const secret = await readSecret(account.token)
  if (secret.kind !== 'secret') return secret
  const token = secret.value
  let got: Answer | Failure | undefined
  const client = connect({
    apiToken: token,
    apiKey: null,
    apiEmail: null,
    userServiceKey: null,
    baseURL: account.endpoint ?? cloudflareApi,
    maxRetries: 0,
    // Never the first to give up: `ask` does.
    timeout: timeoutMs + 1_000,
    logLevel: 'off',
    fetch: async (url, init) => {
      got = await ask({ ...wanted(url, init), secrets: [token], timeoutMs }, signal)
      if (got.kind !== 'answered') throw new Error(got.code)
      return responseOf(got)
    },
  })
  try {
    await send(client)
  } catch (error) {
    // What the SDK makes of an answer says less than what `ask` got. Without any, the SDK would not send it.
    if (got === undefined) return signal.aborted ? givenUp : notSent(error, token)
  }
  return resultOf(got ?? givenUp, result, [token])
}

function notSent(error: unknown, token: string): Failure {
  const message = harmless(error instanceof Error ? error.message : error, [token])
  return {
    kind: 'permanent',
    code: 'NotSent',
    message: `no request can be made of this, as with a broken token: ${message}`,
  }
}

function resultOf<Schema extends z.ZodType>(
  got: Answer | Failure,
  schema: Schema,
  secrets: readonly string[],
): Called<z.output<Schema>> {
  if (got.kind !== 'answered') return got
  if (got.status < 200 || got.status > 299) return failureOf(got, secrets)
  const parsed = jsonOf(got, envelopeSchema, 'Cloudflare')
  if (parsed.kind !== 'value') return parsed
  if (!parsed.value.success) return failureOf(got, secrets)
  const result = schema.safeParse(parsed.value.result)
  if (!result.success) return strangeAnswer('Cloudflare', got.status)
  return { kind: 'answered', result: result.data, pages: parsed.value.result_info?.total_pages }
}

const envelopeSchema = z.object({
  success: z.boolean(),
  result: z.unknown(),
  result_info: z.object({ total_pages: z.number().optional() }).nullish(),
})

type Fetch = NonNullable<ClientOptions['fetch']>

/** The headers of the SDK's that mean something: no list of this machine's properties, and no version by today's date. */
function wanted(url: Parameters<Fetch>[0], { method = 'GET', headers, body }: Parameters<Fetch>[1] = {}) {
  const given = new Headers(headers as Record<string, string>)
  const kept = ['authorization', 'content-type', 'accept'].flatMap((name) => {
    const value = given.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  return {
    method: method.toUpperCase() as 'GET' | 'POST' | 'PATCH',
    url: String(url),
    headers: Object.fromEntries(kept),
    ...(typeof body === 'string' ? { body } : {}),
  }
}

/** As the SDK takes it: read to its end already. */
function responseOf({ status, text }: Answer): Response {
  const bodiless = [204, 205, 304].includes(status)
  return new Response(bodiless ? null : text, { status, headers: { 'content-type': 'application/json' } })
}
