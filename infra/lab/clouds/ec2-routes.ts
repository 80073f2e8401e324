/**
 * Route tables in the strict EC2. A route is made or replaced, never both; it takes whatever target exists, and becomes a
 * black hole when nothing comes through that; what a Route Server advertises is not anybody's to replace.
 */
import {
  type Ec2Request,
  type Ec2Result,
  error,
  type Fields,
  filter,
  list,
  missingParameter,
  noInterface,
  type Refusal,
  type Tree,
} from './ec2-request.ts'
import { type Ec2State, interfaceOf, isBlackhole, putRoute, type Route, type RouteTable } from './ec2-state.ts'

const fields: Fields<RouteTable> = {
  'route-table-id': ({ routeTableId }) => [routeTableId],
  'route.destination-cidr-block': ({ routes }) => routes.map(({ destination }) => destination),
}

export function describeRouteTables(state: Ec2State, request: Ec2Request): Ec2Result {
  const ids = list(request, 'RouteTableId')
  const missing = ids.find((id) => tableOf(state, id) === undefined)
  if (missing !== undefined) return noTable(missing)
  const named = state.routeTables.filter(({ routeTableId }) => ids.length === 0 || ids.includes(routeTableId))
  const filtered = filter(request, named, fields)
  if ('kind' in filtered) return filtered
  const routeTableSet = filtered.items.map(({ routeTableId, routes }) => ({
    routeTableId,
    routeSet: routes.map((route) => described(state, route)),
  }))
  return { kind: 'answer', state, answer: { routeTableSet } }
}

function described(state: Ec2State, route: Route): Tree {
  const { destination, to, origin } = route
  const instanceId = interfaceOf(state, to)?.instanceId
  return {
    [answeredName(destination)]: destination,
    ...(to.startsWith('eni-') ? { networkInterfaceId: to, instanceId } : { gatewayId: to }),
    state: isBlackhole(state, route) ? 'blackhole' : 'active',
    origin,
  }
}

function answeredName(destination: string): string {
  if (destination.startsWith('pl-')) return 'destinationPrefixListId'
  return destination.includes(':') ? 'destinationIpv6CidrBlock' : 'destinationCidrBlock'
}

export function createRoute(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request)
  if ('kind' in asked) return asked
  const { routeTableId, destination, to } = asked
  if (routeIn(asked) !== undefined) {
    return error('RouteAlreadyExists', `The route identified by ${destination} already exists.`)
  }
  return written(putRoute(state, routeTableId, { destination, route: { destination, to, origin: 'CreateRoute' } }))
}

export function replaceRoute(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request)
  if ('kind' in asked) return asked
  const { routeTableId, destination, to } = asked
  const route = routeIn(asked)
  if (route === undefined) {
    const message = `There is no route defined for '${destination}' in the route table. Use CreateRoute instead.`
    return error('InvalidParameterValue', message)
  }
  return written(putRoute(state, routeTableId, { destination, route: { ...route, to } }))
}

export function deleteRoute(state: Ec2State, request: Ec2Request): Ec2Result {
  const found = destinationOf(state, request)
  if ('kind' in found) return found
  const { table, destination } = found
  if (routeIn(found) === undefined) {
    const message = `no route with destination-cidr-block ${destination} in route table ${table.routeTableId}`
    return error('InvalidRoute.NotFound', message)
  }
  return written(putRoute(state, table.routeTableId, { destination, route: null }))
}

function written(state: Ec2State): Ec2Result {
  return { kind: 'answer', state, answer: { return: true } }
}

type Destination = { readonly table: RouteTable; readonly destination: string }
type Asked = Destination & { readonly routeTableId: string; readonly to: string }

function routeIn({ table, destination }: Destination): Route | undefined {
  return table.routes.find((route) => route.destination === destination)
}

function destinationOf(state: Ec2State, { params }: Ec2Request): Destination | Refusal {
  const { RouteTableId: routeTableId } = params
  if (routeTableId === undefined) return missingParameter('RouteTableId')
  const table = tableOf(state, routeTableId)
  if (table === undefined) return noTable(routeTableId)
  const given = ['DestinationCidrBlock', 'DestinationIpv6CidrBlock', 'DestinationPrefixListId'].flatMap(
    (name) => params[name] ?? [],
  )
  if (given.length === 0) return missingParameter('DestinationCidrBlock')
  if (given.length > 1) return error('InvalidParameterCombination', 'More than one destination was specified')
  return { table, destination: given[0]! }
}

/** The route that a request asks for, to an interface. */
function askedOf(state: Ec2State, request: Ec2Request): Asked | Refusal {
  const found = destinationOf(state, request)
  if ('kind' in found) return found
  const { NetworkInterfaceId: to } = request.params
  if (to === undefined) return missingParameter('NetworkInterfaceId')
  if (interfaceOf(state, to) === undefined) return noInterface(to)
  if (routeIn(found)?.origin === 'Advertisement') {
    const message = `The route identified by ${found.destination} is managed by a Route Server.`
    return error('OperationNotPermitted', message)
  }
  return { ...found, routeTableId: found.table.routeTableId, to }
}

function tableOf(state: Ec2State, id: string): RouteTable | undefined {
  return state.routeTables.find(({ routeTableId }) => routeTableId === id)
}

function noTable(id: string): Refusal {
  return error('InvalidRouteTableID.NotFound', `The routeTable ID '${id}' does not exist`)
}
