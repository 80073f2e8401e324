/** The audit trail, as pages of JSON or as a stream of server-sent events that a reader can take up where it left. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allow, type Env } from '../auth.ts'
import { nameSchema } from '../contract.ts'
import { createRouter, eventSchema, jsonContent, problemContent, type RouteInput } from './context.ts'

const idSchema = z.coerce.number().int().min(0)

export function eventRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const route = createRoute({
    method: 'get',
    path: '/v1/events',
    middleware: allow(input.authenticate, 'viewer'),
    request: {
      query: z.object({
        since: idSchema.optional(),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
        service: nameSchema.optional(),
      }),
    },
    responses: {
      200: jsonContent(z.object({ events: z.array(eventSchema), next: z.int() }), 'Events with ids above `since`'),
      401: problemContent,
    },
  })
  router.openapi(route, (context) => {
    const { since, limit, service } = context.req.valid('query')
    if (context.req.header('accept')?.includes('text/event-stream')) {
      const last = idSchema.safeParse(context.req.header('last-event-id'))
      const from = last.success ? last.data : (since ?? input.store.lastEventId())
      // The declared answer is the page; the stream is the same events in another dress.
      return stream(input, from, service) as never
    }
    const events = input.store.events({ since: since ?? 0, limit, ...(service === undefined ? {} : { service }) })
    return context.json({ events, next: events.at(-1)?.id ?? since ?? 0 }, 200)
  })
  return router
}

/** How often an idle stream says that it is alive, in milliseconds. */
const keepAliveMs = 15_000

function stream({ cluster, store, ports }: RouteInput, since: number, service: string | undefined): Response {
  const encoder = new TextEncoder()
  let cursor = since
  let wake = (): void => undefined
  const unsubscribe = cluster.subscribe(({ events }) => {
    if (events.length > 0) wake()
  })
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(': events follow\n\n')),
    pull: async (controller) => {
      const query = { since: cursor, limit: 100, ...(service === undefined ? {} : { service }) }
      let events = store.events(query)
      if (events.length === 0) {
        await new Promise<void>((resolve) => {
          const cancel = ports.timer.at(ports.clock.now() + keepAliveMs, () => wake())
          wake = () => {
            cancel()
            resolve()
          }
        })
        events = store.events(query)
      }
      cursor = events.at(-1)?.id ?? cursor
      const text = events.map((event) => `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`)
      controller.enqueue(encoder.encode(text.join('') || ': alive\n\n'))
    },
    cancel: () => {
      unsubscribe()
      wake()
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } })
}
