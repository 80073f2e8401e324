/** What every route is given, and the pieces that routes share. */
import { OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { allow, type Env, type PeopleRole } from '../access/auth.ts'
import type { Limit } from '../access/rate-limit.ts'
import type { Tokens } from '../access/tokens.ts'
import type { AnyAdapterSchema } from '../config/service-config.ts'
import { nameSchema } from '../contract.ts'
import type { Cluster } from '../core/cluster.ts'
import type { MakeAdapters } from '../core/declarations.ts'
import type { ClusterPorts } from '../core/ports.ts'
import type { Links } from '../link/links.ts'
import { invalid, ProblemError } from '../problem.ts'
import type { Metrics } from '../seeing/metrics.ts'
import type { Store } from '../store/store.ts'
import { problemSchema } from './schemas.ts'

export type RouteInput = {
  readonly cluster: Cluster
  readonly store: Pick<Store, 'events' | 'lastEventId' | 'firstEventId' | 'operations'>
  /** Why nothing can be stored now; null when it can. Undefined where the runtime takes care of that. */
  readonly storeTrouble?: (() => Error | null) | undefined
  readonly tokens: Tokens
  readonly ownerProbe: 'token' | 'public'
  readonly rateLimit: Limit
  readonly links: Links
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'log'>
  /** What a declared service's bindings may name, and how their adapters are made. */
  readonly adapters: readonly AnyAdapterSchema[]
  readonly makeAdapters: MakeAdapters
  /** The services of the configuration file as they stand there; see `declarationsOfFile`. */
  readonly fileDeclarations: Readonly<Record<string, unknown>>
  /** Aborted when control stops: streams and long answers then end. */
  readonly ending: AbortSignal
  /** The client's network address. Left out where nobody knows. */
  readonly addressOf?: ((context: Context) => string | undefined) | undefined
  /**
   * The runtime's way to make a request the link of the node that is its identity; it goes on to the next handler when
   * no WebSocket is asked for. Undefined where there are none: nodes then post.
   */
  readonly upgrade?: MiddlewareHandler<Env> | undefined
  /** What `GET /metrics` shows. Undefined where nobody measures. */
  readonly metrics?: Metrics | undefined
  /** A copy of the whole database. Undefined where the runtime has its own way to that. */
  readonly takeBackup?: (() => Promise<Backup>) | undefined
  /** Told of each answer, for whoever keeps metrics. `route`: its pattern, such as `/v1/services/:service`. */
  readonly answered?: ((answer: Answered) => void) | undefined
}

export type Backup = { readonly bytes: number; readonly stream: ReadableStream<Uint8Array> }

export type Answered = {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly tookMs: number
}

export function createRouter(): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw new ProblemError(invalid(places[result.target] ?? result.target, result.error.issues))
    },
  })
}

const places: Readonly<Record<string, string>> = { json: 'body', param: 'path' }

/** Both sides of a role: the check, and the document. */
export function needs(role: PeopleRole) {
  return { middleware: allow(role), ...bearer(`Needs the role ${role}.`) }
}

export function bearer(description: string) {
  return { security: [{ bearer: [] as string[] }], description }
}

/** The problems that a route answers with, beside those that any may: see `addCommonProblems`. */
export function problems<const Status extends keyof typeof reasons>(...statuses: readonly Status[]) {
  const entries = statuses.map((status) => [status, { ...problemContent, description: reasons[status] }] as const)
  return Object.fromEntries(entries) as unknown as Record<Status, typeof problemContent>
}

const reasons = {
  400: 'The request does not fit; `errors` names each place',
  401: 'No token, or one that is not known, was revoked, or has expired',
  403: 'The token may not do this',
  404: 'There is no such thing',
  409: 'It cannot be done now, and nothing was changed; `code` and `detail` say why',
  412: 'It is not what `If-Match` or `If-None-Match` asked for, and nothing was changed',
  426: 'This is a WebSocket',
  503: 'It is not so now, or control cannot answer now',
} as const

export const problemContent = {
  content: { 'application/problem+json': { schema: problemSchema } },
  description: 'What is wrong',
} as const

export function jsonContent<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { content: { 'application/json': { schema } }, description }
}

export function jsonBody<Schema extends z.ZodType>(schema: Schema, required: boolean) {
  return { required, content: { 'application/json': { schema } } }
}

export const serviceParam = z.object({ service: nameSchema })
export const nodeParam = z.object({ node: nameSchema })

const reasonText = z.string().min(1).max(500)

/** Why: for the audit trail. In the body where there is one, else in the query. */
export const reasonBody = z.strictObject({ reason: reasonText.optional() })
export const reasonQuery = z.object({ reason: reasonText.optional() })

/** Turns what the core refused into a problem, and its not knowing the subject into a 404. */
export function refuseIf(answer: { readonly refusal: { code: string; detail: string } } | null): void {
  if (answer !== null) throw new ProblemError({ status: 409, ...answer.refusal })
}
