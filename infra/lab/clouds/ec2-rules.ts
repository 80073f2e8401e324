/**
 * What EC2's address actions do, by AWS's rules: functions of (state, request) that return the state after it.
 *
 * The rules are stricter than those of the usual imitations where AWS is, because an adapter that is only tested
 * against leniency fails in production. Elastic IPs move by themselves unless that is forbidden; every move makes a
 * new association id; an id of the past is unknown; an address that already stands for the target is displaced.
 */

/** The fixed part of the world. Interfaces without an instance are allowed, as in EC2. */
export type NetworkInterface = {
  readonly networkInterfaceId: string
  readonly instanceId?: string | undefined
  /** The first one is the primary. */
  readonly privateIpAddresses: readonly string[]
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
}

export type Ec2State = { readonly addresses: readonly ElasticIp[]; readonly interfaces: readonly NetworkInterface[] }

/** A request that has already been authenticated. Parameters are named as on the wire: `AllocationId.1`. */
export type Ec2Request = { readonly action: string; readonly params: Readonly<Record<string, string>> }

/** What an answer's XML is made of: arrays become `<item>` elements, undefined entries are left out. */
export type Tree = string | boolean | readonly Tree[] | { readonly [name: string]: Tree | undefined }

export type Ec2Result =
  | { readonly kind: 'answer'; readonly state: Ec2State; readonly answer: Readonly<Record<string, Tree>> }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

/** Carries out one request. `associationId` is the id that a new association will have. */
export function perform(state: Ec2State, request: Ec2Request, associationId: string): Ec2Result {
  const result = act(state, request, associationId)
  // Only a request that would have succeeded is told so.
  if (result.kind === 'answer' && flag(request, 'DryRun', false)) {
    return error('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.')
  }
  return result
}

function act(state: Ec2State, request: Ec2Request, associationId: string): Ec2Result {
  switch (request.action) {
    case 'DescribeAddresses':
      return describeAddresses(state, request)
    case 'DescribeNetworkInterfaces':
      return describeNetworkInterfaces(state, request)
    case 'AssociateAddress':
      return associateAddress(state, request, associationId)
    case 'DisassociateAddress':
      return disassociateAddress(state, request)
    default:
      return error('InvalidAction', `The action ${request.action} is not valid for this web service.`)
  }
}

function describeAddresses(state: Ec2State, request: Ec2Request): Ec2Result {
  const ids = list(request, 'AllocationId')
  const publicIps = list(request, 'PublicIp')
  const missingId = ids.find((id) => !state.addresses.some(({ allocationId }) => allocationId === id))
  if (missingId !== undefined) return noAllocation(missingId)
  const missingIp = publicIps.find((ip) => !state.addresses.some(({ publicIp }) => publicIp === ip))
  if (missingIp !== undefined) return error('InvalidAddress.NotFound', `Address '${missingIp}' not found.`)
  const found = state.addresses
    .filter(({ allocationId }) => ids.length === 0 || ids.includes(allocationId))
    .filter(({ publicIp }) => publicIps.length === 0 || publicIps.includes(publicIp))
    .map((address) => describedAddress(state, address))
  const filtered = filter(request, found, {
    'allocation-id': 'allocationId',
    'association-id': 'associationId',
    'network-interface-id': 'networkInterfaceId',
    'private-ip-address': 'privateIpAddress',
    'public-ip': 'publicIp',
    'instance-id': 'instanceId',
  })
  return 'kind' in filtered ? filtered : { kind: 'answer', state, answer: { addressesSet: filtered.items } }
}

function describedAddress(state: Ec2State, { allocationId, publicIp, association }: ElasticIp): Described {
  const instanceId = interfaceOf(state, association?.networkInterfaceId)?.instanceId
  return {
    publicIp,
    allocationId,
    domain: 'vpc',
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(association === null ? {} : { ...association, networkInterfaceOwnerId: '000000000000' }),
  }
}

function describeNetworkInterfaces(state: Ec2State, request: Ec2Request): Ec2Result {
  const ids = list(request, 'NetworkInterfaceId')
  const missing = ids.find((id) => interfaceOf(state, id) === undefined)
  if (missing !== undefined) return noInterface(missing)
  const flat = state.interfaces
    .filter(({ networkInterfaceId }) => ids.length === 0 || ids.includes(networkInterfaceId))
    .map(({ networkInterfaceId, instanceId }) => ({ networkInterfaceId, ...(instanceId ? { instanceId } : {}) }))
  const filtered = filter(request, flat, {
    'network-interface-id': 'networkInterfaceId',
    'attachment.instance-id': 'instanceId',
  })
  if ('kind' in filtered) return filtered
  const items = filtered.items.map(({ networkInterfaceId }) => {
    const { instanceId, privateIpAddresses } = interfaceOf(state, networkInterfaceId)!
    return {
      networkInterfaceId,
      status: instanceId === undefined ? 'available' : 'in-use',
      privateIpAddress: privateIpAddresses[0],
      attachment: instanceId === undefined ? undefined : { instanceId, status: 'attached' },
      privateIpAddressesSet: privateIpAddresses.map((privateIpAddress, i) => ({
        privateIpAddress,
        primary: i === 0,
        association: elasticIpOn(state, { networkInterfaceId: networkInterfaceId!, privateIpAddress }),
      })),
    } satisfies Tree
  })
  return { kind: 'answer', state, answer: { networkInterfaceSet: items } }
}

function elasticIpOn(state: Ec2State, place: Place): Tree | undefined {
  const found = state.addresses.find(({ association }) => association !== null && samePlace(association, place))
  if (found === undefined || found.association === null) return undefined
  const { publicIp, allocationId, association } = found
  return { publicIp, allocationId, associationId: association.associationId }
}

type Place = { readonly networkInterfaceId: string; readonly privateIpAddress: string }

function associateAddress(state: Ec2State, request: Ec2Request, associationId: string): Ec2Result {
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

function disassociateAddress(state: Ec2State, { params }: Ec2Request): Ec2Result {
  const { AssociationId: associationId } = params
  if (associationId === undefined) return missingParameter('AssociationId')
  const address = state.addresses.find((entry) => entry.association?.associationId === associationId)
  if (address === undefined) {
    return error('InvalidAssociationID.NotFound', `The association ID '${associationId}' does not exist`)
  }
  const { allocationId } = address
  return { kind: 'answer', state: associate(state, { allocationId, association: null }), answer: { return: true } }
}

type Refusal = Extract<Ec2Result, { kind: 'error' }>

function error(code: string, message: string): Refusal {
  return { kind: 'error', code, message }
}

function missingParameter(name: string): Refusal {
  return error('MissingParameter', `The request must contain the parameter ${name}`)
}

function noAllocation(id: string): Refusal {
  return error('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`)
}

function noInterface(id: string): Refusal {
  return error('InvalidNetworkInterfaceID.NotFound', `The networkInterface ID '${id}' does not exist`)
}

function interfaceOf(state: Ec2State, id: string | undefined): NetworkInterface | undefined {
  return state.interfaces.find(({ networkInterfaceId }) => networkInterfaceId === id)
}

function samePlace(one: Place, other: Place): boolean {
  return one.networkInterfaceId === other.networkInterfaceId && one.privateIpAddress === other.privateIpAddress
}

function flag({ params }: Ec2Request, name: string, absent: boolean): boolean {
  const value = params[name]
  return value === undefined ? absent : value.toLowerCase() === 'true'
}

/** The values of `Name.1`, `Name.2`, ... in that order. */
function list({ params }: Ec2Request, name: string): string[] {
  const values: string[] = []
  for (let i = 1; params[`${name}.${i}`] !== undefined; i += 1) values.push(params[`${name}.${i}`]!)
  return values
}

type Described = Readonly<Record<string, string>>

/** Applies `Filter.N.Name` and `Filter.N.Value.M`: all filters must match, each by any of its values. */
function filter(
  request: Ec2Request,
  items: readonly Described[],
  fields: Readonly<Record<string, string>>,
): { readonly items: readonly Described[] } | Refusal {
  let left = items
  for (let i = 1; request.params[`Filter.${i}.Name`] !== undefined; i += 1) {
    const name = request.params[`Filter.${i}.Name`]!
    const field = fields[name]
    if (field === undefined) return error('InvalidParameterValue', `The filter '${name}' is invalid`)
    const values = list(request, `Filter.${i}.Value`)
    left = left.filter((item) => values.includes(item[field] ?? ''))
  }
  return { items: left }
}
