/**
 * Declaring services: the same text as under `services:` in a configuration file, put, read and forgotten over HTTP.
 *
 * Changes happen one after another, so that between the look at an ETag and the change nobody else changes it.
 */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { callerOf, type Env } from '../access/auth.ts'
import { ConfigError } from '../config/config-file.ts'
import { canonical, type Declaration, etagOf, readDeclaration } from '../core/declarations.ts'
import { declaredInFile, misfit, notFound, ProblemError } from '../problem.ts'
import { createRouter, jsonContent, needs, problems, type RouteInput, reasonQuery, serviceParam } from './context.ts'
import { serviceDeclarationSchema } from './openapi.ts'
import { declarationSchema } from './schemas.ts'

const putQuery = z.object({ ...reasonQuery.shape, dryRun: z.enum(['true', 'false']).optional() })
const putBody = declarationSchema.extend({ outcome: z.enum(['created', 'replaced', 'unchanged']) })
const conditions = z.object({ 'if-match': z.string().optional(), 'if-none-match': z.string().optional() })

export function declarationRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const inTurn = createTurns()
  addRead(router, input)
  addPut(router, input, inTurn)
  addForget(router, input, inTurn)
  return router
}

type Turns = <T>(work: () => Promise<T>) => Promise<T>

function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}

function addRead(router: OpenAPIHono<Env>, input: RouteInput): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/services/{service}/declaration',
    summary: 'How it is declared',
    ...needs('viewer'),
    request: { params: serviceParam },
    responses: {
      200: jsonContent(declarationSchema, 'With its `ETag`; secrets of a configuration file are not shown'),
      ...problems(400, 401, 403, 404),
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const known = textOf(input, service)
    if (known === null) throw notFound(`service ${service}`)
    const { text, origin, version } = known
    const headers = { etag: await etagOf(text), 'cache-control': 'no-cache' }
    return context.json({ service, version, origin, declaration: JSON.parse(text) }, 200, headers)
  })
}

function addPut(router: OpenAPIHono<Env>, input: RouteInput, inTurn: Turns): void {
  const route = createRoute({
    method: 'put',
    path: '/v1/services/{service}',
    summary: 'Declare it',
    ...needs('admin'),
    request: {
      params: serviceParam,
      query: putQuery,
      headers: conditions,
      body: { required: true, content: { 'application/json': { schema: serviceDeclarationSchema(input.adapters) } } },
    },
    responses: {
      200: jsonContent(putBody, 'It has replaced what was declared before, or is the same; or a dry run would'),
      201: jsonContent(putBody, 'There is a new service'),
      ...problems(400, 401, 403, 409, 412),
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const dryRun = context.req.valid('query').dryRun === 'true'
    const declaration = read(input, service, await bodyOf(context))
    const { outcome, version } = await inTurn(() => put(input, context, { service, declaration, dryRun }))
    const { text } = declaration
    const body = { service, version, origin: 'api', declaration: JSON.parse(text), outcome } as const
    const headers = { etag: await etagOf(text) }
    if (outcome !== 'created' || dryRun) return context.json(body, 200, headers)
    return context.json(body, 201, { ...headers, location: `/v1/services/${service}` })
  })
}

async function bodyOf(context: Context): Promise<unknown> {
  try {
    return await context.req.json()
  } catch (error) {
    if (error instanceof ProblemError) throw error
    throw new ProblemError({ status: 400, code: 'invalid', detail: 'body: is not valid JSON' })
  }
}

function read({ adapters }: RouteInput, service: string, value: unknown): Declaration {
  try {
    return readDeclaration(service, value, adapters)
  } catch (error) {
    if (error instanceof ConfigError) throw new ProblemError(misfit(error.problems))
    throw error
  }
}

type Put = { readonly service: string; readonly declaration: Declaration; readonly dryRun: boolean }

async function put(input: RouteInput, context: Context<Env>, { service, declaration, dryRun }: Put) {
  const { cluster, makeAdapters, ports } = input
  const { config, text } = declaration
  const known = textOf(input, service)
  if (known?.origin === 'file') throw declaredInFile(`service ${service}`)
  await checkConditions(context, service, known?.text ?? null)
  const isDeclared = cluster.declared(service) !== undefined
  if (known?.text === text && isDeclared) return { outcome: 'unchanged', version: known.version } as const
  const version = (cluster.declaration(service)?.version ?? 0) + 1
  const outcome = known === null ? ('created' as const) : ('replaced' as const)
  if (dryRun) return { outcome, version }
  const adapters = await makeAdapters(service, config).catch((error: Error) => {
    const detail = `a binding's adapter cannot be made here: ${error.message}`
    throw new ProblemError({ status: 409, code: 'adapter-failed', detail })
  })
  try {
    const at = ports.clock.wall().toISOString()
    const record = { service, version, text, by: callerOf(context).name, at }
    await cluster.declare(service, { config, adapters, origin: 'api' }, record)
  } catch (error) {
    for (const adapter of adapters.values()) adapter.dispose()
    throw error
  }
  return { outcome, version }
}

function addForget(router: OpenAPIHono<Env>, input: RouteInput, inTurn: Turns): void {
  const route = createRoute({
    method: 'delete',
    path: '/v1/services/{service}',
    summary: 'Forget it; what it points at outside stays as it is',
    ...needs('admin'),
    request: { params: serviceParam, query: reasonQuery, headers: conditions.pick({ 'if-match': true }) },
    responses: {
      200: jsonContent(z.object({ service: z.string(), forgotten: z.literal(true) }), 'It is forgotten'),
      ...problems(400, 401, 403, 404, 409, 412),
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const { reason = null } = context.req.valid('query')
    await inTurn(async () => {
      const known = textOf(input, service)
      if (known === null) throw notFound(`service ${service}`)
      if (known.origin === 'file') throw declaredInFile(`service ${service}`)
      await checkConditions(context, service, known.text)
      const forgotten = await input.cluster.forget({ service, reason, by: callerOf(context).name })
      if (!forgotten) throw notFound(`service ${service}`)
    })
    return context.json({ service, forgotten: true } as const, 200)
  })
}

type Known = { readonly text: string; readonly origin: 'file' | 'api'; readonly version: number }

/** Null: there is no such service. */
function textOf({ cluster, fileDeclarations }: RouteInput, service: string): Known | null {
  const present = cluster.declared(service)
  const record = cluster.declaration(service)
  // It did not fit any more when control started: it is still there, to be put right or forgotten.
  if (present === undefined && record !== undefined)
    return { text: record.text, origin: 'api', version: record.version }
  if (present === undefined) return null
  if (present.origin === 'api' && record !== undefined) {
    return { text: record.text, origin: 'api', version: record.version }
  }
  return { text: canonical(fileDeclarations[service] ?? {}), origin: 'file', version: 0 }
}

export async function etagOfService(input: RouteInput, service: string): Promise<string | null> {
  const known = textOf(input, service)
  return known === null ? null : etagOf(known.text)
}

/** `text` null: there is no such service yet. Weak ETags never match, as RFC 9110 has it. */
async function checkConditions(context: Context, service: string, text: string | null): Promise<void> {
  const etag = text === null ? null : await etagOf(text)
  const listed = (header: string): string[] | null =>
    context.req
      .header(header)
      ?.split(',')
      .map((tag) => tag.trim()) ?? null
  const among = (tags: readonly string[]): boolean => etag !== null && (tags.includes('*') || tags.includes(etag))
  const fail = (detail: string): never => {
    throw new ProblemError({ status: 412, code: 'precondition-failed', detail })
  }
  const match = listed('if-match')
  if (match !== null && !among(match)) {
    const now =
      etag === null ? `there is no service ${service}` : `${service} has been changed since: it is now ${etag}`
    fail(`If-Match: ${now}; read it again, and decide anew`)
  }
  const none = listed('if-none-match')
  if (none !== null && among(none)) fail(`If-None-Match: there is a service ${service} already`)
}
