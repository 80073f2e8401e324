/**
 * The control API as a value: a Hono application over a cluster and its store, the same on every runtime.
 *
 *   request ─▶ id ─▶ who calls ─▶ how often ─▶ audit trail ─▶ the body's size and kind ─▶ route: role, schema, work
 *                                                                                          │
 *   answer ◀── everything that goes wrong leaves as an RFC 9457 problem, from here ◀───────┘
 */
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { routePath } from 'hono/route'
import { auditCalls } from './access/audit.ts'
import { type Env, identify } from './access/auth.ts'
import { throttle } from './access/throttle.ts'
import { ProblemError, respond } from './problem.ts'
import { agentRoutes } from './routes/agent.ts'
import { backupRoutes } from './routes/backup.ts'
import { createRouter, type RouteInput } from './routes/context.ts'
import { declarationRoutes } from './routes/declarations.ts'
import { docsPage } from './routes/docs.ts'
import { edgeRoutes } from './routes/edge.ts'
import { eventRoutes } from './routes/events.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { addSecurity, complete, documentHead } from './routes/openapi.ts'
import { operationRoutes } from './routes/operations.ts'
import { serviceRoutes } from './routes/services.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { StorageError } from './store/store.ts'

export type AppInput = RouteInput

const maxBodyBytes = 256 * 1024

const routers = [
  serviceRoutes,
  declarationRoutes,
  operationRoutes,
  nodeRoutes,
  eventRoutes,
  edgeRoutes,
  tokenRoutes,
  agentRoutes,
  metricsRoutes,
  backupRoutes,
]

export function createApp(input: AppInput): OpenAPIHono<Env> {
  const { cluster, ports, tokens, rateLimit, ownerProbe } = input
  const app = createRouter()
  app.use((context, next) => receive(input, context, next))
  app.use(identify(tokens.authenticate))
  const isPublic = (path: string): boolean =>
    /^\/(healthz|readyz)$/.test(path) || (ownerProbe === 'public' && /^\/v1\/services\/[^/]+\/owner$/.test(path))
  const addressOf = input.addressOf ?? (() => undefined)
  app.use(throttle({ limit: rateLimit, clock: ports.clock, addressOf, isPublic }))
  app.use(auditCalls({ cluster, ports }))
  app.use(checkBody)

  app.get('/healthz', (context) => context.json({ status: 'ok' }))
  app.get('/readyz', (context) => ready(input, context))
  for (const router of routers) app.route('/', router(input))
  addDocument(app)

  const methods = methodsByPath(app)
  app.notFound((context) => nothingHere(context, methods))
  app.onError((error, context) => answerError(input, error, context))
  return app
}

/** Gives each request an id, its caller's if that is a sane one, and tells of the answer. */
async function receive({ ports, answered }: AppInput, context: Context<Env>, next: () => Promise<void>): Promise<void> {
  const began = ports.clock.now()
  const given = context.req.header('x-request-id')
  const id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : crypto.randomUUID()
  context.set('requestId', id)
  // Before there is an answer, since a header that is added to one makes it anew. A WebSocket's belong to the runtime.
  if (context.req.path !== '/v1/agent') context.header('x-request-id', id)
  await next()
  const { method } = context.req
  answered?.({ method, route: routePath(context, -1), status: context.res.status, tookMs: ports.clock.now() - began })
}

function ready({ store, storeTrouble }: AppInput, context: Context<Env>): Response {
  try {
    // Read as well, so that a database that has gone away is found out before the next write.
    store.lastEventId()
    const trouble = storeTrouble?.() ?? null
    if (trouble !== null) throw trouble
    return context.json({ status: 'ready' })
  } catch (error) {
    if (error instanceof StorageError) throw error
    const detail = `the database does not take what it is given: ${(error as Error).message}`
    return respond(context, { status: 503, code: 'not-ready', detail })
  }
}

/** The document is made when it is first asked for; it does not change while control runs. */
function addDocument(app: OpenAPIHono<Env>): void {
  addSecurity(app)
  let made: ReturnType<typeof app.getOpenAPI31Document> | undefined
  const document = () => {
    made ??= complete(app.getOpenAPI31Document(documentHead))
    return made
  }
  app.get('/openapi.json', (context) => context.json(document()))
  app.get('/docs', (context) => {
    // The page loads nothing from anywhere, and its policy sees to it.
    context.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    return context.html(docsPage(document()))
  })
}

/** Counts what comes only where its length is not said: to look at a body on Node makes a stream of it. */
const countBody = bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge })

/** A body must say that it is JSON, since zod-openapi would pass over any other as if there were none; and have its size. */
const checkBody: MiddlewareHandler<Env> = (context, next) => {
  const { method } = context.req
  if (method === 'GET' || method === 'HEAD') return next()
  const type = context.req.header('content-type')
  const length = context.req.header('content-length')
  const hasBody = type !== undefined || Number(length ?? 0) > 0
  if (hasBody && !/^application\/json\s*(;|$)/i.test(type ?? '')) {
    const detail = `the body must be application/json, not ${type ?? 'without a content-type'}`
    throw new ProblemError({ status: 415, code: 'unsupported-media-type', detail })
  }
  if (length === undefined || context.req.header('transfer-encoding') !== undefined) return countBody(context, next)
  return Number(length) > maxBodyBytes ? tooLarge() : next()
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
  if (error instanceof StorageError) {
    // Said in the log once, when it began, and not by every request.
    return respond(
      context,
      { status: 503, code: `storage-${error.trouble}`, detail: error.message },
      { 'retry-after': '1' },
    )
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
