/**
 * The edge: a Worker that sends each request for a service's host to its owner's origin.
 *
 *   host ──map.ts──▶ route ──forward.ts──▶ the owner's site ──cannot be connected to──▶ the next healthy one
 *   /_holdfast/ ──administration.ts──▶ the object, which takes a route or refuses it
 */
import * as z from 'zod'
import { administer, type Desk, isAdministration } from './administration.ts'
import { forward } from './forward.ts'
import { isLoop } from './headers.ts'
import { askControl, type Copies, cacheKeep, copyKeep, knownFrom, objectKeep } from './keeps.ts'
import { createMapKeeper, type Sources } from './map.ts'
import type { EdgeMap } from './object.ts'
import { problem } from './problem.ts'
import { routeFor } from './route.ts'

export { EdgeMap } from './object.ts'

type Env = {
  readonly EDGE_MAP: DurableObjectNamespace<EdgeMap>
  readonly EDGE_KV?: Copies
  readonly [name: string]: unknown
}

const settingsSchema = z.object({
  /** Without it, the edge serves what is written into its object. */
  HOLDFAST_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** A viewer's. */
  HOLDFAST_TOKEN: z.string().min(1).optional(),
  /** Of who writes routes here instead. */
  HOLDFAST_EDGE_TOKEN: z.string().min(1).optional(),
  /** Several edges on one account keep their maps apart by it. */
  HOLDFAST_EDGE: z.string().min(1).default('default'),
  HOLDFAST_ORIGIN_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(15_000),
})

/** An isolate's one memory: requests come one after another, and the map is to outlive each of them. */
const keeper = createMapKeeper(Date.now)

export default {
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> => {
    if (isLoop(request.headers)) {
      const detail = 'this request has been here before: the url of an origin leads back to the edge'
      return problem({ status: 508, code: 'loop', title: 'Loop Detected', detail })
    }
    const settings = settingsSchema.safeParse(env)
    if (!settings.success) {
      const [issue] = settings.error.issues
      failed(`wrong configuration: ${issue?.path.join('.')}: ${issue?.message}`, null)
      const detail = 'the edge is not configured; its log says what is wrong'
      return problem({ status: 500, code: 'misconfigured', title: 'Internal Server Error', detail })
    }
    if (isAdministration(request)) return administer(request, deskOf(settings.data, env, context))
    const index = await keeper.current(sourcesOf(settings.data, env, context))
    if (index === null) {
      const detail = 'the edge has not heard from control yet'
      return problem({ status: 503, code: 'no-map', title: 'Service Unavailable', detail }, { 'retry-after': '1' })
    }
    const { hostname } = new URL(request.url)
    const route = routeFor(index, hostname)
    if (route === null) {
      const detail = `no service has the host ${hostname}`
      return problem({ status: 421, code: 'unknown-host', title: 'Misdirected Request', detail })
    }
    return forward(request, route, { timeoutMs: settings.data.HOLDFAST_ORIGIN_TIMEOUT_MS, failed })
  },
}

type Settings = z.infer<typeof settingsSchema>

function deskOf(settings: Settings, env: Env, context: ExecutionContext): Desk {
  const { HOLDFAST_EDGE_TOKEN: token, HOLDFAST_EDGE: name } = settings
  const copies = env.EDGE_KV
  return {
    token,
    followsControl: settings.HOLDFAST_URL !== undefined,
    object: () => env.EDGE_MAP.get(env.EDGE_MAP.idFromName(name)),
    taken: (service, held) => {
      keeper.learn(knownFrom({ [service]: held }))
      if (copies === undefined) return
      const copied = copyKeep(copies, name).copy(held)
      context.waitUntil(copied.catch((error: unknown) => failed('the copy in KV was not written', error)))
    },
    failed,
  }
}

function sourcesOf(settings: Settings, env: Env, context: ExecutionContext): Sources {
  const { HOLDFAST_URL: url, HOLDFAST_TOKEN: token, HOLDFAST_EDGE: name } = settings
  const control = url === undefined || token === undefined ? null : askControl({ url, token })
  const copies = control === null && env.EDGE_KV !== undefined ? [copyKeep(env.EDGE_KV, name)] : []
  return {
    control,
    keeps: [cacheKeep(name), objectKeep(env.EDGE_MAP, name), ...copies],
    behind: (work) => context.waitUntil(work),
    failed,
  }
}

/** One line of JSON for the Worker's own log; clients are told no addresses. */
function failed(what: string, error: unknown): void {
  const why = error === null ? undefined : error instanceof Error ? error.message : String(error)
  // biome-ignore lint/suspicious/noConsole: it is where a Worker's log goes.
  console.warn(JSON.stringify({ event: 'edge-trouble', what, why }))
}
