/** How commands talk to control (HTTP with a token) and to the local agent (HTTP over its Unix socket). */
import type { RequestOptions } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { CommandError, UsageError } from './failure.ts'

export type Access = { readonly url?: string; readonly token?: string }

/** How long a question may take beyond what it was asked to wait for, in milliseconds. */
const patienceMs = 10_000

/** One call to control; its JSON. A refusal is an error in the words of control's problem document (RFC 9457). */
export async function callControl(
  access: Access,
  method: string,
  path: string,
  options: { body?: unknown; waitMs?: number } = {},
): Promise<unknown> {
  const url = controlUrl(access, path)
  const headers = {
    accept: 'application/json',
    ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
    ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const body = options.body === undefined ? undefined : JSON.stringify(options.body)
  const timeoutMs = patienceMs + (options.waitMs ?? 0)
  const target = { ...urlToHttpOptions(url), method, headers }
  const answer = await exchange(url.protocol === 'https:', target, timeoutMs, body).catch((error: unknown) => {
    throw new CommandError(
      `no answer from control at ${url.origin}: ${reasonOf(error)}; is it running, and is --url right?`,
    )
  })
  if (answer.status >= 200 && answer.status < 300) return parse(answer.text, url.origin)
  throw new CommandError(problemOf(answer))
}

type Answer = { readonly status: number; readonly location: string | undefined; readonly text: string }

/**
 * One request and its whole answer. `fetch` is not used, and `node:http` is not imported but asked for: either loads
 * all of Node's web client, which takes longer than everything else that a short command does. Redirects are not
 * followed, since a token is for the control that was named and for no other.
 */
function exchange(secure: boolean, target: RequestOptions, timeoutMs: number, body?: string): Promise<Answer> {
  const { request } = process.getBuiltinModule(secure ? 'node:https' : 'node:http')
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const fail = (error: Error): void => reject(signal.aborted ? new Error('timed out') : error)
    const sent = request({ ...target, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', fail)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location, text }))
    })
    sent.on('error', fail)
    sent.end(body)
  })
}

function controlUrl({ url }: Access, path: string): URL {
  if (url === undefined) throw new UsageError('which control? Give --url, or set HOLDFAST_URL')
  const full = URL.parse(path.slice(1), url.endsWith('/') ? url : `${url}/`)
  if (full !== null && /^https?:$/.test(full.protocol)) return full
  throw new UsageError(`--url ${url} is not a URL; write http://10.0.0.9:8080`)
}

function problemOf({ status, location, text }: Answer): string {
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
export async function askAgent(socketPath: string, path: string): Promise<unknown> {
  const { text } = await exchange(false, { socketPath, path }, patienceMs).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(unreachable(socketPath, error))
  })
  return JSON.parse(text)
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return `no agent is listening on ${socketPath}: start it, or give --socket`
  }
  if (error.code === 'EACCES') return `${socketPath}: permission denied; run as root or as a member of its group`
  return `${socketPath}: ${error.message}`
}
