/**
 * A route of an Azure route table that leads to the node that has the service.
 *
 *   observe   GET route table        the route's etag is the token, for people
 *   apply     GET route table        what else the route says is kept
 *             PUT the route          then its operation is polled, for as long as a call may take
 *
 * Nothing refuses a stale write: the documentation of routes promises no precondition, so none is relied upon. A late
 * write is seen and put right. A change takes about ten seconds.
 */
import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Observation, Outcome } from '../adapter.ts'
import { azureBearer } from '../azure/token.ts'
import type { Asked, Bearer } from '../bearer/bearer.ts'
import {
  type FailureKind,
  failure,
  givenUp,
  harmless,
  kindOfStatus,
  noTarget,
  strangeAnswer,
  timedOut,
} from '../failures.ts'
import { type Answer, callMs, jsonOf } from '../http.ts'
import { type Pause, pauseFor } from '../pause.ts'
import type { AzureRouteConfig, AzureRouteTarget } from './schema.ts'

type Options = { readonly callTimeoutMs?: number; readonly pause?: typeof pauseFor }

type Binding = AdapterInput<AzureRouteConfig, AzureRouteTarget> & {
  readonly bearer: Bearer
  readonly endpoint: string
  readonly timeoutMs: number
  readonly pause: Pause
}

const provider = 'Azure'
const version = 'api-version=2024-05-01'

const routeSchema = z.object({
  name: z.string(),
  etag: z.string().optional(),
  properties: z.looseObject({
    addressPrefix: z.string(),
    nextHopType: z.string(),
    nextHopIpAddress: z.string().optional(),
    provisioningState: z.string().optional(),
  }),
})
const tableSchema = z.object({ name: z.string(), properties: z.object({ routes: z.array(routeSchema) }) })

type Route = z.output<typeof routeSchema>

export function createAzureRoute(
  input: AdapterInput<AzureRouteConfig, AzureRouteTarget>,
  options: Options = {},
): Adapter {
  const { callTimeoutMs: timeoutMs = callMs, pause = pauseFor } = options
  const { endpoint = 'https://management.azure.com' } = input.config
  const binding: Binding = { ...input, bearer: azureBearer(input.config, endpoint), endpoint, timeoutMs, pause }
  return {
    capabilities: { cas: 'none', dryRun: false, ipv6: true, settleMs: 15_000, maxInFlightMs: 60_000 },
    observe: (signal) => observe(binding, signal),
    apply: async ({ node }, caller) => {
      const deadline = AbortSignal.timeout(timeoutMs)
      const outcome = await apply(binding, node, AbortSignal.any([caller, deadline]))
      return outcome === givenUp && !caller.aborted ? timedOut(timeoutMs) : outcome
    },
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const read = await readRoute(binding, signal)
  if (read.kind !== 'read') return { kind: 'unknown', failure: read }
  const { route } = read
  if (route === undefined) return { kind: 'none', token: null, raw: { route: null } }
  const { addressPrefix, nextHopType, nextHopIpAddress = null, provisioningState = null } = route.properties
  const seen = {
    token: route.etag ?? null,
    raw: { route: route.name, addressPrefix, nextHopType, nextHopIpAddress, provisioningState },
  }
  const node = Object.entries(binding.targets).find(([, target]) => {
    return nextHopType === 'VirtualAppliance' && target.nextHopIpAddress === nextHopIpAddress
  })?.[0]
  if (node !== undefined) return { kind: 'node', node, ...seen }
  return { kind: 'foreign', what: nextHopIpAddress ?? nextHopType, ...seen }
}

function tablePath({ subscription, resourceGroup, routeTable }: AzureRouteConfig): string {
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Network/routeTables/${routeTable}`
}

/** Undefined: the table has no such route. */
async function readRoute(
  { bearer, endpoint, config }: Binding,
  signal: AbortSignal,
): Promise<{ readonly kind: 'read'; readonly route: Route | undefined } | Failure> {
  const asked = await bearer.ask({ method: 'GET', url: `${endpoint}${tablePath(config)}?${version}` }, signal)
  if (asked.kind !== 'asked') return asked
  if (asked.answer.status !== 200) return failureOf(asked)
  const table = jsonOf(asked.answer, tableSchema, provider)
  if (table.kind !== 'value') return table
  const name = config.route.toLowerCase()
  const route = table.value.properties.routes.find((each) => each.name.toLowerCase() === name)
  if (route === undefined || route.properties.addressPrefix === config.addressPrefix) return { kind: 'read', route }
  const { addressPrefix } = route.properties
  const message = `the route ${config.route} leads to ${addressPrefix}: correct addressPrefix, or name another route`
  return { kind: 'permanent', code: 'OtherPrefix', message }
}

/** What a route says that is not there. */
const nothing: { readonly provisioningState?: unknown; readonly hasBgpOverride?: unknown } = {}

async function apply(binding: Binding, node: string, signal: AbortSignal): Promise<Outcome> {
  const { bearer, endpoint, config, targets } = binding
  const target = Object.hasOwn(targets, node) ? targets[node] : undefined
  if (target === undefined) return noTarget(node)
  const read = await readRoute(binding, signal)
  if (read.kind !== 'read') return read
  const { provisioningState: _state, hasBgpOverride: _override, ...kept } = read.route?.properties ?? nothing
  const { addressPrefix } = config
  const properties = { ...kept, addressPrefix, nextHopType: 'VirtualAppliance', ...target }
  const url = `${endpoint}${tablePath(config)}/routes/${config.route}?${version}`
  const headers = { 'content-type': 'application/json' }
  const sent = await bearer.ask({ method: 'PUT', url, headers, body: JSON.stringify({ properties }) }, signal)
  if (sent.kind !== 'asked') return sent
  if (sent.answer.status !== 200 && sent.answer.status !== 201) return failureOf(sent)
  const route = jsonOf(sent.answer, routeSchema, provider)
  return route.kind === 'value' ? finish(binding, sent.answer, signal) : route
}

const operationSchema = z.object({
  status: z.string(),
  error: z.object({ code: z.string(), message: z.string().optional() }).nullish(),
})

async function finish(
  { bearer, endpoint, pause }: Binding,
  { headers }: Answer,
  signal: AbortSignal,
): Promise<Outcome> {
  const url = headers.get('azure-asyncoperation')
  if (url === null) return { kind: 'done' }
  // The token is for nobody else.
  if (!URL.canParse(url) || new URL(url).origin !== new URL(endpoint).origin) return strangeAnswer(provider, 200)
  for (;;) {
    const asked = await bearer.ask({ method: 'GET', url }, signal)
    // The write was accepted: whatever keeps us from seeing its end, it may still happen.
    if (asked.kind !== 'asked') return { ...asked, kind: 'unknown' }
    if (asked.answer.status !== 200) return { ...failureOf(asked), kind: 'unknown' }
    const read = jsonOf(asked.answer, operationSchema, provider)
    if (read.kind !== 'value') return read
    const { status, error } = read.value
    if (status === 'Succeeded') return { kind: 'done' }
    if (status === 'Failed' || status === 'Canceled') {
      const code = error?.code ?? status
      return failure(kindByCode[code] ?? 'retry', code, harmless(error?.message ?? code, asked.secrets))
    }
    await pause(asked.answer.retryAfterMs ?? 1_000, signal)
  }
}

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

const kindByCode: Readonly<Record<string, FailureKind>> = {
  AnotherOperationInProgress: 'retry',
  RetryableError: 'retry',
  ReferencedResourceNotProvisioned: 'retry',
  Canceled: 'conflict',
}

function failureOf({ answer, secrets }: Asked): Failure {
  const parsed = jsonOf(answer, errorSchema, provider)
  if (parsed.kind !== 'value') return strangeAnswer(provider, answer.status, answer.retryAfterMs)
  const { code, message } = parsed.value.error
  const byStatus = answer.status === 409 || answer.status === 412 ? 'conflict' : kindOfStatus(answer.status)
  return failure(kindByCode[code] ?? byStatus, code, harmless(message, secrets), answer.retryAfterMs)
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { routeTable, route } = binding.config
  const read = await readRoute(binding, signal)
  const check = `Microsoft.Network/routeTables/read ${routeTable}`
  const looked: Finding =
    read.kind === 'read'
      ? { check, result: 'passed', message: null }
      : { check, result: signal.aborted ? 'untried' : 'failed', message: read.message }
  const writes = Object.entries(binding.targets).map(([node, { nextHopIpAddress }]): Finding => {
    const write = `Microsoft.Network/routeTables/routes/write ${routeTable}/${route} to ${nextHopIpAddress} (${node})`
    return { check: write, result: 'untried', message: 'Azure has no way to try it without doing it' }
  })
  return [looked, ...writes]
}
