/**
 * An Elastic IP that follows a service: one address, moved between private addresses of network interfaces.
 *
 *   observe   DescribeAddresses                        the association id is the token
 *   apply     AssociateAddress, reassociation allowed  one step; the last writer wins
 *   strict    DisassociateAddress(token), then AssociateAddress without reassociation: each is refused when the
 *             address is no longer as observed, for the price of a moment in which it points nowhere
 *   preflight dry runs of both for each node; whether the address, each interface and its private address exist
 *
 * What the credentials must allow: ec2:DescribeAddresses and ec2:DescribeNetworkInterfaces; ec2:AssociateAddress (in
 * strict mode also ec2:DisassociateAddress) on the elastic-ip, on the network-interfaces of all targets, and on their
 * instances.
 */
import {
  type Address,
  AssociateAddressCommand,
  type AssociateAddressCommandInput,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  type NetworkInterface,
} from '@aws-sdk/client-ec2'
import type { Adapter, AdapterInput, Finding, Move, Observation, Outcome, Raw } from '../adapter.ts'
import type { Called } from '../aws/call.ts'
import { createEc2, type Ec2Binding, type Ec2Options, ec2Timing } from '../aws/ec2.ts'
import { dryRun, failed, findingOf, passed, tryInterfaces, untried } from '../aws/trial.ts'
import { noTarget, strangeAnswer } from '../failures.ts'
import { targetOf } from '../targets.ts'
import type { AwsEipConfig, AwsEipTarget } from './schema.ts'

type Binding = Ec2Binding<AwsEipConfig, AwsEipTarget>

export function createAwsEip(input: AdapterInput<AwsEipConfig, AwsEipTarget>, options: Ec2Options = {}): Adapter {
  const binding: Binding = { ...input, ec2: createEc2(input.config, options) }
  return {
    capabilities: { cas: input.config.strict ? 'stepwise' : 'none', dryRun: true, ipv6: false, ...ec2Timing },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => binding.ec2.dispose(),
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const called = await describe(binding, signal)
  return called.kind === 'answered'
    ? observationOf(called.answer, binding.targets)
    : { kind: 'unknown', failure: called }
}

async function describe({ ec2, config }: Binding, signal: AbortSignal): Promise<Called<Address>> {
  const command = new DescribeAddressesCommand({ AllocationIds: [config.allocationId] })
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  // The SDK takes any page with status 200 for an answer in which everything is missing.
  if (called.answer.Addresses === undefined) return strangeAnswer('EC2', 200)
  const address = called.answer.Addresses.find(({ AllocationId }) => AllocationId === config.allocationId)
  if (address !== undefined) return { kind: 'answered', answer: address }
  const message = `the provider knows no address ${config.allocationId}`
  return { kind: 'permanent', code: 'InvalidAllocationID.NotFound', message }
}

function observationOf(address: Address, targets: Binding['targets']): Observation {
  const { AssociationId: token, NetworkInterfaceId, PrivateIpAddress } = address
  const raw = rawOf(address)
  if (token === undefined) return { kind: 'none', token: null, raw }
  const node = Object.entries(targets).find(
    ([, target]) => target.networkInterfaceId === NetworkInterfaceId && target.privateIpAddress === PrivateIpAddress,
  )?.[0]
  if (node !== undefined) return { kind: 'node', node, token, raw }
  const place = NetworkInterfaceId ?? address.InstanceId ?? 'something unnamed'
  return { kind: 'foreign', what: `${place} (${PrivateIpAddress ?? 'no private address'})`, token, raw }
}

function rawOf(address: Address): Raw {
  return {
    allocationId: address.AllocationId ?? null,
    publicIp: address.PublicIp ?? null,
    associationId: address.AssociationId ?? null,
    networkInterfaceId: address.NetworkInterfaceId ?? null,
    privateIpAddress: address.PrivateIpAddress ?? null,
    instanceId: address.InstanceId ?? null,
    networkBorderGroup: address.NetworkBorderGroup ?? null,
    serviceManaged: address.ServiceManaged ?? null,
  }
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const { ec2, config, targets } = binding
  const target = targetOf(targets, move.node)
  // Before anything is taken away for it.
  if (target === undefined) return noTarget(move.node)
  if (config.strict && move.token !== null) {
    const command = new DisassociateAddressCommand({ AssociationId: move.token })
    const called = await ec2.ask((client, options) => client.send(command, options), signal)
    if (called.kind !== 'answered') return called
  }
  // Reassociation is what AWS does anyway when it is not forbidden; imitations of it need to be told.
  const command = association(binding, target, { AllowReassociation: !config.strict })
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  return called.answer.AssociationId === undefined ? strangeAnswer('EC2', 200) : { kind: 'done' }
}

function association(
  { config }: Binding,
  { networkInterfaceId, privateIpAddress }: AwsEipTarget,
  more: Pick<AssociateAddressCommandInput, 'AllowReassociation' | 'DryRun'>,
): AssociateAddressCommand {
  return new AssociateAddressCommand({
    AllocationId: config.allocationId,
    NetworkInterfaceId: networkInterfaceId,
    PrivateIpAddress: privateIpAddress,
    ...more,
  })
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const [described, interfaces, associations] = await Promise.all([
    describe(binding, signal),
    tryInterfaces(binding, whyNotPlace, signal),
    Promise.all(Object.entries(binding.targets).map((each) => tryAssociation(binding, each, signal))),
  ])
  const { allocationId, strict } = binding.config
  const check = `ec2:DescribeAddresses ${allocationId}`
  const address = described.kind === 'answered' ? tryAddress(check, described.answer) : findingOf(check, described)
  const token = described.kind === 'answered' ? described.answer.AssociationId : undefined
  const disassociation = strict ? [await tryDisassociation(binding, token, signal)] : []
  return [address, ...interfaces, ...associations, ...disassociation]
}

/** An address that a service of AWS's has made is that service's to move. */
function tryAddress(check: string, { ServiceManaged }: Address): Finding {
  if (ServiceManaged === undefined) return passed(check)
  return failed(check, `it is managed by ${ServiceManaged}, which moves it itself: allocate one of your own`)
}

function whyNotPlace(found: NetworkInterface, { privateIpAddress }: AwsEipTarget): string | null {
  const all = (found.PrivateIpAddresses ?? []).map((one) => one.PrivateIpAddress)
  if (all.includes(privateIpAddress)) return null
  return `it has no address ${privateIpAddress}, but ${all.join(', ') || 'none'}`
}

function tryAssociation(
  binding: Binding,
  [node, target]: [string, AwsEipTarget],
  signal: AbortSignal,
): Promise<Finding> {
  const { networkInterfaceId, privateIpAddress } = target
  const { allocationId } = binding.config
  const check = `ec2:AssociateAddress ${allocationId} to ${networkInterfaceId}, ${privateIpAddress} (${node})`
  // Where it is now must not matter: what is tried is the permission.
  const command = association(binding, target, { AllowReassociation: true, DryRun: true })
  return dryRun(binding.ec2, check, (client, options) => client.send(command, options), signal)
}

async function tryDisassociation(
  { ec2, config }: Binding,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  const check = `ec2:DisassociateAddress ${config.allocationId}`
  if (token === undefined) return untried(check, 'the address points nowhere, so that there is nothing to take away')
  const command = new DisassociateAddressCommand({ AssociationId: token, DryRun: true })
  return dryRun(ec2, check, (client, options) => client.send(command, options), signal)
}
