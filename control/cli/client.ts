/** How commands talk to control (HTTP with a token) and to the local agent (HTTP over its Unix socket). */
import { request as httpRequest } from 'node:http'
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
  const response = await fetch(url, {
    method,
    headers: {
      accept: 'application/json',
      ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    signal: AbortSignal.timeout(patienceMs + (options.waitMs ?? 0)),
  }).catch((error: unknown) => {
    throw new CommandError(
      `no answer from control at ${url.origin}: ${reasonOf(error)}; is it running, and is --url right?`,
    )
  })
  const text = await response.text()
  if (response.ok) return parse(text, url.origin)
  throw new CommandError(problemOf(response.status, text))
}

/** One answer of control as it comes, however long it takes. */
export async function streamControl(access: Access, path: string): Promise<ReadableStream<Uint8Array>> {
  const url = controlUrl(access, path)
  const headers = new Headers(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` })
  const response = await fetch(url, { headers }).catch((error: unknown) => {
    throw new CommandError(
      `no answer from control at ${url.origin}: ${reasonOf(error)}; is it running, and is --url right?`,
    )
  })
  if (!response.ok) throw new CommandError(problemOf(response.status, await response.text()))
  if (response.body === null) throw new CommandError(`${url.origin} does not answer like a control; is --url right?`)
  return response.body
}

function controlUrl({ url }: Access, path: string): URL {
  if (url === undefined) throw new UsageError('which control? Give --url, or set HOLDFAST_URL')
  try {
    return new URL(path.slice(1), url.endsWith('/') ? url : `${url}/`)
  } catch {
    throw new UsageError(`--url ${url} is not a URL; write http://10.0.0.9:8080`)
  }
}

function problemOf(status: number, text: string): string {
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

/** `fetch` hides the reason in a cause, or in several when it tried several addresses. */
function reasonOf(error: unknown): string {
  const { cause, message, name } = error as Error & { cause?: Error & { errors?: Error[] } }
  if (name === 'TimeoutError') return 'timed out'
  return cause?.errors?.[0]?.message || cause?.message || message
}

/** One question to the local agent. */
export function askAgent(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path, timeout: patienceMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(JSON.parse(text)))
    })
    request.on('timeout', () => request.destroy(new Error('timed out')))
    request.on('error', (error: NodeJS.ErrnoException) => reject(new CommandError(unreachable(socketPath, error))))
    request.end()
  })
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return `no agent is listening on ${socketPath}: start it, or give --socket`
  }
  if (error.code === 'EACCES') return `${socketPath}: permission denied; run as root or as a member of its group`
  return `${socketPath}: ${error.message}`
}
