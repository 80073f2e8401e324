/** Where the route of each table leads, as EC2 says it, and what a route is made of. */
import { DescribeRouteTablesCommand, type Route, type RouteTable } from '@aws-sdk/client-ec2'
import type { Called } from '../aws/call.ts'
import type { Ec2Binding } from '../aws/ec2.ts'
import { canonicalNetwork } from '../aws/networks.ts'
import type { Placement } from '../aws/placement.ts'
import { strangeAnswer } from '../failures.ts'
import type { AwsRouteConfig, AwsRouteTarget } from './schema.ts'

export type Binding = Ec2Binding<AwsRouteConfig, AwsRouteTarget>

/** By route table: its route to the destination, null where there is none. Undefined: there is no such table. */
export type Routes = Readonly<Record<string, Route | null | undefined>>

export async function routesOf({ ec2, config }: Binding, signal: AbortSignal): Promise<Called<Routes>> {
  // By id a table that is missing would hide the others.
  const command = new DescribeRouteTablesCommand({
    Filters: [{ Name: 'route-table-id', Values: [...config.routeTables] }],
  })
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  const { RouteTables: tables } = called.answer
  // The SDK takes any page with status 200 for an answer in which everything is missing.
  if (tables === undefined) return strangeAnswer('EC2', 200)
  const routes = config.routeTables.map((id) => {
    const table = tables.find(({ RouteTableId }) => RouteTableId === id)
    return [id, table === undefined ? undefined : routeIn(table, config.destination)] as const
  })
  return { kind: 'answered', answer: Object.fromEntries(routes) }
}

/** A route that was written wins over one of the same destination that was propagated or advertised. */
function routeIn({ Routes = [] }: RouteTable, destination: string): Route | null {
  const same = Routes.filter((route) => destinationOf(route) === destination)
  return same.find(({ Origin }) => Origin === 'CreateRoute') ?? same[0] ?? null
}

function destinationOf(route: Route): string | undefined {
  const network = route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock
  return network === undefined ? route.DestinationPrefixListId : (canonicalNetwork(network) ?? network)
}

export const advertised = 'what a Route Server advertises'

export function placementIn(routes: Routes): Placement {
  const places = Object.entries(routes).map(([table, route]) => [table, placeOf(route)] as const)
  return Object.fromEntries(places)
}

function placeOf(route: Route | null | undefined): string | null {
  if (route === undefined) return 'no such route table'
  if (route === null) return null
  if (route.Origin === 'Advertisement') return advertised
  const to = route.NetworkInterfaceId ?? gatewayOf(route)
  return route.State === 'blackhole' ? `a black hole (${to})` : to
}

function gatewayOf(route: Route): string {
  const ids = [route.GatewayId, route.NatGatewayId, route.TransitGatewayId, route.VpcPeeringConnectionId]
  const rarer = [route.EgressOnlyInternetGatewayId, route.LocalGatewayId, route.CarrierGatewayId, route.CoreNetworkArn]
  return [...ids, ...rarer, route.InstanceId].find((id) => id !== undefined) ?? 'something unnamed'
}

/** What a route is made of, for both commands. */
export function routeInput({ config }: Pick<Binding, 'config'>, table: string, to: string) {
  const { destination } = config
  const key = destination.startsWith('pl-')
    ? { DestinationPrefixListId: destination }
    : destination.includes(':')
      ? { DestinationIpv6CidrBlock: destination }
      : { DestinationCidrBlock: destination }
  return { RouteTableId: table, NetworkInterfaceId: to, ...key }
}

export type RouteInput = ReturnType<typeof routeInput>
