/** Operations: how a switchover goes, step by step; `wait` answers when it has ended, or when the time is up. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allow, type Env } from '../auth.ts'
import { duration } from '../config-file.ts'
import type { Operation } from '../decision.ts'
import { notFound } from '../problem.ts'
import {
  createRouter,
  jsonContent,
  operationBody,
  operationSchema,
  problemContent,
  type RouteInput,
} from './context.ts'

export function operationRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const route = createRoute({
    method: 'get',
    path: '/v1/operations/{id}',
    middleware: allow(input.authenticate, 'viewer'),
    request: {
      params: z.object({ id: z.string().min(1).max(64) }),
      query: z.object({
        wait: duration({ max: '60s' }).optional().openapi({ type: 'string', description: 'Such as 10s; at most 60s' }),
      }),
    },
    responses: { 200: jsonContent(operationSchema, 'The operation'), 401: problemContent, 404: problemContent },
  })
  router.openapi(route, async (context) => {
    const { id } = context.req.valid('param')
    const operation = await ended(input, id, context.req.valid('query').wait ?? 0)
    if (operation === undefined) throw notFound(`operation ${id}`)
    return context.json(operationBody(operation), 200)
  })
  return router
}

function ended({ cluster, ports }: RouteInput, id: string, waitMs: number): Promise<Operation | undefined> {
  const now = cluster.operation(id)
  if (now === undefined || now.status !== 'running' || waitMs === 0) return Promise.resolve(now)
  return new Promise((resolve) => {
    const answer = (): void => {
      unsubscribe()
      cancel()
      resolve(cluster.operation(id))
    }
    const unsubscribe = cluster.subscribe(({ operations }) => {
      if (operations.some((operation) => operation.id === id && operation.status !== 'running')) answer()
    })
    const cancel = ports.timer.at(ports.clock.now() + waitMs, answer)
  })
}
