/**
 * Secondary private addresses that follow a service: from one network interface to another of the same subnet.
 *
 *   observe   DescribeNetworkInterfaces, by subnet and address  one call for each family; the token says where each is
 *   IPv4      AssignPrivateIpAddresses, reassignment allowed    one step; the last writer wins; an Elastic IP goes along
 *   IPv6      UnassignIpv6Addresses from where it was observed, then AssignIpv6Addresses, which takes from nobody:
 *             each is refused when the address is elsewhere by then
 *   preflight whether each interface is there and in the subnet, and no address is an interface's primary one;
 *             EC2 has no dry run for what moves them
 *
 * An IPv6 address is nowhere between its two steps. Whoever is interrupted there loses nothing: it is observed as
 * nowhere, and the next apply begins with the second step. Both families are written at once, and neither waits for the
 * other. Assigning is asynchronous: only an observation says that it has happened.
 *
 * What the credentials must allow: ec2:DescribeNetworkInterfaces; ec2:AssignPrivateIpAddresses or ec2:AssignIpv6Addresses
 * and ec2:UnassignIpv6Addresses on the network-interfaces of all targets. An IPv6 address that somebody moved to another
 * interface comes back only with ec2:UnassignIpv6Addresses on that one, too.
 */
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
  UnassignIpv6AddressesCommand,
} from '@aws-sdk/client-ec2'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome, Raw } from '../adapter.ts'
import type { Called } from '../aws/call.ts'
import { createEc2, type Ec2Binding, type Ec2Options, ec2Timing } from '../aws/ec2.ts'
import { isNotAssigned } from '../aws/ec2-errors.ts'
import { canonicalAddress } from '../aws/networks.ts'
import { observationOf, outcomeOf, type Placement, placementOf } from '../aws/placement.ts'
import { failed, findingOf, passed, tryInterfaces, untried } from '../aws/trial.ts'
import { noTarget, strangeAnswer } from '../failures.ts'
import { targetOf } from '../targets.ts'
import { type AwsPrivateIpConfig, type AwsPrivateIpTarget, isIpv6 } from './schema.ts'

type Binding = Ec2Binding<AwsPrivateIpConfig, AwsPrivateIpTarget> & {
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
}

export function createAwsPrivateIp(
  input: AdapterInput<AwsPrivateIpConfig, AwsPrivateIpTarget>,
  options: Ec2Options = {},
): Adapter {
  const { addresses } = input.config
  const ipv4 = addresses.filter((address) => !isIpv6(address))
  const binding: Binding = { ...input, ec2: createEc2(input.config, options), ipv4, ipv6: addresses.filter(isIpv6) }
  return {
    // What takes IPv4 addresses asks nobody.
    capabilities: { cas: ipv4.length === 0 ? 'stepwise' : 'none', dryRun: false, ipv6: true, ...ec2Timing },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => binding.ec2.dispose(),
  }
}

/** An interface that has one of the addresses. */
type Holding = { readonly address: string; readonly networkInterfaceId: string; readonly isPrimary: boolean }

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const called = await holdings(binding, signal)
  if (called.kind !== 'answered') return { kind: 'unknown', failure: called }
  const placement = placementIn(binding, called.answer)
  return observationOf(placement, binding.targets, rawOf(placement, called.answer))
}

/** By address; in the moment of a move, or in an inconsistent answer, several interfaces may have the same one. */
function placementIn({ config }: Binding, all: readonly Holding[]): Placement {
  const places = config.addresses.map((address) => {
    const holders = all.filter((one) => one.address === address).map(({ networkInterfaceId }) => networkInterfaceId)
    return [address, holders.length === 0 ? null : holders.join(' and ')] as const
  })
  return Object.fromEntries(places)
}

function rawOf(placement: Placement, all: readonly Holding[]): Raw {
  const primary = all.filter(({ isPrimary }) => isPrimary).map(({ address }) => address)
  return primary.length === 0 ? placement : { ...placement, primary: primary.join(', ') }
}

async function holdings(binding: Binding, signal: AbortSignal): Promise<Called<readonly Holding[]>> {
  const { ipv4, ipv6 } = binding
  const calls = [
    ...(ipv4.length === 0
      ? []
      : [describe(binding, { name: 'addresses.private-ip-address', addresses: ipv4 }, signal)]),
    ...(ipv6.length === 0 ? [] : [describe(binding, { name: 'ipv6-addresses.ipv6-address', addresses: ipv6 }, signal)]),
  ]
  const all: Holding[] = []
  for (const called of await Promise.all(calls)) {
    if (called.kind !== 'answered') return called
    all.push(...called.answer)
  }
  return { kind: 'answered', answer: all }
}

/** The interfaces of the subnet that have any of these addresses. The same IPv4 address may be in another network, too. */
async function describe(
  { ec2, config }: Binding,
  { name, addresses }: { readonly name: string; readonly addresses: readonly string[] },
  signal: AbortSignal,
): Promise<Called<readonly Holding[]>> {
  const command = new DescribeNetworkInterfacesCommand({
    Filters: [
      { Name: 'subnet-id', Values: [config.subnetId] },
      { Name: name, Values: [...addresses] },
    ],
  })
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind !== 'answered') return called
  // The SDK takes any page with status 200 for an answer in which everything is missing.
  if (called.answer.NetworkInterfaces === undefined) return strangeAnswer('EC2', 200)
  const found = called.answer.NetworkInterfaces.flatMap(holdingsOf)
  return { kind: 'answered', answer: found.filter(({ address }) => addresses.includes(address)) }
}

function holdingsOf(found: NetworkInterface): readonly Holding[] {
  const { NetworkInterfaceId: networkInterfaceId = 'something unnamed' } = found
  const ipv4 = (found.PrivateIpAddresses ?? []).map(
    ({ PrivateIpAddress: address = '', Primary: isPrimary = false }) => {
      return { address, networkInterfaceId, isPrimary }
    },
  )
  const ipv6 = (found.Ipv6Addresses ?? []).map(({ Ipv6Address = '' }) => {
    return { address: Ipv6Address === '' ? '' : canonicalAddress(Ipv6Address), networkInterfaceId, isPrimary: false }
  })
  return [...ipv4, ...ipv6]
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const { ipv4, ipv6, targets } = binding
  const to = targetOf(targets, move.node)?.networkInterfaceId
  // Before anything is taken away for it.
  if (to === undefined) return noTarget(move.node)
  const parts = await Promise.all([
    ...(ipv4.length === 0 ? [] : [named(ipv4, assignIpv4(binding, to, signal))]),
    ...(ipv6.length === 0 ? [] : [named(ipv6, moveIpv6(binding, { to, token: move.token }, signal))]),
  ])
  return outcomeOf(parts)
}

async function named(addresses: readonly string[], outcome: Promise<Outcome>) {
  return { part: addresses.join(', '), outcome: await outcome }
}

async function assignIpv4({ ec2, ipv4 }: Binding, to: string, signal: AbortSignal): Promise<Outcome> {
  const command = new AssignPrivateIpAddressesCommand({
    NetworkInterfaceId: to,
    PrivateIpAddresses: [...ipv4],
    AllowReassignment: true,
  })
  return written(await ec2.ask((client, options) => client.send(command, options), signal))
}

async function moveIpv6(
  binding: Binding,
  { to, token }: { readonly to: string; readonly token: Move['token'] },
  signal: AbortSignal,
): Promise<Outcome> {
  const { ec2, ipv6 } = binding
  const placement = placementOf(token)
  const elsewhere = ipv6.filter((address) => {
    const place = placement[address] ?? to
    // Two interfaces at once are an answer in the middle of a change: assigning says what is so.
    return place !== to && /^eni-\w+$/.test(place)
  })
  const byHolder = [...Map.groupBy(elsewhere, (address) => placement[address]!)]
  const taken = await Promise.all(byHolder.map(([from, addresses]) => unassign(binding, { from, addresses }, signal)))
  const failures = taken.filter((one) => one !== undefined)
  const refused = failures.find(({ kind }) => kind !== 'unknown')
  if (refused !== undefined) return refused
  const command = new AssignIpv6AddressesCommand({ NetworkInterfaceId: to, Ipv6Addresses: [...ipv6] })
  const assigned = written(await ec2.ask((client, options) => client.send(command, options), signal))
  // Assigned, so it had been taken away, whoever lost that answer; refused, so it may still be.
  return assigned.kind === 'done' ? assigned : (failures[0] ?? assigned)
}

/** Undefined: what was asked for is so, whoever did it. */
async function unassign(
  { ec2 }: Binding,
  { from, addresses }: { readonly from: string; readonly addresses: readonly string[] },
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const command = new UnassignIpv6AddressesCommand({ NetworkInterfaceId: from, Ipv6Addresses: [...addresses] })
  const called = await ec2.ask((client, options) => client.send(command, options), signal)
  if (called.kind === 'answered')
    return called.answer.NetworkInterfaceId === undefined ? strangeAnswer('EC2', 200) : undefined
  // The interface is gone, or the address is not there any more: assigning says what is left to do.
  return called.code === 'InvalidNetworkInterfaceID.NotFound' || isNotAssigned(called) ? undefined : called
}

function written(called: Called<{ readonly NetworkInterfaceId?: string | undefined }>): Outcome {
  if (called.kind !== 'answered') return called
  return called.answer.NetworkInterfaceId === undefined ? strangeAnswer('EC2', 200) : { kind: 'done' }
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { subnetId } = binding.config
  const inSubnet = (found: NetworkInterface): string | null =>
    found.SubnetId === subnetId
      ? null
      : `it is in ${found.SubnetId ?? 'no subnet'}, and the addresses are in ${subnetId}`
  const [interfaces, called] = await Promise.all([tryInterfaces(binding, inSubnet, signal), holdings(binding, signal)])
  const check = `ec2:DescribeNetworkInterfaces with ${binding.config.addresses.join(', ')} in ${subnetId}`
  const addresses = called.kind === 'answered' ? tryAddresses(check, called.answer) : [findingOf(check, called)]
  return [...interfaces, ...addresses, ...moves(binding)]
}

function tryAddresses(check: string, all: readonly Holding[]): readonly Finding[] {
  const primary = all.filter(({ isPrimary }) => isPrimary)
  if (primary.length === 0) return [passed(check)]
  return primary.map(({ address, networkInterfaceId }) =>
    failed(check, `${address} is the primary address of ${networkInterfaceId}, which never moves; use a secondary one`),
  )
}

function moves({ ipv4, ipv6 }: Binding): readonly Finding[] {
  const actions = [
    ...(ipv4.length === 0 ? [] : ['ec2:AssignPrivateIpAddresses']),
    ...(ipv6.length === 0 ? [] : ['ec2:AssignIpv6Addresses', 'ec2:UnassignIpv6Addresses']),
  ]
  return actions.map((action) =>
    untried(action, 'EC2 has no dry run of it; compare the policy: holdfast adapters policy'),
  )
}
