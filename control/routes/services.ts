/** Services: what each is doing, moving and holding one on purpose, and the probe that load balancers follow. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allow, callerOf, type Env } from '../access/auth.ts'
import { nameSchema } from '../contract.ts'
import { notFound, ProblemError } from '../problem.ts'
import {
  bearer,
  createRouter,
  jsonBody,
  jsonContent,
  needs,
  problems,
  type RouteInput,
  reasonBody,
  reasonQuery,
  refuseIf,
  serviceParam,
} from './context.ts'
import { etagOfService } from './declarations.ts'
import { operationBody, operationSchema, serviceBody, serviceSchema } from './schemas.ts'

const switchoverSchema = z.strictObject({ to: nameSchema.optional(), ...reasonBody.shape }).openapi({
  example: { to: 'n2', reason: 'kernel update of n1' },
})

export function serviceRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  addViews(router, input)
  addSwitchover(router, input)
  addHold(router, input)
  addAcknowledge(router, input)
  addOwnerProbe(router, input)
  return router
}

function addViews(router: OpenAPIHono<Env>, input: RouteInput): void {
  const { cluster } = input
  const list = createRoute({
    method: 'get',
    path: '/v1/services',
    summary: 'All services',
    ...needs('viewer'),
    request: {
      query: z.object({ after: nameSchema.optional(), limit: z.coerce.number().int().min(1).max(10_000).optional() }),
    },
    responses: {
      200: jsonContent(
        z.object({ services: z.array(serviceSchema), next: z.string().nullable() }),
        'By name; `next`: what to give as `after` for the next page, null on the last one',
      ),
      ...problems(400, 401, 403),
    },
  })
  router.openapi(list, (context) => {
    const { after, limit = Number.POSITIVE_INFINITY } = context.req.valid('query')
    const names = cluster.names().filter((name) => after === undefined || name > after)
    const page = names.slice(0, limit)
    // The declared answer, written piece by piece: ten thousand services are more than control should stop for.
    const list = writeList(input, page, page.length < names.length ? page.at(-1)! : null)
    return context.body(list, 200, { 'content-type': 'application/json', 'cache-control': 'no-store' }) as never
  })

  const one = createRoute({
    method: 'get',
    path: '/v1/services/{service}',
    summary: 'One service',
    ...needs('viewer'),
    request: { params: serviceParam },
    responses: {
      200: jsonContent(serviceSchema, 'The service. `ETag` is that of its declaration, for `If-Match` of a PUT'),
      ...problems(400, 401, 403, 404),
    },
  })
  router.openapi(one, async (context) => {
    const { service } = context.req.valid('param')
    const etag = await etagOfService(input, service)
    const view = cluster.service(service)
    if (view === undefined) throw notFound(`service ${service}`)
    // No answer is kept by anybody, since what it says may be different the next moment under the same ETag.
    return context.json(serviceBody(view), 200, { ...(etag === null ? {} : { etag }), 'cache-control': 'no-store' })
  })
}

/** So many services are looked at in one turn of the event loop. */
const piece = 250

/** Written as the reader takes it, and others are served between two pieces. */
function writeList({ cluster }: RouteInput, names: readonly string[], next: string | null): ReadableStream {
  const encoder = new TextEncoder()
  let written = 0
  let any = false
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode('{"services":[')),
    pull: async (controller) => {
      // A reader who is fast would otherwise be served in one turn all the same.
      if (written > 0) await new Promise((resolve) => setTimeout(resolve))
      const views = names.slice(written, written + piece).flatMap((name) => cluster.service(name) ?? [])
      written += piece
      const text = views.map((view) => JSON.stringify(view)).join(',')
      const separator = any && text !== '' ? ',' : ''
      any ||= text !== ''
      const end = written >= names.length
      controller.enqueue(encoder.encode(`${separator}${text}${end ? `],"next":${JSON.stringify(next)}}` : ''}`))
      if (end) controller.close()
    },
  })
}

function addSwitchover(router: OpenAPIHono<Env>, { cluster }: RouteInput): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/services/{service}/switchover',
    summary: 'Move it on purpose',
    ...needs('operator'),
    request: { params: serviceParam, body: jsonBody(switchoverSchema, false) },
    responses: {
      202: jsonContent(z.object({ operation: operationSchema }), 'It has begun; see the operation for how it goes'),
      ...problems(400, 401, 403, 404, 409),
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const { to = null, reason = null } = context.req.valid('json') ?? {}
    const answer = await cluster.switchover({ service, to, reason, by: callerOf(context).name })
    if (answer === undefined) throw notFound(`service ${service}`)
    if ('refusal' in answer) throw new ProblemError({ status: 409, ...answer.refusal })
    const { operation } = answer
    const headers = { location: `/v1/operations/${operation.id}` }
    return context.json({ operation: operationBody(operation) }, 202, headers)
  })
}

function addHold(router: OpenAPIHono<Env>, { cluster }: RouteInput): void {
  const responses = { 200: jsonContent(serviceSchema, 'The service as it now is'), ...problems(400, 401, 403, 404) }
  const hold = createRoute({
    method: 'put',
    path: '/v1/services/{service}/hold',
    summary: 'Freeze it at its owner',
    ...needs('operator'),
    request: { params: serviceParam, body: jsonBody(reasonBody, false) },
    responses: { ...responses, ...problems(409) },
  })
  router.openapi(hold, async (context) => {
    const { service } = context.req.valid('param')
    const view = cluster.service(service)
    if (view === undefined) throw notFound(`service ${service}`)
    const { reason = null } = context.req.valid('json') ?? {}
    // Holding what is held changes nothing, unless there is another reason for it.
    if (view.hold === null || (reason !== null && reason !== view.hold.reason)) {
      const answer = await cluster.hold({ service, reason, by: callerOf(context).name })
      if (answer !== undefined) refuseIf(answer)
    }
    return context.json(serviceNow(cluster, service), 200)
  })

  const release = createRoute({
    method: 'delete',
    path: '/v1/services/{service}/hold',
    summary: 'Let it move again',
    ...needs('operator'),
    request: { params: serviceParam, query: reasonQuery },
    responses: { ...responses, ...problems(409) },
  })
  router.openapi(release, async (context) => {
    const { service } = context.req.valid('param')
    const { reason = null } = context.req.valid('query')
    const answer = await cluster.release({ service, reason, by: callerOf(context).name })
    if (answer === undefined) throw notFound(`service ${service}`)
    refuseIf(answer)
    return context.json(serviceNow(cluster, service), 200)
  })
}

function addAcknowledge(router: OpenAPIHono<Env>, { cluster }: RouteInput): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/services/{service}/acknowledge',
    summary: 'Go on above a higher epoch that was found',
    ...needs('operator'),
    request: { params: serviceParam, body: jsonBody(reasonBody, false) },
    responses: {
      200: jsonContent(serviceSchema, 'The service as it now is'),
      ...problems(400, 401, 403, 404, 409),
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const { reason = null } = context.req.valid('json') ?? {}
    const answer = await cluster.acknowledge({ service, reason, by: callerOf(context).name })
    if (answer === undefined) throw notFound(`service ${service}`)
    refuseIf(answer)
    return context.json(serviceNow(cluster, service), 200)
  })
}

function serviceNow(cluster: RouteInput['cluster'], service: string) {
  const view = cluster.service(service)
  if (view === undefined) throw notFound(`service ${service}`)
  return serviceBody(view)
}

function addOwnerProbe(router: OpenAPIHono<Env>, { cluster, ownerProbe }: RouteInput): void {
  const open = ownerProbe === 'public'
  const route = createRoute({
    method: 'get',
    path: '/v1/services/{service}/owner',
    summary: 'Whether a node owns it: for health probes',
    ...(open ? { description: 'Open to everybody, as configured.' } : bearer('Needs the role viewer.')),
    middleware: open ? [] : [allow('viewer')],
    request: { params: serviceParam, query: z.object({ node: nameSchema }) },
    responses: {
      200: jsonContent(z.object({ service: z.string(), node: z.string() }), 'The node owns, and was heard lately'),
      ...problems(400, 401, 403, 404, 503),
    },
  })
  router.openapi(route, (context) => {
    const { service } = context.req.valid('param')
    const { node } = context.req.valid('query')
    if (cluster.service(service) === undefined) throw notFound(`service ${service}`)
    if (cluster.owns(service, node)) return context.json({ service, node }, 200)
    const detail = `${node} does not own ${service}, or was not heard for a lease`
    throw new ProblemError({ status: 503, code: 'not-owner', detail })
  })
}
