/** What is in the strict EC2: addresses, interfaces, subnets and route tables, as immutable data. */

/** Addresses of both families can be moved between interfaces. Those without an instance are allowed, as in EC2. */
export type NetworkInterface = {
  readonly networkInterfaceId: string
  readonly instanceId?: string | undefined
  /** Default: `subnet-0`. */
  readonly subnetId?: string | undefined
  /** The first one is the primary. */
  readonly privateIpAddresses: readonly string[]
  /** In the one spelling that EC2 answers with. */
  readonly ipv6Addresses?: readonly string[] | undefined
  /** Default: true, as EC2 makes them. Only without it does an interface take what is not addressed to itself. */
  readonly sourceDestCheck?: boolean | undefined
  /** How many addresses of each family its instance's type allows. Default: 30. */
  readonly addressLimit?: number | undefined
}

export type Association = {
  readonly associationId: string
  readonly networkInterfaceId: string
  readonly privateIpAddress: string
}

export type ElasticIp = {
  readonly allocationId: string
  readonly publicIp: string
  readonly association: Association | null
  /** The service of AWS's that made it: alb, nlb, rnat, rds. */
  readonly serviceManaged?: string | undefined
}

/** A subnet that is not listed takes any address. */
export type Subnet = {
  readonly subnetId: string
  readonly cidrBlock: string
  readonly ipv6CidrBlock?: string | undefined
}

export type Route = {
  /** A network of either family, or the id of a prefix list. */
  readonly destination: string
  /** What it leads to: an interface, a gateway. One that is not there, or stands alone, makes it a black hole. */
  readonly to: string
  /** `Advertisement`: by a Route Server. */
  readonly origin: 'CreateRouteTable' | 'CreateRoute' | 'EnableVgwRoutePropagation' | 'Advertisement'
}

export type RouteTable = { readonly routeTableId: string; readonly routes: readonly Route[] }

export type Ec2State = {
  readonly addresses: readonly ElasticIp[]
  readonly interfaces: readonly NetworkInterface[]
  readonly subnets: readonly Subnet[]
  readonly routeTables: readonly RouteTable[]
}

export const defaultSubnetId = 'subnet-0'

export function interfaceOf(state: Ec2State, id: string | undefined): NetworkInterface | undefined {
  return state.interfaces.find(({ networkInterfaceId }) => networkInterfaceId === id)
}

export function subnetIdOf({ subnetId = defaultSubnetId }: NetworkInterface): string {
  return subnetId
}

/** Nothing comes through it: what it leads to is gone, or is an interface that no instance has. */
export function isBlackhole(state: Ec2State, { to }: Route): boolean {
  return to.startsWith('eni-') && interfaceOf(state, to)?.instanceId === undefined
}

/** The state in which an address stands for a place (or for none), and no other address does. */
export function associate(
  state: Ec2State,
  { allocationId, association }: { readonly allocationId: string; readonly association: Association | null },
): Ec2State {
  const addresses = state.addresses.map((address) => {
    if (address.allocationId === allocationId) return { ...address, association }
    const displaced =
      association !== null && address.association !== null && samePlace(address.association, association)
    return displaced ? { ...address, association: null } : address
  })
  return { ...state, addresses }
}

export type Place = { readonly networkInterfaceId: string; readonly privateIpAddress: string }

export function samePlace(one: Place, other: Place): boolean {
  return one.networkInterfaceId === other.networkInterfaceId && one.privateIpAddress === other.privateIpAddress
}

/**
 * The state in which a secondary private address is at an interface (null: at none) of all those in its subnet. An
 * Elastic IP that stands for it goes with it, and stays behind when it goes nowhere.
 */
export function moveAddress(state: Ec2State, address: string, to: string | null): Ec2State {
  const from = state.interfaces.find((one) => addressesOf(one, address).includes(address))
  const interfaces = state.interfaces.map((one) => {
    const others = addressesOf(one, address).filter((known) => known !== address)
    const isThere = one.networkInterfaceId === to
    if (!isThere && one !== from) return one
    const addresses = isThere ? [...others, address] : others
    return address.includes(':') ? { ...one, ipv6Addresses: addresses } : { ...one, privateIpAddresses: addresses }
  })
  const addresses = state.addresses.map((elastic) => {
    const { association } = elastic
    if (from === undefined || association?.networkInterfaceId !== from.networkInterfaceId) return elastic
    if (association.privateIpAddress !== address) return elastic
    return { ...elastic, association: to === null ? null : { ...association, networkInterfaceId: to } }
  })
  return { ...state, interfaces, addresses }
}

/** All addresses of an interface that are of the same family as `like`. */
export function addressesOf(
  { privateIpAddresses, ipv6Addresses = [] }: NetworkInterface,
  like: string,
): readonly string[] {
  return like.includes(':') ? ipv6Addresses : privateIpAddresses
}

/** The state in which a table has this route to its destination (null: none). */
export function putRoute(
  state: Ec2State,
  routeTableId: string,
  { destination, route }: { readonly destination: string; readonly route: Route | null },
): Ec2State {
  const routeTables = state.routeTables.map((table) => {
    if (table.routeTableId !== routeTableId) return table
    const others = table.routes.filter((known) => known.destination !== destination)
    return { ...table, routes: route === null ? others : [...others, route] }
  })
  return { ...state, routeTables }
}
