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
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation } from '../adapter.ts'
import { computeApi, stepOf, untriedByGoogle, write } from '../google/compute.ts'
import type { Ended } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import type { Value } from '../rest/api.ts'
import { findingOf, untried } from '../rest/places.ts'
import { aliasOf, fits } from './range.ts'
import type { GcpAliasIpConfig, GcpAliasIpTarget } from './schema.ts'

type Input = AdapterInput<GcpAliasIpConfig, GcpAliasIpTarget>

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

export function createGcpAliasIp(input: Input, options?: Options): Adapter {
  const adapter = {
    api: computeApi(input.config),
    // An operation takes up to half a minute, and has not always ended when a move is said to be done.
    can: { cas: 'stepwise', ipv6: false, settleMs: 40_000, unsureMs: 40_000 } as const,
    look: (calls: Calls) => placesOf(calls, input),
    seen,
    move: (calls: Calls, target: GcpAliasIpTarget, move: Move) => give(calls, input, { target, move }),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

function seen(places: readonly Place[]): Observation {
  const holders = places.filter(({ has }) => has)
  const found = {
    token: tokenOf(places),
    raw: Object.fromEntries(places.map((place) => [idOf(place), place.aliasIpRanges.map(shown).join(', ')])),
  }
  const [holder] = holders
  if (holder === undefined) return { kind: 'none', ...found }
  if (holders.length === 1 && holder.node !== undefined) return { kind: 'node', node: holder.node, ...found }
  return { kind: 'foreign', what: holders.map(idOf).join(' and '), ...found }
}

function shown({ ipCidrRange, subnetworkRangeName }: z.output<typeof aliasSchema>): string {
  return subnetworkRangeName === undefined ? ipCidrRange : `${ipCidrRange} of ${subnetworkRangeName}`
}

const idOf = ({ zone, instance, name }: Place): string => `${zone}/${instance}/${name}`

function tokenOf(places: readonly Place[]): string {
  return JSON.stringify(Object.fromEntries(places.map((place) => [idOf(place), place.fingerprint])))
}

function zoneOf({ project }: GcpAliasIpConfig, { zone }: { readonly zone: string }): string {
  return `/projects/${project}/zones/${zone}`
}

/** Every interface of every instance that is a target. */
async function placesOf(
  calls: Calls,
  { config, targets }: Pick<Input, 'config' | 'targets'>,
): Promise<Value<readonly Place[]> | Failure> {
  const alias = aliasOf(config.address)
  const instances = new Map(Object.values(targets).map((target) => [`${target.zone}/${target.instance}`, target]))
  const ready = await calls.sign()
  if (ready.kind !== 'value') return ready
  const read = await Promise.all(
    [...instances.values()].map(async ({ zone, instance }) => {
      const path = `${zoneOf(config, { zone })}/instances/${instance}`
      return { zone, instance, got: await calls.call({ method: 'GET', path }, instanceSchema) }
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
  return { kind: 'value', value: places }
}

async function give(
  calls: Calls,
  input: Input,
  { target, move: { node, token } }: { readonly target: GcpAliasIpTarget; readonly move: Move },
): Promise<Ended> {
  const found = await placesOf(calls, input)
  if (found.kind !== 'value') return found
  const { value: places } = found
  if (token !== null && token !== tokenOf(places)) {
    const message = 'an interface is not as it was observed: its fingerprint has changed'
    return { kind: 'conflict', code: 'Fingerprint', message }
  }
  const to = places.find((place) => place.node === node)
  if (to === undefined) return noInterface(target)
  const { address, subnetworkRangeName } = input.config
  const alias = aliasOf(address)
  for (const from of places.filter((place) => place.has && place !== to)) {
    const rest = from.aliasIpRanges.filter(({ ipCidrRange }) => aliasOf(ipCidrRange) !== alias)
    const removed = stepOf(await update(calls, input.config, { place: from, aliasIpRanges: rest }))
    if (removed.kind !== 'done') return removed
  }
  if (to.has) return { kind: 'done' }
  const added = { ipCidrRange: alias, ...(subnetworkRangeName === undefined ? {} : { subnetworkRangeName }) }
  return update(calls, input.config, { place: to, aliasIpRanges: [...to.aliasIpRanges, added] })
}

function noInterface({ instance, networkInterface }: GcpAliasIpTarget): Failure {
  const message = `the instance ${instance} has no interface ${networkInterface}`
  return { kind: 'permanent', code: 'NoInterface', message }
}

function update(
  calls: Calls,
  config: GcpAliasIpConfig,
  { place, aliasIpRanges }: { readonly place: Place; readonly aliasIpRanges: readonly object[] },
): Promise<Ended> {
  const scope = zoneOf(config, place)
  const path = `${scope}/instances/${place.instance}/updateNetworkInterface?networkInterface=${place.name}`
  return write(calls, scope, { method: 'PATCH', path, body: { aliasIpRanges, fingerprint: place.fingerprint } })
}

const subnetSchema = z.object({
  ipCidrRange: z.string(),
  secondaryIpRanges: z.array(z.object({ rangeName: z.string(), ipCidrRange: z.string() })).default([]),
})

async function preflight(calls: Calls, input: Input): Promise<readonly Finding[]> {
  const token = findingOf('a token for Compute Engine', await calls.sign())
  if (token.result !== 'passed') return [token]
  const ofNodes = await Promise.all(Object.keys(input.targets).map((node) => preflightNode(calls, input, node)))
  return [token, ...ofNodes.flat()]
}

async function preflightNode(calls: Calls, { config, targets }: Input, node: string): Promise<readonly Finding[]> {
  const target = targets[node]!
  const where = `${target.zone}/${target.instance}/${target.networkInterface} (${node})`
  const found = await placesOf(calls, { config, targets: { [node]: target } })
  const nic = found.kind === 'value' ? found.value.find((place) => place.node === node) : undefined
  const exists = findingOf(
    `compute.instances.get ${where}`,
    found.kind === 'value' && nic === undefined ? noInterface(target) : found,
  )
  if (nic === undefined) return [exists]
  const write = untried(`compute.instances.updateNetworkInterface ${where}`, untriedByGoogle)
  return [exists, await preflightRange(calls, config, { nic, where }), write]
}

async function preflightRange(
  calls: Calls,
  { address, subnetworkRangeName }: GcpAliasIpConfig,
  { nic, where }: { readonly nic: Place; readonly where: string },
): Promise<Finding> {
  const check = `${address} is of ${subnetworkRangeName ?? 'the primary range'} of the subnet of ${where}`
  // A shared network's subnet is of another project.
  const path = /\/projects\/[^/]+\/regions\/[^/]+\/subnetworks\/[^/]+$/.exec(nic.subnetwork ?? '')?.[0]
  if (path === undefined) return untried(check, 'the interface names no subnet')
  const subnet = await calls.call({ method: 'GET', path }, subnetSchema)
  return findingOf(check, subnet, ({ ipCidrRange, secondaryIpRanges }) => {
    const range =
      subnetworkRangeName === undefined
        ? ipCidrRange
        : secondaryIpRanges.find(({ rangeName }) => rangeName === subnetworkRangeName)?.ipCidrRange
    if (range === undefined) return `the subnet has no range ${subnetworkRangeName}`
    return fits(address, range) ? null : `the range is ${range}: choose an address of it`
  })
}
