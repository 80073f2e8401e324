/**
 * A route of an Azure route table that leads to the node that has the service.
 *
 *   observe   GET route table        the route's etag is the token, for people
 *   apply     GET route table        what else the route says is kept
 *             PUT the route          then its operation is followed, for as long as a call may take
 *
 * Nothing refuses a stale write: the documentation of routes promises no precondition, so none is relied upon. A late
 * write is seen and put right. A change takes about ten seconds.
 *
 * A route that Azure failed to provide leads nowhere that one may rely on, whatever it says: it is foreign, and written
 * again.
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Observation } from '../adapter.ts'
import { type Answer, jsonOf } from '../http.ts'
import type { Ended } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import { asJson, type Value } from '../rest/api.ts'
import { canonicalAddress } from '../rest/fields.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import { apiOf, endOf, provider } from './api.ts'
import type { AzureRouteConfig, AzureRouteTarget } from './schema.ts'

type Input = AdapterInput<AzureRouteConfig, AzureRouteTarget>

const version = 'api-version=2024-05-01'

const routeSchema = z.object({
  name: z.string(),
  etag: z.string().optional(),
  properties: z.looseObject({
    addressPrefix: z.string(),
    nextHopType: z.string(),
    nextHopIpAddress: z.string().optional(),
    provisioningState: z.string().optional(),
  }),
})
const tableSchema = z.object({ name: z.string(), properties: z.object({ routes: z.array(routeSchema) }) })

/** Null: the table has no such route. */
type Found = z.output<typeof routeSchema> | null

export function createAzureRoute(input: Input, options?: Options): Adapter {
  const { config, targets } = input
  const api = apiOf(config)
  const adapter = {
    api,
    // A change takes about ten seconds, and has not always ended when a move is said to be done.
    can: { cas: 'none', ipv6: true, settleMs: 30_000, unsureMs: 20_000 } as const,
    look: (calls: Calls) => read(calls, config),
    seen: (route: Found) => seen(targets, route),
    move: async (calls: Calls, target: AzureRouteTarget): Promise<Ended> => {
      const answer = await put(calls, config, target)
      return answer.kind === 'answered' ? endOf(calls, api.endpoint, answer) : answer
    },
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

/** States of a route that does not do what it says. */
const notThere = ['Failed', 'Canceled', 'Deleting']

function seen(targets: Input['targets'], route: Found): Observation {
  if (route === null) return seenAt(targets, null, { raw: { route: null } })
  const { addressPrefix, nextHopType, nextHopIpAddress = null, provisioningState = null } = route.properties
  const raw = { route: route.name, addressPrefix, nextHopType, nextHopIpAddress, provisioningState }
  const isThere = provisioningState === null || !notThere.includes(provisioningState)
  const hop = nextHopIpAddress ?? nextHopType
  const is = (target: AzureRouteTarget) =>
    isThere && nextHopType === 'VirtualAppliance' && target.nextHopIpAddress === canonicalAddress(hop)
  const what = isThere ? hop : `${hop} (${provisioningState})`
  return seenAt(targets, { what, is }, { token: route.etag ?? null, raw })
}

function tableOf({ subscription, resourceGroup, routeTable }: AzureRouteConfig): string {
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Network/routeTables/${routeTable}`
}

async function read(calls: Calls, config: AzureRouteConfig): Promise<Value<Found> | Failure> {
  const table = await calls.call({ method: 'GET', path: `${tableOf(config)}?${version}` }, tableSchema)
  if (table.kind !== 'value') return table
  const name = config.route.toLowerCase()
  const route = table.value.properties.routes.find((each) => each.name.toLowerCase() === name) ?? null
  if (route === null) return { kind: 'value', value: null }
  const { addressPrefix } = route.properties
  if (canonicalPrefix(addressPrefix) === canonicalPrefix(config.addressPrefix)) return { kind: 'value', value: route }
  const message = `the route ${config.route} leads to ${addressPrefix}: correct addressPrefix, or name another route`
  return { kind: 'permanent', code: 'OtherPrefix', message }
}

/** One text for a prefix however it was written. */
function canonicalPrefix(prefix: string): string {
  const [address = '', length] = prefix.split('/')
  return `${canonicalAddress(address)}/${length}`
}

/** What a route says that is not there. */
const nothing: { readonly provisioningState?: unknown; readonly hasBgpOverride?: unknown } = {}

/** What is read-only is not sent back. */
function propertiesOf({ addressPrefix }: AzureRouteConfig, route: Found, target: AzureRouteTarget): object {
  const { provisioningState: _state, hasBgpOverride: _override, ...kept } = route?.properties ?? nothing
  return { ...kept, addressPrefix, nextHopType: 'VirtualAppliance', ...target }
}

async function put(calls: Calls, config: AzureRouteConfig, target: AzureRouteTarget): Promise<Answer | Failure> {
  const found = await read(calls, config)
  if (found.kind !== 'value') return found
  const path = `${tableOf(config)}/routes/${config.route}?${version}`
  const body = asJson({ properties: propertiesOf(config, found.value, target) })
  const answer = await calls.ask({ method: 'PUT', path, body })
  if (answer.kind !== 'answered' || answer.status === 202) return answer
  const route = jsonOf(answer, routeSchema, provider)
  return route.kind === 'value' ? answer : route
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const { routeTable, route } = config
  const writes = Object.entries(targets).map(([node, { nextHopIpAddress }]) =>
    untried(
      `Microsoft.Network/routeTables/routes/write ${routeTable}/${route} to ${nextHopIpAddress} (${node})`,
      'Azure has no way to try it without doing it',
    ),
  )
  return [findingOf(`Microsoft.Network/routeTables/read ${routeTable}`, await read(calls, config)), ...writes]
}
