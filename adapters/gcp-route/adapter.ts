/**
 * A route of a Google Cloud network that leads to the node that has the service.
 *
 *   observe   GET route        its id is the token: a route that is made again has another
 *   apply     GET route        another id than the token's: conflict
 *             DELETE route     and its operation, to its end
 *             POST route       a name that is taken is a conflict: of two writers one wins
 *
 * A route cannot be changed, so between DELETE and POST there is none: traffic goes by the next best route, or nowhere,
 * for as long as two operations take, which is several seconds. When control dies in between, or the second operation
 * fails, the next observation sees nothing, and the route is made then. A DELETE goes by name, so one that comes late
 * may take a newer route away; that is seen, and put right. Nothing remembers an epoch, hence `stepwise`.
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { givenUp, noTarget, timedOut } from '../failures.ts'
import { type Compute, callCompute, computeUrl, finish, operationSchema } from '../google/compute.ts'
import { googleBearer } from '../google/token.ts'
import { callMs } from '../http.ts'
import { type Pause, pauseFor } from '../pause.ts'
import type { GcpRouteConfig, GcpRouteTarget } from './schema.ts'

type Options = { readonly callTimeoutMs?: number; readonly pause?: Pause }

type Binding = AdapterInput<GcpRouteConfig, GcpRouteTarget> & { readonly compute: Compute }

const routeSchema = z.object({
  // 64 bits, so a string.
  id: z.string().min(1),
  name: z.string(),
  network: z.string(),
  destRange: z.string(),
  priority: z.number(),
  nextHopIp: z.string().optional(),
  nextHopInstance: z.string().optional(),
})

type Route = z.output<typeof routeSchema>

export function createGcpRoute(
  input: AdapterInput<GcpRouteConfig, GcpRouteTarget>,
  { callTimeoutMs: timeoutMs = callMs, pause = pauseFor }: Options = {},
): Adapter {
  const { endpoint = computeUrl, project } = input.config
  const compute = { bearer: googleBearer(input.config), base: `${endpoint}/projects/${project}`, pause }
  const binding: Binding = { ...input, compute }
  return {
    capabilities: { cas: 'stepwise', dryRun: false, ipv6: false, settleMs: 15_000, maxInFlightMs: 60_000 },
    observe: (signal) => observe(binding, signal),
    apply: async (move, caller) => {
      const deadline = AbortSignal.timeout(timeoutMs)
      const outcome = await apply(binding, move, AbortSignal.any([caller, deadline]))
      return outcome === givenUp && !caller.aborted ? timedOut(timeoutMs) : outcome
    },
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const read = await readRoute(binding, signal)
  if (read.kind !== 'read') return { kind: 'unknown', failure: read }
  const { route } = read
  if (route === undefined) return { kind: 'none', token: null, raw: { route: null } }
  const { id, name, destRange, nextHopIp = null, nextHopInstance = null } = route
  const seen = { token: id, raw: { route: name, id, destRange, nextHopIp, nextHopInstance } }
  const node = Object.entries(binding.targets).find(([, target]) => target.nextHopIp === nextHopIp)?.[0]
  if (node !== undefined) return { kind: 'node', node, ...seen }
  return { kind: 'foreign', what: nextHopIp ?? nextHopInstance ?? 'a next hop of another kind', ...seen }
}

/** Undefined: there is no such route. */
async function readRoute(
  { compute, config }: Binding,
  signal: AbortSignal,
): Promise<{ readonly kind: 'read'; readonly route: Route | undefined } | Failure> {
  const path = `/global/routes/${config.route}`
  const got = await callCompute(compute, { method: 'GET', path }, routeSchema, signal)
  // In Google's own words: a page of somebody else's with this status has no such code.
  if (got.kind === 'permanent' && got.code === 'notFound') return { kind: 'read', route: undefined }
  if (got.kind !== 'value') return got
  const { destRange, network } = got.value
  if (destRange === config.destRange && network.endsWith(`/networks/${config.network}`)) {
    return { kind: 'read', route: got.value }
  }
  const message = `the route ${config.route} leads to ${destRange} in ${network}: correct destRange and network`
  return { kind: 'permanent', code: 'OtherRoute', message }
}

async function apply(binding: Binding, { node, token }: Move, signal: AbortSignal): Promise<Outcome> {
  const { compute, config, targets } = binding
  const target = Object.hasOwn(targets, node) ? targets[node] : undefined
  if (target === undefined) return noTarget(node)
  const read = await readRoute(binding, signal)
  if (read.kind !== 'read') return read
  const { route } = read
  if (token !== null && token !== route?.id) {
    return { kind: 'conflict', code: 'RouteId', message: 'the route is not the one that was observed' }
  }
  if (route?.nextHopIp === target.nextHopIp) return { kind: 'done' }
  if (route !== undefined) {
    const deleted = await write(binding, { method: 'DELETE', path: `/global/routes/${config.route}` }, signal)
    if (deleted.kind !== 'done') return deleted
  }
  const body = {
    name: config.route,
    network: `${compute.base}/global/networks/${config.network}`,
    destRange: config.destRange,
    priority: config.priority,
    // Of the configuration, not of the route: between the two steps there is none to read them from.
    ...(config.tags === undefined ? {} : { tags: config.tags }),
    nextHopIp: target.nextHopIp,
  }
  return write(binding, { method: 'POST', path: '/global/routes', body }, signal)
}

async function write(
  { compute }: Binding,
  request: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body?: object },
  signal: AbortSignal,
): Promise<Outcome> {
  const path = `${request.path}?requestId=${crypto.randomUUID()}`
  const sent = await callCompute(compute, { ...request, path }, operationSchema, signal)
  return sent.kind === 'value' ? finish(compute, { scope: '/global', operation: sent.value }, signal) : sent
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { compute, config, targets } = binding
  const granted = await compute.bearer.token(signal)
  if (granted.kind !== 'granted') return [findingOf('a token for Compute Engine', granted, signal)]
  const path = `/global/networks/${config.network}`
  const network = await callCompute(compute, { method: 'GET', path }, z.object({ name: z.string() }), signal)
  const route = await readRoute(binding, signal)
  const writes = Object.entries(targets).map(([node, { nextHopIp }]): Finding => {
    const check = `compute.routes.delete and create ${config.route} to ${nextHopIp} (${node})`
    return { check, result: 'untried', message: 'Compute Engine has no way to try it without doing it' }
  })
  return [
    findingOf('a token for Compute Engine', undefined, signal),
    findingOf(`compute.networks.get ${config.network}`, network.kind === 'value' ? undefined : network, signal),
    findingOf(`compute.routes.get ${config.route}`, route.kind === 'read' ? undefined : route, signal),
    ...writes,
  ]
}

function findingOf(check: string, failed: Failure | undefined, signal: AbortSignal): Finding {
  if (failed === undefined) return { check, result: 'passed', message: null }
  return { check, result: signal.aborted ? 'untried' : 'failed', message: failed.message }
}
