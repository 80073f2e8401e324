/** What every route is given, and the pieces of OpenAPI that they share. */
import { OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import type { Authenticate, Env } from '../auth.ts'
import type { Cluster } from '../cluster.ts'
import { nameSchema } from '../contract.ts'
import type { Operation } from '../decision.ts'
import type { Links, Socket } from '../links.ts'
import type { Metrics } from '../metrics.ts'
import type { ClusterPorts } from '../ports.ts'
import { invalid, ProblemError } from '../problem.ts'
import type { StorageError, Store } from '../store/store.ts'
import { traceparentOf } from '../trace.ts'

export type RouteInput = {
  readonly cluster: Cluster
  readonly store: Pick<Store, 'events' | 'lastEventId'>
  readonly authenticate: Authenticate
  readonly ownerProbe: 'token' | 'public'
  readonly links: Links
  readonly ports: Pick<ClusterPorts, 'clock' | 'timer' | 'log'>
  /** Undefined where nobody measures. */
  readonly metrics?: Metrics | undefined
  /** Why nothing can be stored now. Undefined where the runtime takes care of that. */
  readonly storeTrouble?: (() => StorageError | null) | undefined
  /** A copy of the whole database. Undefined where the runtime has its own way to that. */
  readonly takeBackup?: (() => Promise<Backup>) | undefined
  /** Undefined where there are no WebSockets: nodes then post. */
  readonly upgrade?: ((events: (context: Context) => LinkEvents) => MiddlewareHandler) | undefined
}

export type Backup = { readonly bytes: number; readonly stream: ReadableStream<Uint8Array> }

/** What a runtime tells of one WebSocket. */
export type LinkEvents = {
  onOpen(event: unknown, socket: Socket): void
  onMessage(event: { readonly data: unknown }): void
  onClose(): void
  onError(): void
}

export function createRouter(): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw new ProblemError(invalid(places[result.target] ?? result.target, result.error.issues))
    },
  })
}

const places: Readonly<Record<string, string>> = { json: 'body', param: 'path' }

export const problemContent = {
  content: {
    'application/problem+json': {
      schema: z.object({
        type: z.string(),
        title: z.string(),
        status: z.int(),
        code: z.string(),
        detail: z.string(),
        errors: z.array(z.object({ place: z.string(), message: z.string() })).optional(),
        instance: z.string(),
        requestId: z.string(),
      }),
    },
  },
  description: 'What is wrong',
} as const

export function jsonContent<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { content: { 'application/json': { schema } }, description }
}

export const serviceParam = z.object({ service: nameSchema })
export const nodeParam = z.object({ node: nameSchema })

/** Dates, names and JSON go out as they are; their schemas only describe them. */
export const eventSchema = z.object({
  id: z.int(),
  at: z.string(),
  kind: z.string(),
  service: z.string().nullable(),
  node: z.string().nullable(),
  epoch: z.int().nullable(),
  text: z.string(),
  detail: z.record(z.string(), z.any()),
})

export const operationSchema = z.object({
  id: z.string(),
  kind: z.enum(['switchover', 'drain', 'failover']),
  service: z.string(),
  from: z.string().nullable(),
  to: z.string(),
  epoch: z.int().nullable(),
  priority: z.int().nullable(),
  reason: z.string().nullable(),
  by: z.string().nullable(),
  status: z.enum(['running', 'done', 'failed']),
  steps: z.array(z.object({ name: z.string(), at: z.string(), afterMs: z.number() })),
  failure: z.string().nullable(),
  /** W3C Trace Context: for whoever adds a span of its own to the trace of this move, such as a client's probe. */
  traceparent: z.string(),
  report: z
    .object({
      detectMs: z.number().nullable(),
      decideMs: z.number().nullable(),
      acceptedMs: z.number().nullable(),
      visibleMs: z.number().nullable(),
      seenMs: z.number().nullable(),
      bindings: z.array(
        z.object({ name: z.string(), acceptedMs: z.number().nullable(), visibleMs: z.number().nullable() }),
      ),
    })
    .nullable(),
})

/** An operation as it goes out: the schema's arrays are not readonly, and nobody changes them. */
export function operationBody(operation: Operation): z.infer<typeof operationSchema> {
  return { ...operation, traceparent: traceparentOf(operation) } as z.infer<typeof operationSchema>
}
