/** Services: what each is doing, moving one on purpose, and the probe that load balancers follow. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allow, type Env } from '../auth.ts'
import { nameSchema, routerStateSchema } from '../contract.ts'
import { notFound, ProblemError } from '../problem.ts'
import {
  createRouter,
  jsonContent,
  operationBody,
  operationSchema,
  problemContent,
  type RouteInput,
  serviceParam,
} from './context.ts'

const serviceSchema = z.object({
  service: z.string(),
  phase: z.enum(['settled', 'moving', 'degraded', 'held', 'suppressed', 'unowned']),
  owner: z.object({ node: z.string(), site: z.string(), epoch: z.int(), since: z.string() }).nullable(),
  members: z.array(
    z.object({
      node: z.string(),
      site: z.string(),
      state: routerStateSchema,
      priority: z.int(),
      healthy: z.boolean(),
      fault: z.string().nullable(),
      solo: z.boolean(),
      drained: z.boolean(),
      connected: z.boolean(),
      lastReport: z.string().nullable(),
    }),
  ),
  bindings: z.array(
    z.object({
      name: z.string(),
      adapter: z.string(),
      state: z.enum(['pending', 'applying', 'verifying', 'settled', 'retrying', 'failed', 'drifted']),
      node: z.string().nullable(),
      epoch: z.int().nullable(),
      observed: z.string().nullable(),
      attempts: z.int(),
      lastError: z.string().nullable(),
    }),
  ),
  sites: z.array(z.string()),
  origins: z.record(z.string(), z.enum(['healthy', 'unhealthy', 'unknown'])),
  reachable: z.boolean().nullable(),
  hold: z.object({ by: z.string(), reason: z.string().nullable(), since: z.string() }).nullable(),
  suppressedUntil: z.string().nullable(),
  dualActive: z.boolean(),
  higherEpoch: z.int().nullable(),
  operation: z.string().nullable(),
})

const switchoverSchema = z.strictObject({ to: nameSchema.optional(), reason: z.string().min(1).max(500).optional() })

export function serviceRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const viewer = allow(input.authenticate, 'viewer')
  const list = createRoute({
    method: 'get',
    path: '/v1/services',
    middleware: viewer,
    responses: {
      200: jsonContent(z.object({ services: z.array(serviceSchema) }), 'All services'),
      401: problemContent,
    },
  })
  router.openapi(list, (context) => context.json({ services: input.cluster.services() as Service[] }, 200))

  const one = createRoute({
    method: 'get',
    path: '/v1/services/{service}',
    middleware: viewer,
    request: { params: serviceParam },
    responses: { 200: jsonContent(serviceSchema, 'The service'), 401: problemContent, 404: problemContent },
  })
  router.openapi(one, (context) => {
    const { service } = context.req.valid('param')
    const view = input.cluster.service(service)
    if (view === undefined) throw notFound(`service ${service}`)
    return context.json(view as Service, 200)
  })
  addSwitchover(router, input)
  addOwnerProbe(router, input)
  return router
}

type Service = z.infer<typeof serviceSchema>

function addSwitchover(router: OpenAPIHono<Env>, { cluster, authenticate }: RouteInput): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/services/{service}/switchover',
    middleware: allow(authenticate, 'operator'),
    request: { params: serviceParam, body: { content: { 'application/json': { schema: switchoverSchema } } } },
    responses: {
      202: jsonContent(z.object({ operation: operationSchema }), 'It has begun; see the operation for how it goes'),
      401: problemContent,
      403: problemContent,
      404: problemContent,
      409: { ...problemContent, description: 'It cannot be done now; nothing was changed' },
    },
  })
  router.openapi(route, async (context) => {
    const { service } = context.req.valid('param')
    const { to = null, reason = null } = context.req.valid('json') ?? {}
    const answer = await cluster.switchover({ service, to, reason, by: context.get('identity').name })
    if (answer === undefined) throw notFound(`service ${service}`)
    if ('refusal' in answer) throw new ProblemError({ status: 409, ...answer.refusal })
    const { operation } = answer
    const headers = { location: `/v1/operations/${operation.id}` }
    return context.json({ operation: operationBody(operation) }, 202, headers)
  })
}

function addOwnerProbe(router: OpenAPIHono<Env>, { cluster, authenticate, ownerProbe }: RouteInput): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/services/{service}/owner',
    middleware: ownerProbe === 'public' ? [] : [allow(authenticate, 'viewer')],
    request: { params: serviceParam, query: z.object({ node: nameSchema }) },
    responses: {
      200: jsonContent(z.object({ service: z.string(), node: z.string() }), 'The node owns, and was heard lately'),
      404: problemContent,
      503: { ...problemContent, description: 'It does not own, or was not heard for a lease' },
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
