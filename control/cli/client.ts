/** How commands talk to control (HTTP with a token) and to the local agent (HTTP over its Unix socket). */
import type { IncomingMessage, RequestOptions } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { CommandError, RefusedError, UnreachableError, UsageError } from './failure.ts'

export type Access = { readonly url?: string; readonly token?: string }

/** How long a question may take beyond what it was asked to wait for, in milliseconds. */
const patienceMs = 10_000

type Question = {
  /** What the answer has at least: what else answers at that address is no control, and has done nothing. */
  readonly has: readonly string[]
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
export async function callControl(access: Access, method: string, path: string, question: Question): Promise<unknown> {
  return (await askControl(access, method, path, question)).body
}

/** An answer with its `ETag`, and when it was given: by control's own clock, which this machine's may be far from. */
export type Told = { readonly body: unknown; readonly etag: string | undefined; readonly atMs: number }

/** The same, with what stands around it. */
export async function askControl(
  access: Access,
  method: string,
  path: string,
  { body: asked, waitMs = 0, withinMs = patienceMs + waitMs, signal, headers: more = {}, has }: Question,
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
      throw unreachableControl(url, error, method !== 'GET' && !isUnheard(error))
    },
  )
  if (answer.status < 200 || answer.status >= 300) throw new RefusedError(problemOf(answer), answer.status)
  const { text, etag, date } = answer
  const atMs = date === undefined ? Date.now() : Date.parse(date)
  return { body: parse(text, { origin: url.origin, has }), etag, atMs }
}

export function headersFor({ token }: Access, accept: string): Record<string, string> {
  // Set and empty, as in a script whose own variable was not set, is not given.
  if (token === undefined || token === '') return { accept }
  // Such as the end of the line of the file that it was read from.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError('the token has a character that no token has: look at --token or HOLDFAST_TOKEN')
  return { accept, authorization: `Bearer ${token}` }
}

/** `maybeDone`: what was asked for may have been done all the same. */
export function unreachableControl({ origin }: URL, error: unknown, maybeDone = false): UnreachableError {
  const remedy = maybeDone
    ? 'it may have done it all the same: look before you try again'
    : 'is it running, and is --url right?'
  return new UnreachableError(`no answer from control at ${origin}: ${reasonOf(error)}; ${remedy}`)
}

/** Whether control cannot have heard the question. */
function isUnheard(error: unknown): boolean {
  const { code, errors } = error as NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EPROTO'].includes(code ?? errors?.[0]?.code ?? '')
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

/** A stream that says nothing for so long is dead, in milliseconds. */
const silenceMs = 60_000

/** One answer of control as it comes, however long it takes, of this media type. */
export function streamControl(access: Access, path: string, accept: string): Promise<IncomingMessage> {
  const url = controlUrl(access, path)
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
  const headers = headersFor(access, accept)
  return new Promise((resolve, reject) => {
    const sent = request({ ...urlToHttpOptions(url), headers, timeout: silenceMs }, (response) => {
      const { statusCode: status = 0, headers } = response
      if (status !== 200) void readRefusal(response).then(reject, reject)
      else if (headers['content-type'] !== accept) reject(noControl(url.origin))
      else return resolve(response)
      response.resume()
    })
    sent.on('timeout', () => sent.destroy(new Error(`it has said nothing for ${silenceMs / 1_000} s`)))
    sent.on('error', (error) => reject(unreachableControl(url, error)))
    sent.end()
  })
}

export async function readRefusal(response: IncomingMessage): Promise<RefusedError> {
  const { statusCode: status = 0, headers } = response
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += piece
  return new RefusedError(problemOf({ status, location: headers.location, text }), status)
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
    // Not in control's own words: somebody else answers in its place.
    const proxy = status >= 502 ? ': is there a proxy before it, and does that reach it?' : ''
    return `control answered ${status}${proxy}${remedy}`
  }
}

function parse(text: string, { origin, has }: { readonly origin: string; readonly has: readonly string[] }): unknown {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && has.every((key) => key in body)) return body
  } catch {
    // Told below.
  }
  throw noControl(origin)
}

export const noControl = (origin: string): CommandError =>
  new CommandError(`${origin} does not answer like a control; is --url right?`)

/** A name with several addresses fails with one error for each, and a message of its own that says nothing. */
function reasonOf(error: unknown): string {
  const { errors, message, code } = error as NodeJS.ErrnoException & { errors?: Error[] }
  // OpenSSL says several lines about itself.
  return code === 'EPROTO' ? 'it does not speak TLS, as https:// wants it to' : errors?.[0]?.message || message
}

type AgentQuestion = Pick<Question, 'withinMs' | 'signal'>

/** One question to the local agent. */
export async function askAgent(socketPath: string, path: string, question: AgentQuestion = {}): Promise<unknown> {
  const answer = await exchangeWithAgent({ socketPath, path }, question)
  return parseAgent(answer, socketPath, [200])
}

/** Something that the local agent is to do. What it says of it, whether it has done it or not. */
export async function postToAgent(socketPath: string, path: string, question: AgentQuestion = {}): Promise<unknown> {
  const answer = await exchangeWithAgent({ socketPath, path, method: 'POST' }, question)
  return parseAgent(answer, socketPath, [200, 422, 500])
}

function exchangeWithAgent(
  target: RequestOptions & { readonly socketPath: string },
  { withinMs = patienceMs, signal }: AgentQuestion,
): Promise<Answer> {
  return exchange(false, target, { withinMs, signal }).catch((error: NodeJS.ErrnoException) => {
    throw new UnreachableError(unreachable(target.socketPath, error))
  })
}

function parseAgent({ status, text }: Answer, socketPath: string, expected: readonly number[]): unknown {
  try {
    const body: unknown = JSON.parse(text)
    if (expected.includes(status) && typeof body === 'object' && body !== null) return body
  } catch {
    // Told below.
  }
  throw new CommandError(`${socketPath} does not answer like an agent; is --socket right?`)
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return `no agent is listening on ${socketPath}: start it, give its --socket, or name a control with --url`
  }
  if (error.code === 'EACCES') return `${socketPath}: permission denied; run as root or as a member of its group`
  return `no answer from the agent on ${socketPath}: ${error.message}; its log says what it does`
}
