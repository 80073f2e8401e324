/** The world of the aws-route adapter: one destination in the route tables of the strict EC2. */
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAwsRoute } from '../../../adapters/aws-route/adapter.ts'
import { awsRouteSchema } from '../../../adapters/aws-route/schema.ts'
import type { Ec2 } from '../../../infra/lab/clouds/ec2.ts'
import { putRoute, type Route } from '../../../infra/lab/clouds/ec2-state.ts'
import type { Place } from '../adapter-cases.ts'
import { commonPlace, createEc2World, type Ec2World, interfaceOf, placeOf } from '../aws/ec2-world.ts'

export const destination = '10.99.0.10/32'

export const lab = {
  addresses: [],
  interfaces: ['1', '2', '9'].map((n) => ({
    networkInterfaceId: `eni-${n}`,
    instanceId: `i-${n}`,
    privateIpAddresses: [`10.0.0.${n}`],
    sourceDestCheck: false,
  })),
  routeTables: ['rtb-1', 'rtb-2', 'rtb-3'].map((routeTableId) => ({
    routeTableId,
    routes: [{ destination: '10.0.0.0/16', to: 'local', origin: 'CreateRouteTable' as const }],
  })),
}

export type RouteOptions = {
  readonly destination?: string
  readonly routeTables?: readonly string[]
  readonly callTimeoutMs?: number
}

export function adapterAt(endpoint: string, options: RouteOptions = {}): Adapter {
  const { routeTables = ['rtb-1'], callTimeoutMs } = options
  const given = { region: 'eu-west-1', destination: options.destination ?? destination, routeTables: [...routeTables] }
  const config = awsRouteSchema.config.parse({ ...given, endpoint })
  const targets = { n1: { networkInterfaceId: 'eni-1' }, n2: { networkInterfaceId: 'eni-2' } }
  const input = { service: 'web', binding: 'route', config, targets }
  return createAwsRoute(input, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

export function routeWorld(options: RouteOptions = {}): Promise<Ec2World> {
  const { routeTables = ['rtb-1'] } = options
  const to = options.destination ?? destination
  return createEc2World({
    lab,
    actions: { observe: ['DescribeRouteTables'], apply: ['ReplaceRoute', 'CreateRoute'] },
    adapterAt: (url) => adapterAt(url, options),
    owner: (ec2) => commonPlace(routeTables.map((table) => at(ec2, table, to))),
    move: (ec2, place) => {
      for (const table of routeTables) lead(ec2, table, { to: place === null ? null : interfaceOf[place] }, to)
    },
  })
}

export function at(ec2: Ec2, table: string, to: string = destination): Place {
  return placeOf(routeIn(ec2, table, to)?.to ?? null)
}

export function routeIn(ec2: Ec2, table: string, to: string = destination): Route | undefined {
  const found = ec2.state().routeTables.find(({ routeTableId }) => routeTableId === table)
  return found?.routes.find((route) => route.destination === to)
}

type Somewhere = { readonly to: string | null; readonly origin?: Route['origin'] }

/** Somebody else changes where the route of one table leads. */
export function lead(ec2: Ec2, table: string, { to, origin = 'CreateRoute' }: Somewhere, network = destination): void {
  const route = to === null ? null : { destination: network, to, origin }
  ec2.change((state) => putRoute(state, table, { destination: network, route }))
}
