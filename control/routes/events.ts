/** The audit trail: in pages, or as a stream of server-sent events that a reader can take up where it left. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { callerOf, type Env, type Identity } from '../access/auth.ts'
import { nameSchema } from '../contract.ts'
import { ProblemError } from '../problem.ts'
import type { EventRecord } from '../store/store.ts'
import { createRouter, jsonContent, needs, problems, type RouteInput } from './context.ts'
import { streamEvents } from './event-stream.ts'
import { eventSchema } from './schemas.ts'

const idSchema = z.coerce.number().int().min(0)

/** Each open stream waits for every change: there is a bound. */
const mostStreams = 500

const pageSchema = z.object({
  events: z.array(eventSchema),
  next: z.int().openapi({ description: 'What to give as `since` for the next page' }),
  first: z.int().openapi({ description: 'The oldest event that is kept; above `since` + 1 when some were removed' }),
})

const description = `Needs the role viewer. With \`Accept: text/event-stream\` the same events as they happen, from
\`Last-Event-ID\`, else \`since\`, else now on. An event named \`gap\` says that some were removed before you came for them,
and which is the \`first\` that there is.`

export function eventRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const open = createStreams(input)
  const page = jsonContent(pageSchema, 'Events with ids above `since`, the oldest first')
  const route = createRoute({
    method: 'get',
    path: '/v1/events',
    summary: 'The audit trail',
    ...needs('viewer'),
    description,
    request: {
      query: z.object({
        since: idSchema.optional().openapi({ description: 'Default: 0 for a page, the last one for a stream' }),
        limit: z.coerce.number().int().min(1).max(1_000).default(100),
        service: nameSchema.optional(),
      }),
      headers: z.object({ 'last-event-id': z.string().optional() }),
    },
    responses: {
      200: { ...page, content: { ...page.content, 'text/event-stream': { schema: z.string() } } },
      ...problems(400, 401, 403, 503),
    },
  })
  router.openapi(route, (context) => {
    const { since, limit, service = null } = context.req.valid('query')
    if (context.req.header('accept')?.includes('text/event-stream')) {
      const last = idSchema.safeParse(context.req.header('last-event-id'))
      const from = last.success ? last.data : (since ?? input.store.lastEventId())
      // The declared answer is the page; the stream is the same events in another dress.
      return context.body(open(callerOf(context), from, service), 200, streamHeaders) as never
    }
    return context.json(pageAfter(input, { since: since ?? 0, limit, service }), 200, { 'cache-control': 'no-store' })
  })
  return router
}

/** Proxies must hand each event on as it comes. */
const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

type Asked = { readonly since: number; readonly limit: number; readonly service: string | null }

function pageAfter({ store }: RouteInput, { since, limit, service }: Asked) {
  const [first, last] = [store.firstEventId(), store.lastEventId()]
  const events: EventRecord[] = store.events({ since, limit, ...(service === null ? {} : { service }) })
  // A page that is not full was all there is, also when the last events are of other services.
  return { events, next: events.length < limit ? last : events.at(-1)!.id, first }
}

function createStreams({ cluster, store, ports, tokens, ending }: RouteInput) {
  let streams = 0
  return ({ id }: Identity, since: number, service: string | null): ReadableStream => {
    if (streams >= mostStreams) {
      const detail = `${mostStreams} streams of events are open, which is the most: close some, or ask for pages`
      throw new ProblemError({ status: 503, code: 'too-many-streams', detail })
    }
    streams += 1
    return streamEvents({
      cluster,
      store,
      ports,
      ending,
      since,
      service,
      mayRead: () => tokens.isValid(id),
      onMayRead: (listener) => tokens.onRevoked(listener),
      ended: () => {
        streams -= 1
      },
    })
  }
}
