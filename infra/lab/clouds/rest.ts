/** What the strict clouds with a JSON API have in common: a table of routes, each with what a request must be. */
import type { z } from 'zod'
import type { Asked, Call, Performed, Protocol, Reply } from './strict-cloud.ts'

/** A request that fits its route. */
export type Routed = {
  /** What the path's named groups matched, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** As the route's `body` has parsed it. */
  readonly body: unknown
  readonly headers: Asked['headers']
  readonly now: Date
}

export type Route<State> = {
  /** What faults and the log call it: `POST assign`. */
  readonly action: string
  readonly method: string
  readonly path: RegExp
  /** Which parameters a query may have. Default: none. */
  readonly query?: readonly string[]
  /** What a body must be. Default: there is none. */
  readonly body?: z.ZodType
  /** Default: application/json. */
  readonly type?: 'application/x-www-form-urlencoded'
  perform(state: State, routed: Routed): Performed<State>
}

export type Rest<State> = {
  readonly routes: readonly Route<State>[]
  /** A refusal, where whoever asks may not. */
  authorise(asked: Asked, now: Date): Reply | undefined
  /** The codes for a path that is none, and for a request that does not fit its route. */
  readonly codes: { readonly noRoute: string; readonly invalid: string }
  refuse(code: string, message: string): Reply
}

export function restProtocol<State>(rest: Rest<State>): Protocol<State> {
  const { routes, authorise, codes, refuse } = rest
  return {
    refuse,
    read: (asked, now) => {
      const refused = authorise(asked, now)
      if (refused !== undefined) return refused
      const found = find(routes, asked)
      if (found === undefined) return refuse(codes.noRoute, `no ${asked.method} ${asked.target}`)
      const { route, params } = found
      const problem = problemOf(route, asked)
      if (problem !== undefined) return refuse(codes.invalid, problem)
      const call: Call = { action: route.action, params: { ...params, body: asked.body }, kind: kindOf(asked) }
      return call
    },
    perform: (state, _call, { asked, now }) => {
      const { route, params } = find(routes, asked)!
      const routed = { params, query: queryOf(asked), body: bodyOf(route, asked).data, headers: asked.headers, now }
      return route.perform(state, routed)
    },
  }
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const all = { 'content-type': 'application/json; charset=utf-8', ...headers }
  return { status, headers: all, body: JSON.stringify(value), outcome: 'ok' }
}

function kindOf({ method }: Asked): Call['kind'] {
  return method === 'GET' ? 'read' : 'write'
}

function queryOf({ target }: Asked): URLSearchParams {
  return new URLSearchParams(target.split('?')[1] ?? '')
}

function find<State>(routes: readonly Route<State>[], { method, target }: Asked) {
  const path = target.split('?')[0]!
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(path) : null
    if (match === null) continue
    const groups = Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)] as const)
    return { route, params: Object.fromEntries(groups) }
  }
  return undefined
}

function problemOf<State>(route: Route<State>, asked: Asked): string | undefined {
  const strange = [...queryOf(asked).keys()].find((name) => !(route.query ?? []).includes(name))
  if (strange !== undefined) return `unknown parameter ${strange}`
  if (route.body === undefined) return asked.body === '' ? undefined : 'no body is expected'
  const type = route.type ?? 'application/json'
  if (asked.headers['content-type']?.split(';')[0] !== type) return `the body must be ${type}`
  return bodyOf(route, asked).problem
}

function bodyOf<State>({ body, type }: Route<State>, asked: Asked): { data?: unknown; problem?: string } {
  if (body === undefined) return {}
  try {
    const given = type === undefined ? JSON.parse(asked.body) : Object.fromEntries(new URLSearchParams(asked.body))
    const parsed = body.safeParse(given)
    return parsed.success ? { data: parsed.data } : { problem: parsed.error.issues[0]!.message }
  } catch {
    return { problem: 'the body is no JSON' }
  }
}
