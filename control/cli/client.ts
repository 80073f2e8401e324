/** How commands talk to control (HTTP with a token) and to the local agent (HTTP over its Unix socket). */
import type { RequestOptions } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { CommandError, RefusedError, UnreachableError, UsageError } from './failure.ts'

export type Access = { readonly url?: string; readonly token?: string }

/** How long a question may take beyond what it was asked to wait for, in milliseconds. */
const patienceMs = 10_000

type Question = {
  readonly body?: unknown
  /** How long control was asked to wait before it answers. */
  readonly waitMs?: number
  /** How long it may take in all, where that is less than a command has patience for. */
  readonly withinMs?: number
  /** Gives the question up. */
  readonly signal?: AbortSignal | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** One call to control; its JSON. A refusal is an error in the words of control's problem document (RFC 9457). */
export async function callControl(access: Access, method: string, path: string, question?: Question): Promise<unknown> {
  return (await askControl(access, method, path, question)).body
}

/** An answer with its `ETag`, and when it was given: by control's own clock, which this machine's may be far from. */
export type Told = { readonly body: unknown; readonly etag: string | undefined; readonly atMs: number }

/** The same, with what stands around it. */
export async function askControl(
  access: Access,
  method: string,
  path: string,
  { body: asked, waitMs = 0, withinMs = patienceMs + waitMs, signal, headers: more = {} }: Question = {},
): Promise<Told> {
  const url = controlUrl(access, path)
  const headers = {
    ...headersFor(access, 'application/json'),
    ...(asked === undefined ? {} : { 'content-type': 'application/json' }),
    ...more,
  }
  const body = asked === undefined ? undefined : JSON.stringify(asked)
  const target = { ...urlToHttpOptions(url), method, headers }
  const answer = await exchange(url.protocol === 'https:', target, { withinMs, signal, body }).catch(
    (error: unknown) => {
      throw unreachableControl(url, error)
    },
  )
  if (answer.status < 200 || answer.status >= 300) throw new RefusedError(problemOf(answer), answer.status)
  const { text, etag, date } = answer
  const atMs = date === undefined ? Date.now() : Date.parse(date)
  return { body: text === '' ? null : parse(text, url.origin), etag, atMs }
}

export function headersFor({ token }: Access, accept: string): Record<string, string> {
  // Set and empty, as in a script whose own variable was not set, is not given.
  if (token === undefined || token === '') return { accept }
  // Such as the end of the line of the file that it was read from.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError('the token has a character that no token has: look at --token or HOLDFAST_TOKEN')
  return { accept, authorization: `Bearer ${token}` }
}

export function unreachableControl({ origin }: URL, error: unknown): UnreachableError {
  const why = reasonOf(error)
  return new UnreachableError(`no answer from control at ${origin}: ${why}; is it running, and is --url right?`)
}

export type Answer = {
  readonly status: number
  readonly location?: string | undefined
  readonly etag?: string | undefined
  readonly date?: string | undefined
  readonly text: string
}

type Limits = {
  readonly withinMs: number
  readonly signal: AbortSignal | undefined
  readonly body?: string | undefined
}

/**
 * One request and its whole answer. `fetch` is not used, and `node:http` is not imported but asked for: either loads
 * all of Node's web client, which takes longer than everything else that a short command does. Redirects are not
 * followed, since a token is for the control that was named and for no other.
 */
function exchange(secure: boolean, target: RequestOptions, limits: Limits): Promise<Answer> {
  const { withinMs, signal: given, body } = limits
  const { request } = process.getBuiltinModule(secure ? 'node:https' : 'node:http')
  return new Promise((resolve, reject) => {
    const tooLate = AbortSignal.timeout(withinMs)
    const signal = given === undefined ? tooLate : AbortSignal.any([tooLate, given])
    const fail = (error: Error): void =>
      reject(tooLate.aborted ? new Error(`timed out after ${withinMs / 1_000} s`) : error)
    const sent = request({ ...target, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', fail)
      response.on('end', () => {
        const { location, etag, date } = response.headers
        resolve({ status: response.statusCode ?? 0, location, etag, date, text })
      })
    })
    sent.on('error', fail)
    sent.end(body)
  })
}

/** One answer of control as it comes, however long it takes. */
export async function streamControl(access: Access, path: string): Promise<ReadableStream<Uint8Array>> {
  const url = controlUrl(access, path)
  const headers = new Headers(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` })
  const response = await fetch(url, { headers, redirect: 'manual' }).catch((error: unknown) => {
    throw new CommandError(
      `no answer from control at ${url.origin}: ${reasonOf(error)}; is it running, and is --url right?`,
    )
  })
  if (!response.ok) {
    const location = response.headers.get('location') ?? undefined
    throw new CommandError(problemOf({ status: response.status, location, text: await response.text() }))
  }
  if (response.body === null) throw new CommandError(`${url.origin} does not answer like a control; is --url right?`)
  return response.body
}

export function controlUrl({ url }: Access, path: string): URL {
  if (url === undefined || url === '') throw new UsageError('which control? Give --url, or set HOLDFAST_URL')
  const full = URL.parse(path.slice(1), url.endsWith('/') ? url : `${url}/`)
  if (full !== null && /^https?:$/.test(full.protocol)) return full
  throw new UsageError(`--url ${url} is not a URL; write http://10.0.0.9:8080`)
}

export function problemOf({ status, location, text }: Answer): string {
  if (location !== undefined) return `control answered ${status} and points to ${location}; give that one’s --url`
  const remedy = status === 401 ? ' (give --token, or set HOLDFAST_TOKEN)' : ''
  try {
    const { title, detail } = JSON.parse(text) as { title?: string; detail?: string }
    return `control says: ${detail ?? title ?? text}${remedy}`
  } catch {
    return `control answered ${status}${remedy}`
  }
}

function parse(text: string, origin: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandError(`${origin} does not answer like a control; is --url right?`)
  }
}

/** A name with several addresses fails with one error for each, and a message of its own that says nothing. */
function reasonOf(error: unknown): string {
  const { errors, message } = error as Error & { errors?: Error[] }
  return errors?.[0]?.message || message
}

/** One question to the local agent. */
export async function askAgent(
  socketPath: string,
  path: string,
  { withinMs = patienceMs, signal }: Pick<Question, 'withinMs' | 'signal'> = {},
): Promise<unknown> {
  const answer = await exchange(false, { socketPath, path }, { withinMs, signal }).catch(
    (error: NodeJS.ErrnoException) => {
      throw new UnreachableError(unreachable(socketPath, error))
    },
  )
  try {
    if (answer.status === 200) return JSON.parse(answer.text)
  } catch {
    // Told below.
  }
  throw new CommandError(`${socketPath} does not answer like an agent; is --socket right?`)
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return `no agent is listening on ${socketPath}: start it, or give --socket`
  }
  if (error.code === 'EACCES') return `${socketPath}: permission denied; run as root or as a member of its group`
  return `no answer from the agent on ${socketPath}: ${error.message}; its log says what it does`
}
