/**
 * Private addresses of interfaces in the strict EC2. IPv4 addresses are taken from another interface of the subnet when
 * that is allowed, never one that is its primary; IPv6 addresses are only ever taken by whom nobody is before.
 */
import { BlockList, isIP } from 'node:net'
import {
  type Ec2Request,
  type Ec2Result,
  error,
  type Fields,
  filter,
  flag,
  list,
  missingParameter,
  noInterface,
  type Refusal,
  type Tree,
} from './ec2-request.ts'
import {
  addressesOf,
  type Ec2State,
  interfaceOf,
  moveAddress,
  type NetworkInterface,
  type Place,
  samePlace,
  subnetIdOf,
} from './ec2-state.ts'

const fields: Fields<NetworkInterface> = {
  'network-interface-id': ({ networkInterfaceId }) => [networkInterfaceId],
  'attachment.instance-id': ({ instanceId }) => [instanceId],
  'subnet-id': (one) => [subnetIdOf(one)],
  'addresses.private-ip-address': ({ privateIpAddresses }) => privateIpAddresses,
  'ipv6-addresses.ipv6-address': ({ ipv6Addresses = [] }) => ipv6Addresses,
}

export function describeNetworkInterfaces(state: Ec2State, request: Ec2Request): Ec2Result {
  const ids = list(request, 'NetworkInterfaceId')
  const missing = ids.find((id) => interfaceOf(state, id) === undefined)
  if (missing !== undefined) return noInterface(missing)
  const named = state.interfaces.filter((one) => ids.length === 0 || ids.includes(one.networkInterfaceId))
  const filtered = filter(request, named, fields)
  if ('kind' in filtered) return filtered
  return { kind: 'answer', state, answer: { networkInterfaceSet: filtered.items.map((one) => described(state, one)) } }
}

function described(state: Ec2State, one: NetworkInterface): Tree {
  const { networkInterfaceId, instanceId, privateIpAddresses, ipv6Addresses = [], sourceDestCheck = true } = one
  return {
    networkInterfaceId,
    subnetId: subnetIdOf(one),
    status: instanceId === undefined ? 'available' : 'in-use',
    sourceDestCheck,
    privateIpAddress: privateIpAddresses[0],
    attachment: instanceId === undefined ? undefined : { instanceId, status: 'attached' },
    privateIpAddressesSet: privateIpAddresses.map((privateIpAddress, i) => ({
      privateIpAddress,
      primary: i === 0,
      association: elasticIpOn(state, { networkInterfaceId, privateIpAddress }),
    })),
    ipv6AddressesSet: ipv6Addresses.map((ipv6Address) => ({ ipv6Address })),
  }
}

function elasticIpOn(state: Ec2State, place: Place): Tree | undefined {
  const found = state.addresses.find(({ association }) => association !== null && samePlace(association, place))
  if (found === undefined || found.association === null) return undefined
  const { publicIp, allocationId, association } = found
  return { publicIp, allocationId, associationId: association.associationId }
}

export function assignPrivateIpAddresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request, 'PrivateIpAddress')
  if ('kind' in asked) return asked
  const { one, addresses } = asked
  const refusal =
    addresses.map((address) => whyNotIpv4(state, request, { one, address })).find((why) => why !== undefined) ??
    tooMany(one, addresses, 'PrivateIpAddressLimitExceeded')
  if (refusal !== undefined) return refusal
  return {
    kind: 'answer',
    state: addresses
      .filter((address) => !one.privateIpAddresses.includes(address))
      .reduce((next, address) => moveAddress(next, address, one.networkInterfaceId), state),
    answer: {
      return: true,
      networkInterfaceId: one.networkInterfaceId,
      assignedPrivateIpAddressesSet: addresses.map((privateIpAddress) => ({ privateIpAddress })),
    },
  }
}

type Wanted = { readonly one: NetworkInterface; readonly address: string }

function whyNotIpv4(state: Ec2State, request: Ec2Request, { one, address }: Wanted): Refusal | undefined {
  const outside = outsideSubnet(state, { one, address })
  if (outside !== undefined) return outside
  const holder = holderOf(state, { one, address })
  if (holder === undefined || holder === one) return undefined
  if (holder.privateIpAddresses[0] === address) {
    return error(
      'InvalidParameterValue',
      `The primary private address ${address} of an interface cannot be reassigned.`,
    )
  }
  if (flag(request, 'AllowReassignment', false)) return undefined
  return error('InvalidParameterValue', `[${address}] is already assigned to another interface in the subnet`)
}

export function unassignPrivateIpAddresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request, 'PrivateIpAddress')
  if ('kind' in asked) return asked
  const { one, addresses } = asked
  if (addresses.includes(one.privateIpAddresses[0]!)) {
    return error('InvalidParameterValue', 'The primary IP address of an interface cannot be unassigned.')
  }
  return notItsOwn(asked) ?? taken(state, asked, {})
}

export function assignIpv6Addresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request, 'Ipv6Addresses')
  if ('kind' in asked) return asked
  const { one, addresses } = asked
  const { networkInterfaceId, ipv6Addresses = [] } = one
  const refusal =
    addresses.map((address) => whyNotIpv6(state, { one, address })).find((why) => why !== undefined) ??
    tooMany(one, addresses, 'PrivateIpAddressLimitExceeded')
  if (refusal !== undefined) return refusal
  // What the interface has already is neither refused nor listed in the answer.
  const added = addresses.filter((address) => !ipv6Addresses.includes(address))
  return {
    kind: 'answer',
    state: added.reduce((next, address) => moveAddress(next, address, networkInterfaceId), state),
    answer: { networkInterfaceId, assignedIpv6Addresses: added },
  }
}

function whyNotIpv6(state: Ec2State, wanted: Wanted): Refusal | undefined {
  const outside = outsideSubnet(state, wanted)
  if (outside !== undefined) return outside
  const holder = holderOf(state, wanted)
  if (holder === undefined || holder === wanted.one) return undefined
  return error('InvalidParameterValue', `[${wanted.address}] is already assigned to another interface`)
}

export function unassignIpv6Addresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const asked = askedOf(state, request, 'Ipv6Addresses')
  if ('kind' in asked) return asked
  const { networkInterfaceId } = asked.one
  return notItsOwn(asked) ?? taken(state, asked, { networkInterfaceId, unassignedIpv6Addresses: asked.addresses })
}

type Asked = { readonly one: NetworkInterface; readonly addresses: readonly string[] }

/** The interface and the addresses of a request. */
function askedOf(state: Ec2State, request: Ec2Request, name: string): Asked | Refusal {
  const { NetworkInterfaceId: id } = request.params
  if (id === undefined) return missingParameter('NetworkInterfaceId')
  const one = interfaceOf(state, id)
  if (one === undefined) return noInterface(id)
  const addresses = list(request, name)
  if (addresses.length === 0) return missingParameter(name)
  const family = name === 'Ipv6Addresses' ? 6 : 4
  const malformed = addresses.find((address) => isIP(address) !== family)
  if (malformed !== undefined) return error('InvalidParameterValue', `Invalid IPv${family} address: ${malformed}`)
  return { one, addresses }
}

function notItsOwn({ one, addresses }: Asked): Refusal | undefined {
  if (addresses.every((address) => addressesOf(one, address).includes(address))) return undefined
  const message = `Some of the specified addresses are not assigned to interface ${one.networkInterfaceId}`
  return error('InvalidParameterValue', message)
}

function taken(state: Ec2State, { addresses }: Asked, answer: Readonly<Record<string, Tree>>): Ec2Result {
  const after = addresses.reduce((next, address) => moveAddress(next, address, null), state)
  return { kind: 'answer', state: after, answer: { return: true, ...answer } }
}

/** Private IPv4 addresses are known in their subnet only. */
function holderOf(state: Ec2State, { one, address }: Wanted): NetworkInterface | undefined {
  return state.interfaces.find(
    (other) => subnetIdOf(other) === subnetIdOf(one) && addressesOf(other, address).includes(address),
  )
}

function outsideSubnet(state: Ec2State, { one, address }: Wanted): Refusal | undefined {
  const subnet = state.subnets.find(({ subnetId }) => subnetId === subnetIdOf(one))
  if (subnet === undefined) return undefined
  const isIpv6 = address.includes(':')
  const block = isIpv6 ? subnet.ipv6CidrBlock : subnet.cidrBlock
  const [network, length] = (block ?? '').split('/')
  const range = new BlockList()
  if (network) range.addSubnet(network, Number(length), isIpv6 ? 'ipv6' : 'ipv4')
  if (range.check(address, isIpv6 ? 'ipv6' : 'ipv4')) return undefined
  return error('InvalidParameterValue', `Address ${address} does not fall within the subnet's address range`)
}

function tooMany(one: NetworkInterface, addresses: readonly string[], code: string): Refusal | undefined {
  const { addressLimit = 30, networkInterfaceId } = one
  const all = new Set([...addressesOf(one, addresses[0]!), ...addresses])
  if (all.size <= addressLimit) return undefined
  return error(
    code,
    `Number of private addresses will exceed limit. Interface ${networkInterfaceId} may have ${addressLimit}.`,
  )
}
