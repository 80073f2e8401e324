/**
 * An Elastic IP that follows a service: one address, moved between private addresses of network interfaces.
 *
 *   observe   DescribeAddresses                        the association id is the token
 *   apply     AssociateAddress, reassociation allowed  one step; the last writer wins
 *   strict    DisassociateAddress(token), then AssociateAddress without reassociation: each is refused when the
 *             address is no longer as observed, for the price of a moment in which it points nowhere
 *
 * Calls are made once: the SDK's retries are off, because only control knows whether a repeat is still wanted.
 *
 * What the credentials must allow: ec2:DescribeAddresses; ec2:AssociateAddress (in strict mode also
 * ec2:DisassociateAddress) on the elastic-ip, on the network-interfaces of all targets, and on their instances.
 */
import {
  type Address,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { connection } from '#aws/connection'
import type { Adapter, AdapterInput, Move, Observation, Outcome, Raw } from '../adapter.ts'
import { type Called, call as callAws } from '../aws/call.ts'
import { ec2Errors } from '../aws/ec2-errors.ts'
import { noTarget, strangeAnswer } from '../failures.ts'
import type { AwsEipConfig, AwsEipTarget } from './schema.ts'

type Binding = AdapterInput<AwsEipConfig, AwsEipTarget> & {
  readonly client: EC2Client
  /** Default: `callMs`. */
  readonly callTimeoutMs?: number
}

export function createAwsEip(
  input: AdapterInput<AwsEipConfig, AwsEipTarget>,
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const binding: Binding = { ...input, client: createClient(input.config), ...options }
  return {
    capabilities: {
      cas: input.config.strict ? 'stepwise' : 'none',
      dryRun: true,
      ipv6: false,
      // EC2 promises no bound on when a change is seen; half a minute covers what is known of it.
      settleMs: 30_000,
      // A call is given up after 8 s; the rest is for a request still on its way. EC2 would accept a signed one for
      // five minutes: what comes so late is drift, and the regular observation finds it.
      maxInFlightMs: 35_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: async () => [],
    dispose: () => binding.client.destroy(),
  }
}

function createClient({ region, endpoint }: AwsEipConfig): EC2Client {
  return new EC2Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    retryMode: 'standard',
    ...connection(),
  })
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const { client, config, targets } = binding
  const command = new DescribeAddressesCommand({ AllocationIds: [config.allocationId] })
  const called = await call(binding, (abortSignal) => client.send(command, { abortSignal }), signal)
  if (called.kind !== 'answered') return { kind: 'unknown', failure: called }
  // The SDK takes any page with status 200 for an answer in which everything is missing.
  if (called.answer.Addresses === undefined) return { kind: 'unknown', failure: strangeAnswer('EC2', 200) }
  const address = called.answer.Addresses.find(({ AllocationId }) => AllocationId === config.allocationId)
  if (address === undefined) {
    const message = `the provider knows no address ${config.allocationId}`
    return { kind: 'unknown', failure: { kind: 'permanent', code: 'InvalidAllocationID.NotFound', message } }
  }
  return observationOf(address, targets)
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
  }
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const target = binding.targets[move.node]
  // Before anything is taken away for it.
  if (target === undefined) return noTarget(move.node)
  if (binding.config.strict && move.token !== null) {
    const command = new DisassociateAddressCommand({ AssociationId: move.token })
    const called = await call(binding, (abortSignal) => binding.client.send(command, { abortSignal }), signal)
    if (called.kind !== 'answered') return called
  }
  return associate(binding, target, signal)
}

async function associate(binding: Binding, target: AwsEipTarget, signal: AbortSignal): Promise<Outcome> {
  const { client, config } = binding
  const command = new AssociateAddressCommand({
    AllocationId: config.allocationId,
    NetworkInterfaceId: target.networkInterfaceId,
    PrivateIpAddress: target.privateIpAddress,
    // What AWS does anyway when it is not said; imitations of it need to be told.
    AllowReassociation: !config.strict,
  })
  const called = await call(binding, (abortSignal) => client.send(command, { abortSignal }), signal)
  if (called.kind !== 'answered') return called
  return called.answer.AssociationId === undefined ? strangeAnswer('EC2', 200) : { kind: 'done' }
}

function call<Answer>(
  { callTimeoutMs }: Binding,
  send: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
): Promise<Called<Answer>> {
  return callAws(send, {
    signal,
    table: ec2Errors,
    ...(callTimeoutMs === undefined ? {} : { timeoutMs: callTimeoutMs }),
  })
}
