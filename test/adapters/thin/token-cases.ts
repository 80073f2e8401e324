/**
 * What every way to a token must do, against a token endpoint and a provider that are small real servers: one suite, run
 * for each of them.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Failure } from '../../../adapters/adapter.ts'
import { type Api, call, spanOf } from '../../../adapters/rest/api.ts'
import { bodyOf, closed, serve } from './servers.ts'

/** A request for a token, as it came. */
export type TokenRequest = {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The endpoint's answer. Null: there is none. */
type Says = { readonly status: number; readonly text: string; readonly headers?: Record<string, string> } | null

export type TokenSuite = {
  readonly name: string
  signAt(url: string): Api['sign']
  /** Undefined: it is a request as the endpoint documents it. */
  objection(request: TokenRequest): string | undefined
  /** What no failure may quote, besides tokens. */
  secrets(request: TokenRequest | undefined): readonly string[]
  /** What is refused, as the endpoint says it, and what it must be told as. */
  readonly refusals: readonly (readonly [status: number, error: string, kind: Failure['kind']])[]
}

const signal = new AbortController().signal

export function tokenCases(suite: TokenSuite): void {
  describe(`a token by ${suite.name}`, () => {
    test('is asked for as documented, once, and renewed once when it is refused', async () => {
      const { asked, ask, provider } = await made(suite)
      for (const _ of [1, 2, 3]) expect(await ask()).toMatchObject({ kind: 'value' })
      expect(asked.map(suite.objection)).toEqual([undefined])
      provider.revoke()
      expect(await ask()).toMatchObject({ kind: 'value' })
      expect(asked.length).toBe(2)
      expect(provider.asked.length).toBe(5)
    })

    test('that is refused although it is new is not renewed again', async () => {
      const { asked, ask, provider } = await made(suite)
      provider.refuse(401)
      const failed = await ask()
      expect(failed).toMatchObject({ kind: 'permanent', code: 'Refused' })
      expect([asked.length, provider.asked.length]).toEqual([1, 1])
      provider.accept()
      expect(await ask()).toMatchObject({ kind: 'value' })
      expect(asked.length).toBe(2)
    })

    test('that was renewed and is refused again stays refused', async () => {
      const { asked, ask, provider } = await made(suite)
      await ask()
      provider.refuse(401)
      expect(await ask()).toMatchObject({ kind: 'permanent', code: 'Refused' })
      expect([asked.length, provider.asked.length]).toEqual([2, 3])
    })

    test('is not renewed for another refusal', async () => {
      const { asked, ask, provider } = await made(suite)
      await ask()
      provider.refuse(403)
      expect(await ask()).toMatchObject({ kind: 'permanent', code: 'Refused' })
      expect(asked.length).toBe(1)
    })

    test('that is about to expire is not used again', async () => {
      const { asked, ask, says } = await made(suite)
      says.next = () => granted('short', '59')
      for (const _ of [1, 2]) expect(await ask()).toMatchObject({ kind: 'permanent', code: 'Refused' })
      expect(asked.length).toBe(2)
    })

    test.each([
      ['a page', { status: 200, text: '<html>sign in</html>' }, 'retry'],
      ['half an answer', { status: 200, text: '{"access_token": "abc' }, 'retry'],
      ['a token that does not say for how long', { status: 200, text: '{"access_token": "abc"}' }, 'retry'],
      ['an empty token', granted('', 3599), 'retry'],
      ['a redirect', { status: 302, text: '', headers: { location: 'https://example.com/' } }, 'retry'],
      ['a gateway that gives up', { status: 504, text: 'gateway time-out' }, 'retry'],
      ['trouble of its own', { status: 500, text: '{"error": "server_error"}' }, 'retry'],
    ] as const)(
      'that does not come, but %s, is worth a retry: nothing was asked of the provider',
      async (_, answer, kind) => {
        const { ask, provider, says } = await made(suite)
        says.next = () => answer as Says
        expect(await ask()).toMatchObject({ kind })
        expect(provider.asked).toEqual([])
      },
    )

    test('too soon is waited for as long as the endpoint says', async () => {
      const { ask, says } = await made(suite)
      says.next = () => ({ status: 429, text: '{"error": "too_many_requests"}', headers: { 'retry-after': '9' } })
      expect(await ask()).toMatchObject({ kind: 'throttled', afterMs: 9_000 })
    })

    test.each(suite.refusals)('that is refused with %i %s is told as %s', async (status, error, kind) => {
      const { ask, says, provider } = await made(suite)
      says.next = () => ({ status, text: JSON.stringify({ error, error_description: 'it may not' }) })
      expect(await ask()).toMatchObject({ kind, code: error, message: expect.stringContaining('it may not') })
      expect(provider.asked).toEqual([])
    })

    test('that does not come in time, or at all, is worth a retry, and given up at once by who does not want it', async () => {
      const { ask, says, url } = await made(suite)
      says.next = () => null
      expect(await ask(spanOf(signal, 80))).toMatchObject({ kind: 'retry', code: 'TimedOut' })
      const controller = new AbortController()
      const asking = ask(spanOf(controller.signal))
      controller.abort()
      expect(await asking).toMatchObject({ kind: 'unknown', code: 'Aborted' })
      const nobody = apiAt(suite.signAt(await closed()), url)
      expect(await call(nobody, get, okSchema, spanOf(signal))).toMatchObject({ kind: 'retry', code: 'ECONNREFUSED' })
    })

    test('and what it is asked for with are in no failure, whoever quotes them', async () => {
      const { asked, ask, provider, says, tokens } = await made(suite)
      const failures: unknown[] = []
      const quoted = ({ headers, target, body }: TokenRequest) => {
        return `${target} ${JSON.stringify(headers)} ${body} ${decodeURIComponent(body)}`
      }
      const fail = async () => {
        const failed = await ask()
        expect(failed.kind).not.toBe('value')
        failures.push(failed)
      }
      says.next = (request) => {
        const error_description = quoted(request)
        return { status: 400, text: JSON.stringify({ error: request.body || 'invalid', error_description }) }
      }
      await fail()
      says.next = (request) => ({ status: 400, text: quoted(request) })
      await fail()
      says.next = undefined
      provider.refuse(403)
      await fail()
      provider.refuse(401)
      await fail()
      const text = JSON.stringify(failures)
      expect(text).toContain('withheld')
      const secrets = [...suite.secrets(asked[0]), ...tokens]
      expect(tokens.length).toBeGreaterThan(1)
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
    })
  })
}

const get = { method: 'GET', path: '/thing' } as const
const okSchema = z.object({ ok: z.literal(true) })

function granted(access_token: string, expires_in: number | string) {
  return { status: 200, text: JSON.stringify({ token_type: 'Bearer', access_token, expires_in }) }
}

function apiAt(sign: Api['sign'], endpoint: string): Api {
  // As a provider that is careless with what it was sent.
  const refusal: Api['refusal'] = ({ text }) => ({ kind: 'permanent', code: 'Refused', message: text })
  return { provider: 'the provider', endpoint, sign, refusal }
}

async function made(suite: TokenSuite) {
  const asked: TokenRequest[] = []
  const tokens: string[] = []
  const says: { next: ((request: TokenRequest) => Says) | undefined } = { next: undefined }
  const url = await serve(async (incoming, response) => {
    const { method = '', url: target = '', headers } = incoming
    const request = { method, target, headers, body: await bodyOf(incoming) }
    asked.push(request)
    const token = `token-${tokens.length + 1}-under-test`
    if (says.next === undefined) tokens.push(token)
    const answer: Says = says.next === undefined ? granted(token, 3599) : says.next(request)
    if (answer !== null) response.writeHead(answer.status, answer.headers).end(answer.text)
  })
  const provider = await createProvider(tokens)
  const api = apiAt(suite.signAt(url), provider.url)
  const ask = (span = spanOf(signal)) => call(api, get, okSchema, span)
  return { asked, tokens, says, url, provider, ask }
}

/** Lets in who has the newest token, unless it was revoked, or nobody is let in. */
async function createProvider(tokens: readonly string[]) {
  const asked: string[] = []
  const revoked = new Set<string>()
  let refusal: number | undefined
  const url = await serve((request, response) => {
    const { authorization = '' } = request.headers
    asked.push(authorization)
    const isIn = tokens.some((token) => authorization === `Bearer ${token}` && !revoked.has(token))
    const status = refusal ?? (isIn ? 200 : 401)
    response.writeHead(status).end(status === 200 ? '{"ok": true}' : `you sent ${authorization}`)
  })
  return {
    url,
    asked,
    revoke: () => {
      for (const token of tokens) revoked.add(token)
    },
    refuse: (status: number) => {
      refusal = status
    },
    accept: () => {
      refusal = undefined
    },
  }
}
