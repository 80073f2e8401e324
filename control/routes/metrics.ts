/** `GET /metrics`: what Prometheus scrapes. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import { allow, type Env } from '../access/auth.ts'
import { ProblemError } from '../problem.ts'
import { createRouter, type RouteInput } from './context.ts'

export function metricsRoutes({ cluster, metrics }: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  router.get('/metrics', allow('viewer'), async (context) => {
    if (metrics === undefined) {
      throw new ProblemError({ status: 501, code: 'not-here', detail: 'this control keeps no metrics' })
    }
    return context.body(await metrics.render(cluster), 200, { 'content-type': metrics.contentType })
  })
  return router
}
