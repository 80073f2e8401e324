/** The link of a node: a WebSocket that carries reports up and commands down. It is refused before it is opened. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { allowNode, type Env } from '../access/auth.ts'
import { ProblemError } from '../problem.ts'
import type { RouteInput } from './context.ts'

export function agentRoutes({ upgrade }: RouteInput): OpenAPIHono<Env> {
  const router = new OpenAPIHono<Env>()
  if (upgrade !== undefined) router.get('/v1/agent', allowNode(), upgrade)
  router.get('/v1/agent', allowNode(), () => {
    const detail = 'this is a WebSocket: connect with one, or post reports to /v1/nodes/{node}/report'
    throw new ProblemError({ status: 426, code: 'upgrade-required', detail })
  })
  return router
}
