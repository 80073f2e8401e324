/**
 * An alias address that follows a service between network interfaces of Compute Engine instances.
 *
 *   observe   GET instance, of each node          the token is the fingerprint of every interface of theirs
 *   apply     GET instance, of each node          any fingerprint that is not the token's: conflict
 *             PATCH updateNetworkInterface        without the alias, at each other interface that has it
 *             PATCH updateNetworkInterface        with the alias, at the node's interface
 *
 * A PATCH replaces all aliases of an interface, so the others are carried over as they were read, and Google refuses it
 * (412) when the interface's fingerprint is another by now. The address points nowhere between the two steps: it cannot
 * be in two places, which Google also sees to. That stops a late write that gives; nothing remembers an epoch, hence
 * `stepwise`. An address that an instance outside of this binding has is not seen, and not taken from it: adding it
 * fails as a conflict, in Google's words.
 *
 * An operation takes seconds to half a minute. One that is not done within the time of a call is `unknown`, and
 * observed; `maxInFlightMs` is a generous guess.
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { givenUp, noTarget, timedOut } from '../failures.ts'
import { type Compute, callCompute, computeUrl, finish, operationSchema } from '../google/compute.ts'
import { googleBearer } from '../google/token.ts'
import { callMs } from '../http.ts'
import { type Pause, pauseFor } from '../pause.ts'
import { aliasOf, fits } from './range.ts'
import type { GcpAliasIpConfig, GcpAliasIpTarget } from './schema.ts'

type Options = { readonly callTimeoutMs?: number; readonly pause?: Pause }

type Binding = AdapterInput<GcpAliasIpConfig, GcpAliasIpTarget> & {
  readonly compute: Compute
  readonly timeoutMs: number
}

const aliasSchema = z.looseObject({ ipCidrRange: z.string(), subnetworkRangeName: z.string().optional() })
const nicSchema = z.object({
  name: z.string(),
  fingerprint: z.string().min(1),
  subnetwork: z.string().optional(),
  aliasIpRanges: z.array(aliasSchema).default([]),
})
const instanceSchema = z.object({ networkInterfaces: z.array(nicSchema) })

/** An interface of an instance, and the node whose target it is. */
type Place = z.output<typeof nicSchema> & {
  readonly zone: string
  readonly instance: string
  readonly node: string | undefined
  readonly has: boolean
}

export function createGcpAliasIp(
  input: AdapterInput<GcpAliasIpConfig, GcpAliasIpTarget>,
  { callTimeoutMs: timeoutMs = callMs, pause = pauseFor }: Options = {},
): Adapter {
  const { endpoint = computeUrl, project } = input.config
  const compute = { bearer: googleBearer(input.config), base: `${endpoint}/projects/${project}`, pause }
  const binding: Binding = { ...input, compute, timeoutMs }
  return {
    capabilities: { cas: 'stepwise', dryRun: false, ipv6: false, settleMs: 15_000, maxInFlightMs: 60_000 },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const found = await placesOf(binding, signal)
  if (found.kind !== 'places') return { kind: 'unknown', failure: found }
  const { places } = found
  const holders = places.filter(({ has }) => has)
  const seen = {
    token: tokenOf(places),
    raw: Object.fromEntries(places.map((place) => [idOf(place), place.aliasIpRanges.map(shown).join(', ')])),
  }
  const [holder] = holders
  if (holder === undefined) return { kind: 'none', ...seen }
  if (holders.length === 1 && holder.node !== undefined) return { kind: 'node', node: holder.node, ...seen }
  return { kind: 'foreign', what: holders.map(idOf).join(' and '), ...seen }
}

function shown({ ipCidrRange, subnetworkRangeName }: z.output<typeof aliasSchema>): string {
  return subnetworkRangeName === undefined ? ipCidrRange : `${ipCidrRange} of ${subnetworkRangeName}`
}

const idOf = ({ zone, instance, name }: Place): string => `${zone}/${instance}/${name}`

function tokenOf(places: readonly Place[]): string {
  return JSON.stringify(Object.fromEntries(places.map((place) => [idOf(place), place.fingerprint])))
}

type Places = { readonly kind: 'places'; readonly places: readonly Place[] }

/** Every interface of every instance that is a target. */
async function placesOf({ compute, config, targets }: Binding, signal: AbortSignal): Promise<Places | Failure> {
  const alias = aliasOf(config.address)
  const instances = new Map(Object.values(targets).map((target) => [`${target.zone}/${target.instance}`, target]))
  // The first of them fetches the token for all.
  const granted = await compute.bearer.token(signal)
  if (granted.kind !== 'granted') return granted
  const read = await Promise.all(
    [...instances.values()].map(async ({ zone, instance }) => {
      const path = `/zones/${zone}/instances/${instance}`
      return { zone, instance, got: await callCompute(compute, { method: 'GET', path }, instanceSchema, signal) }
    }),
  )
  const places: Place[] = []
  for (const { zone, instance, got } of read) {
    if (got.kind !== 'value') return got
    for (const nic of got.value.networkInterfaces) {
      const node = Object.entries(targets).find(([, target]) => {
        return target.zone === zone && target.instance === instance && target.networkInterface === nic.name
      })?.[0]
      const has = nic.aliasIpRanges.some(({ ipCidrRange }) => aliasOf(ipCidrRange) === alias)
      places.push({ ...nic, zone, instance, node, has })
    }
  }
  return { kind: 'places', places }
}

async function apply(binding: Binding, { node, token }: Move, caller: AbortSignal): Promise<Outcome> {
  if (!Object.hasOwn(binding.targets, node)) return noTarget(node)
  const deadline = AbortSignal.timeout(binding.timeoutMs)
  const outcome = await move(binding, { node, token }, AbortSignal.any([caller, deadline]))
  return outcome === givenUp && deadline.aborted && !caller.aborted ? timedOut(binding.timeoutMs) : outcome
}

async function move(binding: Binding, { node, token }: Omit<Move, 'epoch'>, signal: AbortSignal): Promise<Outcome> {
  const found = await placesOf(binding, signal)
  if (found.kind !== 'places') return found
  const { places } = found
  if (token !== null && token !== tokenOf(places)) {
    const message = 'an interface is not as it was observed: its fingerprint has changed'
    return { kind: 'conflict', code: 'Fingerprint', message }
  }
  const to = places.find((place) => place.node === node)
  if (to === undefined) return noInterface(binding, node)
  const { address, subnetworkRangeName } = binding.config
  const alias = aliasOf(address)
  for (const from of places.filter((place) => place.has && place !== to)) {
    const rest = from.aliasIpRanges.filter(({ ipCidrRange }) => aliasOf(ipCidrRange) !== alias)
    const removed = await update(binding, from, rest, signal)
    if (removed.kind !== 'done') return removed
  }
  if (to.has) return { kind: 'done' }
  const added = { ipCidrRange: alias, ...(subnetworkRangeName === undefined ? {} : { subnetworkRangeName }) }
  return update(binding, to, [...to.aliasIpRanges, added], signal)
}

function noInterface({ targets }: Binding, node: string): Failure {
  const { instance, networkInterface } = targets[node]!
  const message = `the instance ${instance} has no interface ${networkInterface}`
  return { kind: 'permanent', code: 'NoInterface', message }
}

async function update(
  { compute }: Binding,
  { zone, instance, name, fingerprint }: Place,
  aliasIpRanges: readonly object[],
  signal: AbortSignal,
): Promise<Outcome> {
  const query = new URLSearchParams({ networkInterface: name, requestId: crypto.randomUUID() })
  const path = `/zones/${zone}/instances/${instance}/updateNetworkInterface?${query}`
  const body = { aliasIpRanges, fingerprint }
  const sent = await callCompute(compute, { method: 'PATCH', path, body }, operationSchema, signal)
  if (sent.kind !== 'value') return sent
  return finish(compute, { scope: `/zones/${zone}`, operation: sent.value }, signal)
}

const subnetSchema = z.object({
  ipCidrRange: z.string(),
  secondaryIpRanges: z.array(z.object({ rangeName: z.string(), ipCidrRange: z.string() })).default([]),
})

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const granted = await binding.compute.bearer.token(signal)
  const token = findingOf('a token for Compute Engine', granted.kind === 'granted' ? undefined : granted, signal)
  if (granted.kind !== 'granted') return [token]
  const ofNodes = await Promise.all(Object.keys(binding.targets).map((node) => preflightNode(binding, node, signal)))
  return [token, ...ofNodes.flat()]
}

async function preflightNode(binding: Binding, node: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const target = binding.targets[node]!
  const where = `${target.zone}/${target.instance}/${target.networkInterface} (${node})`
  const found = await placesOf({ ...binding, targets: { [node]: target } }, signal)
  const nic = found.kind === 'places' ? found.places.find((place) => place.node === node) : undefined
  const problem = found.kind !== 'places' ? found : nic === undefined ? noInterface(binding, node) : undefined
  const exists = findingOf(`compute.instances.get ${where}`, problem, signal)
  if (nic === undefined) return [exists]
  const write: Finding = {
    check: `compute.instances.updateNetworkInterface ${where}`,
    result: 'untried',
    message: 'Compute Engine has no way to try it without doing it',
  }
  return [exists, await preflightRange(binding, { nic, where }, signal), write]
}

async function preflightRange(
  { compute, config }: Binding,
  { nic, where }: { readonly nic: Place; readonly where: string },
  signal: AbortSignal,
): Promise<Finding> {
  const { address, subnetworkRangeName } = config
  const check = `${address} is of ${subnetworkRangeName ?? 'the primary range'} of the subnet of ${where}`
  // A shared network's subnet is of another project.
  const [, base, subnet] =
    /^(.*\/projects\/[^/]+)(\/regions\/[^/]+\/subnetworks\/[^/]+)$/.exec(nic.subnetwork ?? '') ?? []
  if (base === undefined || subnet === undefined) {
    return { check, result: 'untried', message: 'the interface names no subnet' }
  }
  const project = base.slice(base.lastIndexOf('/projects/'))
  const own = compute.base.slice(0, compute.base.lastIndexOf('/projects/'))
  const there = { ...compute, base: `${own}${project}` }
  const got = await callCompute(there, { method: 'GET', path: subnet }, subnetSchema, signal)
  if (got.kind !== 'value') return findingOf(check, got, signal)
  const range =
    subnetworkRangeName === undefined
      ? got.value.ipCidrRange
      : got.value.secondaryIpRanges.find(({ rangeName }) => rangeName === subnetworkRangeName)?.ipCidrRange
  if (range !== undefined && fits(address, range)) return { check, result: 'passed', message: null }
  const message =
    range === undefined
      ? `the subnet has no range ${subnetworkRangeName}`
      : `the range is ${range}: choose an address of it`
  return { check, result: 'failed', message }
}

function findingOf(check: string, failed: Failure | undefined, signal: AbortSignal): Finding {
  if (failed === undefined) return { check, result: 'passed', message: null }
  return { check, result: signal.aborted ? 'untried' : 'failed', message: failed.message }
}
