/**
 * Elastic IPs in the strict EC2. They move by themselves unless that is forbidden; every move makes a new association
 * id; an id of the past is unknown; an address that already stands for the target is displaced.
 */
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
import { associate, type Ec2State, type ElasticIp, interfaceOf, type Place, samePlace } from './ec2-state.ts'

export function describeAddresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const ids = list(request, 'AllocationId')
  const publicIps = list(request, 'PublicIp')
  const missingId = ids.find((id) => !state.addresses.some(({ allocationId }) => allocationId === id))
  if (missingId !== undefined) return noAllocation(missingId)
  const missingIp = publicIps.find((ip) => !state.addresses.some(({ publicIp }) => publicIp === ip))
  if (missingIp !== undefined) return error('InvalidAddress.NotFound', `Address '${missingIp}' not found.`)
  const found = state.addresses
    .filter(({ allocationId }) => ids.length === 0 || ids.includes(allocationId))
    .filter(({ publicIp }) => publicIps.length === 0 || publicIps.includes(publicIp))
  const filtered = filter(request, found, fieldsIn(state))
  if ('kind' in filtered) return filtered
  return { kind: 'answer', state, answer: { addressesSet: filtered.items.map((one) => described(state, one)) } }
}

function fieldsIn(state: Ec2State): Fields<ElasticIp> {
  return {
    'allocation-id': ({ allocationId }) => [allocationId],
    'association-id': ({ association }) => [association?.associationId],
    'network-interface-id': ({ association }) => [association?.networkInterfaceId],
    'private-ip-address': ({ association }) => [association?.privateIpAddress],
    'public-ip': ({ publicIp }) => [publicIp],
    'instance-id': ({ association }) => [interfaceOf(state, association?.networkInterfaceId)?.instanceId],
  }
}

function described(state: Ec2State, { allocationId, publicIp, association, serviceManaged }: ElasticIp): Tree {
  const instanceId = interfaceOf(state, association?.networkInterfaceId)?.instanceId
  return {
    publicIp,
    networkBorderGroup: 'eu-west-1',
    ...(serviceManaged === undefined ? {} : { serviceManaged }),
    allocationId,
    domain: 'vpc',
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(association === null ? {} : { ...association, networkInterfaceOwnerId: '000000000000' }),
  }
}

export function associateAddress(state: Ec2State, request: Ec2Request, associationId: string): Ec2Result {
  const { AllocationId: allocationId } = request.params
  if (allocationId === undefined) return missingParameter('AllocationId')
  const address = state.addresses.find((entry) => entry.allocationId === allocationId)
  if (address === undefined) return noAllocation(allocationId)
  const place = placeOf(state, request)
  if ('kind' in place) return place

  const { association } = address
  // Idempotent: the same association again is no reassociation, and keeps its id.
  if (association !== null && samePlace(association, place)) return associated(state, association.associationId)
  if (association !== null && !flag(request, 'AllowReassociation', true)) {
    const { associationId: present } = association
    const message = `resource ${allocationId} is already associated with associate-id ${present}`
    return error('Resource.AlreadyAssociated', message)
  }
  return associated(associate(state, { allocationId, association: { associationId, ...place } }), associationId)
}

function associated(state: Ec2State, associationId: string): Ec2Result {
  return { kind: 'answer', state, answer: { return: true, associationId } }
}

/** The interface and private address that a request names, by either of the two ways of naming it. */
function placeOf(state: Ec2State, { params }: Ec2Request): Place | Refusal {
  const { InstanceId: instanceId, NetworkInterfaceId: networkInterfaceId, PrivateIpAddress: wanted } = params
  if (instanceId !== undefined && networkInterfaceId !== undefined) {
    return error('InvalidParameterCombination', 'You may specify an instance or a network interface, but not both')
  }
  if (instanceId === undefined && networkInterfaceId === undefined) return missingParameter('NetworkInterfaceId')
  const named = networkInterfaceId === undefined ? onlyInterfaceOf(state, instanceId!) : networkInterfaceId
  if (typeof named !== 'string') return named
  const found = interfaceOf(state, named)
  if (found === undefined) return noInterface(named)
  const privateIpAddress = wanted ?? found.privateIpAddresses[0]!
  if (!found.privateIpAddresses.includes(privateIpAddress)) {
    const message = `Invalid value '${privateIpAddress}' for PrivateIpAddress. Not an address of interface '${named}'.`
    return error('InvalidParameterValue', message)
  }
  return { networkInterfaceId: named, privateIpAddress }
}

function onlyInterfaceOf(state: Ec2State, instanceId: string): string | Refusal {
  const interfaces = state.interfaces.filter((entry) => entry.instanceId === instanceId)
  if (interfaces.length === 0) {
    return error('InvalidInstanceID.NotFound', `The instance ID '${instanceId}' does not exist`)
  }
  if (interfaces.length > 1) {
    const message = `There are multiple interfaces attached to instance '${instanceId}'. Please specify an interface ID.`
    return error('InvalidInstanceID', message)
  }
  return interfaces[0]!.networkInterfaceId
}

export function disassociateAddress(state: Ec2State, { params }: Ec2Request): Ec2Result {
  const { AssociationId: associationId } = params
  if (associationId === undefined) return missingParameter('AssociationId')
  const address = state.addresses.find((entry) => entry.association?.associationId === associationId)
  if (address === undefined) {
    return error('InvalidAssociationID.NotFound', `The association ID '${associationId}' does not exist`)
  }
  const { allocationId } = address
  return { kind: 'answer', state: associate(state, { allocationId, association: null }), answer: { return: true } }
}

function noAllocation(id: string): Refusal {
  return error('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`)
}
