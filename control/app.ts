/**
 * The control API as a value: a Hono application over a cluster and its store, the same on every runtime.
 *
 * Everything that goes wrong leaves as an RFC 9457 problem, from here.
 */
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import type { Env } from './auth.ts'
import { ProblemError, respond } from './problem.ts'
import { agentRoutes } from './routes/agent.ts'
import { createRouter, type RouteInput } from './routes/context.ts'
import { edgeRoutes } from './routes/edge.ts'
import { eventRoutes } from './routes/events.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { operationRoutes } from './routes/operations.ts'
import { serviceRoutes } from './routes/services.ts'

export type AppInput = RouteInput

const maxBodyBytes = 256 * 1024

export function createApp(input: AppInput): OpenAPIHono<Env> {
  const app = createRouter()
  app.use(async (context, next) => {
    const given = context.req.header('x-request-id')
    const id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : crypto.randomUUID()
    context.set('requestId', id)
    await next()
    // The headers of a WebSocket's handshake belong to the runtime.
    if (context.req.path !== '/v1/agent') context.header('x-request-id', id)
  })
  app.use(checkBody)
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge }))

  app.get('/healthz', (context) => context.json({ status: 'ok' }))
  app.get('/readyz', (context) => {
    // Reads the store, so that a database that has gone away is found out.
    input.store.lastEventId()
    return context.json({ status: 'ready' })
  })
  for (const router of [serviceRoutes, operationRoutes, nodeRoutes, eventRoutes, edgeRoutes, agentRoutes])
    app.route('/', router(input))
  app.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'Holdfast control', version: '0.1.0' } })

  const methods = methodsByPath(app)
  app.notFound((context) => nothingHere(context, methods))
  app.onError((error, context) => answerError(input, error, context))
  return app
}

/** A body must say that it is JSON; zod-openapi would pass over any other as if there were none. */
async function checkBody(context: Context<Env>, next: () => Promise<void>): Promise<void> {
  const { method } = context.req
  const type = context.req.header('content-type')
  const hasBody = type !== undefined || Number(context.req.header('content-length') ?? 0) > 0
  if (method !== 'GET' && method !== 'HEAD' && hasBody && !/^application\/json\s*(;|$)/i.test(type ?? '')) {
    const detail = `the body must be application/json, not ${type ?? 'without a content-type'}`
    throw new ProblemError({ status: 415, code: 'unsupported-media-type', detail })
  }
  await next()
}

function tooLarge(): never {
  throw new ProblemError({ status: 413, code: 'too-large', detail: `a body may have ${maxBodyBytes} bytes at most` })
}

function methodsByPath(app: OpenAPIHono<Env>): { pattern: RegExp; methods: string[] }[] {
  const methods = new Map<string, Set<string>>()
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue
    methods.set(path, (methods.get(path) ?? new Set()).add(method))
  }
  return [...methods].map(([path, names]) => ({
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/:[a-z]+/g, '[^/]+')}$`),
    methods: [...names].sort(),
  }))
}

function nothingHere(context: Context<Env>, known: ReturnType<typeof methodsByPath>): Response {
  const { method, path } = context.req
  const other = known.find(({ pattern }) => pattern.test(path))
  if (other === undefined) {
    return respond(context, { status: 404, code: 'not-found', detail: `there is nothing at ${path}` })
  }
  const allowed = other.methods.join(', ')
  const detail = `${path} takes ${allowed}, not ${method}`
  return respond(context, { status: 405, code: 'method-not-allowed', detail }, { allow: allowed })
}

function answerError(input: AppInput, error: Error, context: Context<Env>): Response {
  if (error instanceof ProblemError) {
    return respond(context, error.problem, headersOf[error.problem.status])
  }
  if (error instanceof HTTPException && error.status === 400) {
    return respond(context, { status: 400, code: 'invalid', detail: 'body: is not valid JSON' })
  }
  const requestId = context.get('requestId')
  input.ports.log('error', { event: 'request-failed', path: context.req.path, requestId, message: error.message })
  const detail = 'control could not do this now; its log says why, under the request id'
  return respond(context, { status: 503, code: 'unavailable', detail })
}

/** What an answer of this status says beside its problem. */
const headersOf: Readonly<Record<number, Record<string, string>>> = {
  401: { 'www-authenticate': 'Bearer' },
  // The rest of the body is not read, so that nothing else can follow it on this connection.
  413: { connection: 'close' },
}
