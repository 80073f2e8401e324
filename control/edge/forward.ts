/**
 * One request on its way to an origin: to the owner's site, and when that cannot be connected to, to the next healthy
 * one, if the request may be sent twice. Whatever an origin answers is the answer; only silence is tried elsewhere.
 */
import type { EdgeRoute, EdgeSite } from './contract.ts'
import { isWebSocket, requestHeaders, responseHeaders } from './headers.ts'
import { problem } from './problem.ts'
import { isUnreachable, mayRepeat, sitesToTry } from './route.ts'

export type ForwardOptions = {
  /** How long an origin may take until its answer begins, in milliseconds. */
  readonly timeoutMs: number
  failed(what: string, error: unknown): void
}

/** A body up to this size is kept, so that it can be sent twice. */
const keptBytes = 64 * 1024

type Outcome =
  | { readonly kind: 'answered'; readonly response: Response }
  /** `response`: what somebody on the way answered for it. */
  | { readonly kind: 'unreachable'; readonly why: string; readonly response: Response | null }
  | { readonly kind: 'timeout'; readonly why: string; readonly response: null }

export async function forward(request: Request, route: EdgeRoute, options: ForwardOptions): Promise<Response> {
  const { body, replayable } = await bodyOf(request)
  const repeatable = mayRepeat({ method: request.method, replayable })
  const sites = sitesToTry(route, repeatable)
  const tried: { site: string; why: string }[] = []
  let last: Outcome | undefined
  for (const site of sites) {
    last = await attempt(request, { site, body, ...options })
    if (last.kind === 'answered') return answer(last.response, site.site, route)
    tried.push({ site: site.site, why: last.why })
  }
  // Sent once and not sent again: whoever answered in the origin's place knows best what became of it.
  if (!repeatable && last?.response != null) return answer(last.response, sites[0]!.site, route)
  return refuse(route, tried, last)
}

function refuse({ service }: EdgeRoute, tried: readonly { site: string; why: string }[], last?: Outcome): Response {
  if (last === undefined) {
    const detail = `${service} has no site with a url that could be asked`
    return problem({ status: 503, code: 'no-site', title: 'Service Unavailable', detail }, { 'retry-after': '1' })
  }
  const names = tried.map(({ site, why }) => `${site} ${why}`).join(', ')
  const [status, title] = last.kind === 'timeout' ? [504, 'Gateway Timeout'] : [502, 'Bad Gateway']
  return problem({
    status,
    code: 'no-origin',
    title,
    detail: `no site of ${service} could be reached: ${names}`,
    tried,
  })
}

type Body = ArrayBuffer | ReadableStream | null

/** A small body of known size is kept where that helps; any other one passes through, and passes once. */
async function bodyOf(request: Request): Promise<{ body: Body; replayable: boolean }> {
  if (request.body === null || request.method === 'GET' || request.method === 'HEAD')
    return { body: null, replayable: true }
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  const small = length <= keptBytes && mayRepeat({ method: request.method, replayable: true })
  return small ? { body: await request.arrayBuffer(), replayable: true } : { body: request.body, replayable: false }
}

type Attempt = ForwardOptions & { readonly site: EdgeSite; readonly body: Body }

async function attempt(request: Request, { site, body, timeoutMs, failed }: Attempt): Promise<Outcome> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), timeoutMs)
  try {
    const response = await fetch(targetOf(request.url, site.url), {
      method: request.method,
      headers: requestHeaders(request),
      body,
      redirect: 'manual',
      signal: abort.signal,
    })
    if (!isUnreachable(response.status)) return { kind: 'answered', response }
    return { kind: 'unreachable', why: `could not be connected to (${response.status})`, response }
  } catch (error) {
    if (abort.signal.aborted) return { kind: 'timeout', why: `did not answer within ${timeoutMs} ms`, response: null }
    failed(`the origin of ${site.site}`, error)
    return { kind: 'unreachable', why: 'could not be connected to', response: null }
  } finally {
    // An answer that has begun may take as long as it takes.
    clearTimeout(timer)
  }
}

/** The request's own path and query at the origin. */
function targetOf(requested: string, origin: string): string {
  const { pathname, search } = new URL(requested)
  const base = new URL(origin)
  return `${base.origin}${base.pathname.replace(/\/$/, '')}${pathname}${search}`
}

function answer(response: Response, site: string, route: EdgeRoute): Response {
  const headers = responseHeaders(response, site, route)
  const { status, statusText, webSocket } = response
  if (webSocket !== null && isWebSocket(response.headers)) headers.set('upgrade', 'websocket')
  if (webSocket !== null) return new Response(null, { status, headers, webSocket })
  // What an origin has compressed stays as it is.
  const encodeBody = response.headers.has('content-encoding') ? 'manual' : 'automatic'
  return new Response(response.body, { status, statusText, headers, encodeBody })
}
