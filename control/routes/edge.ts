/** What the edge routes by. `wait` answers at once when something changes, or when the time is up. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Env } from '../access/auth.ts'
import { duration } from '../config/config-file.ts'
import { type EdgeMap, edgeMapSchema } from '../edge/contract.ts'
import { createRouter, jsonContent, needs, problems, type RouteInput } from './context.ts'

export function edgeRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const route = createRoute({
    method: 'get',
    path: '/v1/edge',
    summary: 'What the edge routes by',
    ...needs('viewer'),
    request: {
      query: z.object({
        wait: duration({ max: '60s' }).optional().openapi({ type: 'string', description: 'Such as 20s; at most 60s' }),
      }),
      headers: z.object({ 'if-none-match': z.string().optional() }),
    },
    responses: {
      200: jsonContent(edgeMapSchema, 'The routes of all services that have hosts'),
      304: { description: 'The routes are those of the given ETag' },
      ...problems(400, 401, 403),
    },
  })
  router.openapi(route, async (context) => {
    const known = /"(\d+)"/.exec(context.req.header('if-none-match') ?? '')?.[1]
    const since = known === undefined ? null : Number(known)
    const { wait: waitMs = 0 } = context.req.valid('query')
    const map = await changed(input, { since, waitMs, gone: context.req.raw.signal })
    const headers = { etag: `"${map.generation}"`, 'cache-control': 'no-cache' }
    if (map.generation === since) return context.body(null, 304, headers)
    return context.json(map, 200, headers)
  })
  return router
}

type Wait = { readonly since: number | null; readonly waitMs: number; readonly gone: AbortSignal }

/** The map, as soon as it is another one than that of `since`, or when the time is up or nobody waits any more. */
function changed({ cluster, ports, ending }: RouteInput, { since, waitMs, gone }: Wait): Promise<EdgeMap> {
  const now = cluster.edge()
  if (since !== now.generation || waitMs === 0 || ending.aborted) return Promise.resolve(now)
  return new Promise((resolve) => {
    const answer = (): void => {
      unsubscribe()
      cancel()
      for (const end of [gone, ending]) end.removeEventListener('abort', answer)
      resolve(cluster.edge())
    }
    const unsubscribe = cluster.subscribe(({ events }) => {
      const services = events.flatMap(({ service }) => (service === null ? [] : [service]))
      if (cluster.edge(services).generation !== since) answer()
    })
    const cancel = ports.timer.at(ports.clock.now() + waitMs, answer)
    for (const end of [gone, ending]) end.addEventListener('abort', answer)
  })
}
