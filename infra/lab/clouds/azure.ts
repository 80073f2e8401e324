/**
 * A strict Azure Resource Manager on this machine with one route table, and the token endpoint before it:
 *
 *   POST /token                          client credentials, for a bearer token
 *   GET  …/routeTables/T                 `getTable`
 *   PUT  …/routeTables/T/routes/R        `putRoute`: read-only properties and unknown ones are refused; 200 or 201 with
 *                                        Azure-AsyncOperation, or 202 with Location, as `follow` has it
 *   GET  …/operations/OP                 `getOperation`: InProgress until `operationMs` have passed
 *   GET  …/operationResults/OP           `getOperation`: 202 until then
 *
 * Each call names its api-version. A route says what it was told when it is accepted, and that it is Updating until the
 * operation ends: then that it has Succeeded, or has Failed where there is an `operationError`.
 */
import { z } from 'zod'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

type Properties = {
  readonly addressPrefix: string
  readonly nextHopType: string
  readonly nextHopIpAddress?: string | undefined
}
export type AzureState = {
  /** By name, of the one table. */
  readonly routes: Readonly<
    Record<string, { readonly version: number; readonly properties: Properties; readonly operation?: Operation }>
  >
  readonly operations: Readonly<Record<string, Operation>>
}

export type OperationError = { readonly code: string; readonly message: string }
type Operation = { readonly doneAt: number; readonly error: OperationError | null }

export type AzureOptions = CloudOptions & {
  readonly table: string
  readonly client: { readonly id: string; readonly secret: string }
  readonly initial: AzureState
} & Operations

/** How operations go. Default: they end at once, and well, and are told by Azure-AsyncOperation. */
export type Operations = {
  readonly operationMs?: number
  readonly operationError?: OperationError
  readonly follow?: 'Azure-AsyncOperation' | 'Location'
}

export type Azure = StrictCloud<AzureState> & { readonly tokens: readonly string[]; revoke(): void }

const statusOf: Readonly<Record<string, number>> = {
  ...{ InvalidRequestFormat: 400, MissingApiVersionParameter: 400, ExpiredAuthenticationToken: 401 },
  ...{ AuthorizationFailed: 403, ResourceNotFound: 404, TooManyRequests: 429, ServiceUnavailable: 503 },
  ...{ AnotherOperationInProgress: 409, ScopeLocked: 409, Conflict: 409, PreconditionFailed: 412 },
  ...{ RetryableErrorDueToAnotherOperation: 429 },
}

function refuse(code: string, message: string): Reply {
  return { ...json(statusOf[code] ?? 400, { error: { code, message } }), outcome: code }
}

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  const all = { 'content-type': 'application/json; charset=utf-8', ...headers }
  return { status, headers: all, body: JSON.stringify(value), outcome: 'ok' }
}

export async function createAzure(options: AzureOptions): Promise<Azure> {
  const tokens: string[] = []
  const valid = new Set<string>()
  const grant = (): Reply => {
    const token = `lab-azure-${tokens.length + 1}-${crypto.randomUUID()}`
    tokens.push(token)
    valid.add(token)
    return json(200, { token_type: 'Bearer', expires_in: 3599, access_token: token })
  }
  const cloud = await createStrictCloud<AzureState>({
    ...options,
    protocol: {
      read: (asked) => {
        if (asked.target === '/token') return tokenCall(asked, options.client)
        const bearer = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1] ?? ''
        if (!valid.has(bearer)) return refuse('ExpiredAuthenticationToken', 'The access token expiry is past.')
        return callOf(asked, options.table)
      },
      perform: (state, call, { asked, now }) => {
        if (call.action === 'token') return { reply: grant() }
        if (call.action === 'getTable') return { reply: json(200, tableOf(state, options.table, now)) }
        if (call.action === 'getOperation') return { reply: operation(state, call, now) }
        return putRoute(state, call, { asked, now, options })
      },
      refuse,
    },
  })
  return { ...cloud, tokens, revoke: () => valid.clear() }
}

function tokenCall({ method, headers, body }: Asked, { id, secret }: AzureOptions['client']): Call | Reply {
  const form = new URLSearchParams(body)
  const right =
    method === 'POST' &&
    headers['content-type'] === 'application/x-www-form-urlencoded' &&
    form.get('grant_type') === 'client_credentials' &&
    /^https?:.*\/\.default$/.test(form.get('scope') ?? '')
  const refused = (error: string, status: number): Reply => {
    return { ...json(status, { error, error_description: `AADSTS: ${error}` }), outcome: error }
  }
  if (!right) return refused('invalid_request', 400)
  const known = form.get('client_id') === id && form.get('client_secret') === secret
  return known ? { action: 'token', params: {}, kind: 'read' } : refused('invalid_client', 401)
}

function callOf({ method, target, headers }: Asked, table: string): Call | Reply {
  const { pathname, searchParams } = new URL(target, 'http://lab')
  if (!/^\d{4}-\d\d-\d\d$/.test(searchParams.get('api-version') ?? '')) {
    return refuse('MissingApiVersionParameter', 'The api-version query parameter (?api-version=) is required.')
  }
  const [, found, route] = /\/routeTables\/([^/]+)(?:\/routes\/([^/]+))?$/.exec(pathname) ?? []
  if (method === 'GET' && found === table && route === undefined) {
    return { action: 'getTable', params: {}, kind: 'read' }
  }
  if (method === 'PUT' && found === table && route !== undefined) {
    if (headers['content-type'] === 'application/json') return { action: 'putRoute', params: { route }, kind: 'write' }
    return refuse('InvalidRequestFormat', 'the body is no JSON')
  }
  const [, what, id] = /\/(operations|operationResults)\/([^/]+)$/.exec(pathname) ?? []
  if (method === 'GET' && what !== undefined && id !== undefined) {
    return { action: 'getOperation', params: { id, what }, kind: 'read' }
  }
  return refuse('ResourceNotFound', `The Resource '${pathname}' was not found.`)
}

function routeOf(state: AzureState, name: string, now: Date): object {
  const { version, properties, operation: { doneAt, error } = { doneAt: 0, error: null } } = state.routes[name]!
  const provisioningState = now.getTime() < doneAt ? 'Updating' : error === null ? 'Succeeded' : 'Failed'
  return { name, etag: `W/"${version}"`, properties: { provisioningState, ...properties, hasBgpOverride: false } }
}

function tableOf(state: AzureState, name: string, now: Date): object {
  return { name, properties: { routes: Object.keys(state.routes).map((route) => routeOf(state, route, now)) } }
}

function operation(state: AzureState, { params: { id = '', what } }: Call, now: Date): Reply {
  const found = Object.hasOwn(state.operations, id) ? state.operations[id] : undefined
  if (found === undefined) return refuse('ResourceNotFound', `no operation ${id}`)
  const isRunning = now.getTime() < found.doneAt
  if (what === 'operationResults') return { ...json(isRunning ? 202 : 200, {}), body: '' }
  if (isRunning) return json(200, { status: 'InProgress' })
  return json(200, found.error === null ? { status: 'Succeeded' } : { status: 'Failed', error: found.error })
}

const bodySchema = z.strictObject({
  properties: z.strictObject({
    addressPrefix: z.union([z.cidrv4(), z.cidrv6()]),
    nextHopType: z.enum(['VirtualAppliance', 'VnetLocal', 'Internet', 'VirtualNetworkGateway', 'None']),
    nextHopIpAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  }),
})

function putRoute(
  state: AzureState,
  { params: { route = '' } }: Call,
  { asked, now, options }: { readonly asked: Asked; readonly now: Date; readonly options: Operations },
): Performed<AzureState> {
  const body = bodySchema.safeParse(parsed(asked.body)).data
  if (body === undefined) return { reply: refuse('InvalidRequestFormat', 'a route, as documented') }
  const { properties } = body
  if ((properties.nextHopType === 'VirtualAppliance') !== (properties.nextHopIpAddress !== undefined)) {
    return { reply: refuse('InvalidRequestFormat', 'nextHopIpAddress is for VirtualAppliance, and for it alone') }
  }
  const { operationMs = 0, operationError = null, follow = 'Azure-AsyncOperation' } = options
  const id = `op-${Object.keys(state.operations).length + 1}`
  const version = (state.routes[route]?.version ?? 0) + 1
  const begun = { doneAt: now.getTime() + operationMs, error: operationError }
  const next = {
    routes: { ...state.routes, [route]: { version, properties, operation: begun } },
    operations: { ...state.operations, [id]: begun },
  }
  const network = `http://${asked.headers.host}/providers/Microsoft.Network`
  const reply =
    follow === 'Location'
      ? { ...json(202, {}, { location: `${network}/operationResults/${id}?api-version=2024-05-01` }), body: '' }
      : json(version === 1 ? 201 : 200, routeOf(next, route, now), {
          'azure-asyncoperation': `${network}/operations/${id}?api-version=2024-05-01`,
        })
  return { reply, state: next }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
