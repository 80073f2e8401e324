/**
 * A route of a Google Cloud network that leads to the node that has the service.
 *
 *   observe   GET route        its id is the token: a route that is made again has another
 *   apply     GET route        another id than the token's: conflict
 *             DELETE route     by its id, and its operation, to its end
 *             POST route       a name that is taken is a conflict: of two writers one wins
 *
 * A route cannot be changed, so between DELETE and POST there is none: traffic goes by the next best route, or nowhere,
 * for as long as two operations take, which is several seconds. When control dies in between, or the second operation
 * fails, the next observation sees nothing, and the route is made then.
 *
 * A DELETE that comes late finds no route of its id any more, and a POST that comes late finds the name taken. Google's
 * description of its API allows an id in the place of the name, though its reference speaks of names only: where the id
 * is not found and the route is still there, it is deleted by name, and then a late DELETE may take a newer one away,
 * which is seen, and put right. Nothing remembers an epoch, hence `stepwise`.
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { computeApi, stepOf, untriedByGoogle, write } from '../google/compute.ts'
import type { Ended } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import type { Value } from '../rest/api.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import type { GcpRouteConfig, GcpRouteTarget } from './schema.ts'

type Input = AdapterInput<GcpRouteConfig, GcpRouteTarget>

const routeSchema = z.object({
  // 64 bits, so a string.
  id: z.string().regex(/^\d+$/),
  name: z.string(),
  network: z.string(),
  destRange: z.string(),
  nextHopIp: z.string().optional(),
  nextHopInstance: z.string().optional(),
})

/** Null: there is no such route. */
type Found = z.output<typeof routeSchema> | null

export function createGcpRoute(input: Input, options?: Options): Adapter {
  const adapter = {
    api: computeApi(input.config),
    // An operation takes several seconds, and has not always ended when a move is said to be done.
    can: { cas: 'stepwise', ipv6: false, settleMs: 30_000, unsureMs: 15_000 } as const,
    look: (calls: Calls) => read(calls, input.config),
    seen: (route: Found) => seen(input.targets, route),
    move: (calls: Calls, target: GcpRouteTarget, move: Move) => replace(calls, input.config, { target, move }),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

function seen(targets: Input['targets'], route: Found): Observation {
  if (route === null) return seenAt(targets, null, { raw: { route: null } })
  const { id, name, destRange, nextHopIp = null, nextHopInstance = null } = route
  const what = nextHopIp ?? nextHopInstance ?? 'a next hop of another kind'
  const is = (target: GcpRouteTarget) => target.nextHopIp === nextHopIp
  return seenAt(targets, { what, is }, { token: id, raw: { route: name, id, destRange, nextHopIp, nextHopInstance } })
}

const globalOf = ({ project }: GcpRouteConfig): string => `/projects/${project}/global`

async function read(calls: Calls, config: GcpRouteConfig): Promise<Value<Found> | Failure> {
  const got = await calls.call({ method: 'GET', path: `${globalOf(config)}/routes/${config.route}` }, routeSchema)
  // In Google's own words: a page of somebody else's with this status has no such code.
  if (got.kind === 'permanent' && got.code === 'notFound') return { kind: 'value', value: null }
  if (got.kind !== 'value') return got
  const { destRange, network } = got.value
  if (destRange === config.destRange && network.endsWith(`/networks/${config.network}`)) return got
  const message = `the route ${config.route} leads to ${destRange} in ${network}: correct destRange and network`
  return { kind: 'permanent', code: 'OtherRoute', message }
}

const anotherRoute: Failure = {
  kind: 'conflict',
  code: 'RouteId',
  message: 'the route is not the one that was observed',
}

async function replace(
  calls: Calls,
  config: GcpRouteConfig,
  { target, move }: { readonly target: GcpRouteTarget; readonly move: Move },
): Promise<Ended> {
  const found = await read(calls, config)
  if (found.kind !== 'value') return found
  const { value: route } = found
  if (move.token !== null && move.token !== route?.id) return anotherRoute
  if (route?.nextHopIp === target.nextHopIp) return { kind: 'done' }
  if (route !== null) {
    const removed = await remove(calls, config, route.id)
    if (removed.kind !== 'done') return removed
  }
  const body = {
    name: config.route,
    network: `projects/${config.project}/global/networks/${config.network}`,
    destRange: config.destRange,
    priority: config.priority,
    // Of the configuration, not of the route: between the two steps there is none to read them from.
    ...(config.tags === undefined ? {} : { tags: config.tags }),
    nextHopIp: target.nextHopIp,
  }
  return write(calls, globalOf(config), { method: 'POST', path: `${globalOf(config)}/routes`, body })
}

async function remove(calls: Calls, config: GcpRouteConfig, id: string): Promise<Outcome> {
  const routes = `${globalOf(config)}/routes`
  const byId = await write(calls, globalOf(config), { method: 'DELETE', path: `${routes}/${id}` })
  if (byId.kind !== 'permanent' || byId.code !== 'notFound') return stepOf(byId)
  const found = await read(calls, config)
  if (found.kind !== 'value') return found
  if (found.value?.id !== id) return anotherRoute
  return stepOf(await write(calls, globalOf(config), { method: 'DELETE', path: `${routes}/${config.route}` }))
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const token = findingOf('a token for Compute Engine', await calls.sign())
  if (token.result !== 'passed') return [token]
  const path = `${globalOf(config)}/networks/${config.network}`
  const network = await calls.call({ method: 'GET', path }, z.object({ name: z.string() }))
  const writes = Object.entries(targets).map(([node, { nextHopIp }]) =>
    untried(`compute.routes.delete and create ${config.route} to ${nextHopIp} (${node})`, untriedByGoogle),
  )
  return [
    token,
    findingOf(`compute.networks.get ${config.network}`, network),
    findingOf(`compute.routes.get ${config.route}`, await read(calls, config)),
    ...writes,
  ]
}
