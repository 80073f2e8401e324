/** Operations: how a move goes, step by step; `wait` answers when it has ended, or when the time is up. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from '../access/auth.ts'
import { duration } from '../config/config-file.ts'
import { nameSchema } from '../contract.ts'
import type { Operation } from '../decision.ts'
import { notFound } from '../problem.ts'
import { createRouter, jsonContent, needs, problems, type RouteInput } from './context.ts'
import { operationBody, operationSchema } from './schemas.ts'

export function operationRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const list = createRoute({
    method: 'get',
    path: '/v1/operations',
    summary: 'Moves, the newest first',
    ...needs('viewer'),
    request: {
      query: z.object({
        service: nameSchema.optional(),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
      }),
    },
    responses: {
      200: jsonContent(z.object({ operations: z.array(operationSchema) }), 'The newest first'),
      ...problems(400, 401, 403),
    },
  })
  router.openapi(list, (context) => {
    const { service, limit } = context.req.valid('query')
    const operations = input.store.operations({ limit, ...(service === undefined ? {} : { service }) })
    return context.json({ operations: operations.map(operationBody) }, 200)
  })

  const route = createRoute({
    method: 'get',
    path: '/v1/operations/{id}',
    summary: 'One move',
    ...needs('viewer'),
    request: {
      params: z.object({ id: z.string().min(1).max(64) }),
      query: z.object({
        wait: duration({ max: '60s' })
          .optional()
          .openapi({ type: 'string', description: 'Answers when it has ended, or then: such as 10s, at most 60s' }),
      }),
    },
    responses: { 200: jsonContent(operationSchema, 'The operation'), ...problems(400, 401, 403, 404) },
  })
  router.openapi(route, async (context) => {
    const { id } = context.req.valid('param')
    const operation = await ended(input, id, context.req.valid('query').wait ?? 0)
    if (operation === undefined) throw notFound(`operation ${id}`)
    return context.json(operationBody(operation), 200)
  })
  return router
}

function ended({ cluster, ports, ending }: RouteInput, id: string, waitMs: number): Promise<Operation | undefined> {
  const now = cluster.operation(id)
  if (now === undefined || now.status !== 'running' || waitMs === 0 || ending.aborted) return Promise.resolve(now)
  return new Promise((resolve) => {
    const answer = (): void => {
      unsubscribe()
      cancel()
      ending.removeEventListener('abort', answer)
      resolve(cluster.operation(id))
    }
    const unsubscribe = cluster.subscribe(({ operations }) => {
      if (operations.some((operation) => operation.id === id && operation.status !== 'running')) answer()
    })
    const cancel = ports.timer.at(ports.clock.now() + waitMs, answer)
    ending.addEventListener('abort', answer)
  })
}
