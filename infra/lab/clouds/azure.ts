/**
 * A strict Azure Resource Manager on this machine with one route table, and the token endpoint before it:
 *
 *   POST /token                          client credentials, for a bearer token
 *   GET  …/routeTables/T                 `getTable`
 *   PUT  …/routeTables/T/routes/R        `putRoute`: read-only properties and unknown ones are refused; 200 or 201 with
 *                                        Azure-AsyncOperation
 *   GET  …/operations/OP                 `getOperation`: InProgress until `operationMs` have passed
 *
 * Each call names its api-version. An operation has its effect when it is accepted.
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
  readonly routes: Readonly<Record<string, { readonly version: number; readonly properties: Properties }>>
  readonly operations: Readonly<Record<string, { readonly doneAt: number }>>
}

export type AzureOptions = CloudOptions & {
  readonly table: string
  readonly client: { readonly id: string; readonly secret: string }
  readonly initial: AzureState
  readonly operationMs?: number
}

export type Azure = StrictCloud<AzureState> & { readonly tokens: readonly string[]; revoke(): void }

const statusOf: Readonly<Record<string, number>> = {
  ...{ InvalidRequestFormat: 400, MissingApiVersionParameter: 400, ExpiredAuthenticationToken: 401 },
  ...{ AuthorizationFailed: 403, ResourceNotFound: 404, TooManyRequests: 429, ServiceUnavailable: 503 },
  ...{ AnotherOperationInProgress: 409 },
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
        if (call.action === 'getTable') return { reply: json(200, tableOf(state, options.table)) }
        if (call.action === 'getOperation') return operation(state, call, now)
        return putRoute(state, call, { asked, doneAt: now.getTime() + (options.operationMs ?? 0) })
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
  const [, id] = /\/operations\/([^/]+)$/.exec(pathname) ?? []
  if (method === 'GET' && id !== undefined) return { action: 'getOperation', params: { id }, kind: 'read' }
  return refuse('ResourceNotFound', `The Resource '${pathname}' was not found.`)
}

function routeOf(state: AzureState, name: string): object {
  const { version, properties } = state.routes[name]!
  return {
    name,
    etag: `W/"${version}"`,
    properties: { provisioningState: 'Succeeded', ...properties, hasBgpOverride: false },
  }
}

function tableOf(state: AzureState, name: string): object {
  return { name, properties: { routes: Object.keys(state.routes).map((route) => routeOf(state, route)) } }
}

function operation(state: AzureState, { params: { id = '' } }: Call, now: Date): Performed<AzureState> {
  const found = Object.hasOwn(state.operations, id) ? state.operations[id] : undefined
  if (found === undefined) return { reply: refuse('ResourceNotFound', `no operation ${id}`) }
  return { reply: json(200, { status: now.getTime() < found.doneAt ? 'InProgress' : 'Succeeded' }) }
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
  { asked, doneAt }: { readonly asked: Asked; readonly doneAt: number },
): Performed<AzureState> {
  const body = bodySchema.safeParse(parsed(asked.body)).data
  if (body === undefined) return { reply: refuse('InvalidRequestFormat', 'a route, as documented') }
  const { properties } = body
  if ((properties.nextHopType === 'VirtualAppliance') !== (properties.nextHopIpAddress !== undefined)) {
    return { reply: refuse('InvalidRequestFormat', 'nextHopIpAddress is for VirtualAppliance, and for it alone') }
  }
  const id = `op-${Object.keys(state.operations).length + 1}`
  const version = (state.routes[route]?.version ?? 0) + 1
  const next = {
    routes: { ...state.routes, [route]: { version, properties } },
    operations: { ...state.operations, [id]: { doneAt } },
  }
  const url = `http://${asked.headers.host}/providers/Microsoft.Network/operations/${id}?api-version=2024-05-01`
  const reply = json(version === 1 ? 201 : 200, routeOf(next, route), { 'azure-asyncoperation': url })
  return { reply, state: next }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
