/**
 * The route of a service at Holdfast's own edge Worker (`control/edge/`), which sends the requests for its hosts to the
 * owner's site.
 *
 *   observe     GET /_holdfast/routes/{service}                       the row's revision is the token
 *   apply       PUT /_holdfast/routes/{service}, If-Match: revision   refused in one step when it is of a lower epoch
 *                                                                     than the row, or the row was written since
 *   preflight   the same PUT with a revision that no row has          everything is checked, and nothing is written
 *
 * The owner's site comes first in the route, the other nodes' after it: where a request that may be sent twice goes
 * when the owner's site cannot be connected to.
 *
 * A route outlives its service and its binding, as an address or a record would: requests go on to the last owner, and the
 * row's epoch goes on refusing who is late. It keeps its hosts, so before another service has them it must be written
 * without any (`control/edge/README.md`).
 *
 * What the token must allow: it is the Worker's one token, HOLDFAST_EDGE_TOKEN. Runs on Node and on Workers.
 */
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { noTarget } from '../failures.ts'
import { type Answer, ask, jsonOf } from '../http.ts'
import { readSecret } from '../secret.ts'
import { edge, failureOf, heldSchema, type Route, refusalOf, writtenSchema } from './answers.ts'
import type { CloudflareEdgeConfig, CloudflareEdgeTarget } from './schema.ts'

type Binding = AdapterInput<CloudflareEdgeConfig, CloudflareEdgeTarget> & {
  /** Default: that of every call. */
  readonly callTimeoutMs?: number
}

export function createCloudflareEdge(
  input: AdapterInput<CloudflareEdgeConfig, CloudflareEdgeTarget>,
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const binding: Binding = { ...input, ...options }
  return {
    capabilities: {
      cas: 'atomic',
      dryRun: true,
      ipv6: true,
      // Both go to the one object that holds the row, so a read shows the last write.
      settleMs: 0,
      // A call is given up after 8 s, and the Worker's request ends with it.
      maxInFlightMs: 10_000,
      // One object answers both, and refuses a repeat that comes too late.
      unsureMs: 2_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const called = await call(binding, { method: 'GET' }, signal)
  if (called.kind !== 'answered') return { kind: 'unknown', failure: called }
  if (called.status !== 200) return { kind: 'unknown', failure: failureOf(called) }
  const read = jsonOf(called, heldSchema, edge)
  if (read.kind !== 'value') return { kind: 'unknown', failure: read }
  const { epoch, revision, route } = read.value
  const raw = {
    epoch: String(epoch),
    revision: String(revision),
    owner: route?.owner?.node ?? null,
    hosts: route?.hosts.join(', ') ?? null,
    sites: route?.sites.map(({ site, url }) => `${site} at ${url}`).join(', ') ?? null,
  }
  const seen = { token: String(revision), epochSeen: epoch, raw }
  if (route === null) return { kind: 'none', ...seen }
  const node = Object.keys(binding.targets).find((name) => isSame(route, routeOf(binding, name, epoch)))
  if (node !== undefined) return { kind: 'node', node, ...seen }
  const first = route.sites[0]
  const where = first === undefined ? 'no site' : `${first.site} at ${first.url}`
  return { kind: 'foreign', what: `${where}, for ${route.hosts.join(', ') || 'no host'}`, ...seen }
}

async function apply(binding: Binding, { node, epoch, token }: Move, signal: AbortSignal): Promise<Outcome> {
  if (!Object.hasOwn(binding.targets, node)) return noTarget(node)
  const called = await put(binding, { node, epoch, token }, signal)
  if (called.kind !== 'answered') return called
  if (called.status !== 200) return failureOf(called, epoch)
  const read = jsonOf(called, writtenSchema, edge)
  return read.kind === 'value' ? { kind: 'done' } : read
}

/** No row has this revision: what is sent with it is checked as any other, and refused. */
const noRevision = '-1'

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const nodes = Object.keys(binding.targets)
  const observation = await observe(binding, signal)
  const failure = observation.kind === 'unknown' ? observation.failure : null
  const { endpoint } = binding.config
  const reading = finding(`read the route ${binding.service} at ${endpoint}`, failure)
  const writing: Finding[] = []
  for (const node of nodes) {
    const called = await put(binding, { node, epoch: 0, token: noRevision }, signal)
    const { site } = binding.targets[node]!
    writing.push(finding(`write the route ${binding.service} to ${site} (${node})`, refusalBesides(called)))
  }
  return [reading, ...writing]
}

/** What is wrong with a write that was to be refused for its revision, and for nothing else. */
function refusalBesides(called: Answer | Failure): Failure | null {
  if (called.kind !== 'answered') return called
  if (called.status === 409 && refusalOf(called) !== null) return null
  return failureOf(called)
}

function finding(check: string, failure: Failure | null): Finding {
  if (failure === null) return { check, result: 'passed', message: null }
  // What could not be asked is no refusal.
  return { check, result: failure.kind === 'permanent' ? 'failed' : 'untried', message: failure.message }
}

function put(binding: Binding, { node, epoch, token }: Move, signal: AbortSignal): Promise<Answer | Failure> {
  const headers = {
    'content-type': 'application/json',
    // Without a token nothing was seen that could have changed; the epoch is compared all the same.
    ...(token === null ? {} : { 'if-match': `"${token}"` }),
  }
  return call(binding, { method: 'PUT', headers, body: JSON.stringify(routeOf(binding, node, epoch)) }, signal)
}

/** A node's own site first. Two nodes of one site are one place to go, unless their urls differ. */
function routeOf({ config, targets }: Binding, node: string, epoch: number): Route {
  const owner = targets[node]!
  const sites = new Map([owner, ...Object.values(targets)].map(({ site, url }) => [`${site} ${url}`, { site, url }]))
  return {
    hosts: config.hosts,
    epoch,
    owner: { node, site: owner.site },
    // Nobody tells an adapter how the others are; the edge finds out when it connects.
    sites: [...sites.values()].map((place) => ({ ...place, healthy: true })),
  }
}

function isSame(one: Route, other: Route): boolean {
  const text = ({ hosts, owner, sites }: Route) =>
    JSON.stringify([hosts, [owner?.node, owner?.site], sites.map(({ site, url, healthy }) => [site, url, healthy])])
  return text(one) === text(other)
}

type Request = Pick<Parameters<typeof ask>[0], 'method' | 'headers' | 'body'>

async function call(
  { config, service, callTimeoutMs }: Binding,
  { headers, ...request }: Request,
  signal: AbortSignal,
): Promise<Answer | Failure> {
  const secret = await readSecret(config.token)
  if (secret.kind !== 'secret') return secret
  return ask(
    {
      ...request,
      url: new URL(`/_holdfast/routes/${encodeURIComponent(service)}`, config.endpoint).href,
      headers: { ...headers, authorization: `Bearer ${secret.value}`, accept: 'application/json' },
      secrets: [secret.value],
      ...(callTimeoutMs === undefined ? {} : { timeoutMs: callTimeoutMs }),
    },
    signal,
  )
}
