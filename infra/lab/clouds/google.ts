/**
 * A strict Compute Engine on this machine, and the token endpoint before it:
 *
 *   POST /token                                     a service account's JWT, its signature checked, for a bearer token
 *   GET  …/zones/Z/instances/I                      `getInstance`
 *   PATCH …/instances/I/updateNetworkInterface      `updateNetworkInterface`: without fingerprint 400, with an old one
 *                                                   412; an address that another interface has fails in the operation
 *   GET|DELETE …/global/routes/R, POST …/routes     `getRoute`, `deleteRoute`, `insertRoute`: a name that is taken is 409,
 *                                                   and DELETE takes an id in the place of the name
 *   GET  …/operations/OP                            `getOperation`: RUNNING until `operationMs` have passed
 *   GET  …/regions/R/subnetworks/S                  `getSubnetwork`
 *
 * An operation has its effect when it is accepted, and says so later.
 */
import { createVerify, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { perform } from './google-rules.ts'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type Nic = {
  readonly name: string
  readonly version: number
  readonly subnetwork: string
  readonly aliasIpRanges: readonly { readonly ipCidrRange: string; readonly subnetworkRangeName?: string | undefined }[]
}
export type Route = {
  readonly id: string
  readonly name: string
  readonly network: string
  readonly destRange: string
  readonly priority: number
  readonly nextHopInstance?: string | undefined
  readonly nextHopIp?: string | undefined
  readonly description?: string | undefined
  readonly tags?: readonly string[] | undefined
}
export type GoogleOperation = {
  readonly doneAt: number
  readonly error?: { readonly code: string; readonly message: string }
}
export type GoogleState = {
  /** By `zone/name`. */
  readonly instances: Readonly<Record<string, readonly Nic[]>>
  readonly routes: Readonly<Record<string, Route>>
  readonly operations: Readonly<Record<string, GoogleOperation>>
  /** Tokens that hold, by when they were issued. */
  readonly count: number
}

export type GoogleOptions = CloudOptions & {
  readonly project: string
  readonly account: { readonly email: string; readonly publicKey: KeyObject }
  readonly initial: GoogleState
  readonly operationMs?: number
}

export type Google = StrictCloud<GoogleState> & {
  /** What was ever granted. */
  readonly tokens: readonly string[]
  /** None that was granted holds any more. */
  revoke(): void
}

const statusOf: Readonly<Record<string, number>> = {
  ...{ required: 400, invalid: 400, authError: 401, forbidden: 403, rateLimitExceeded: 403, notFound: 404 },
  ...{
    alreadyExists: 409,
    conditionNotMet: 412,
    quotaExceeded: 403,
    resourceNotReady: 400,
    backendError: 503,
    internalError: 500,
    tooMany: 429,
  },
}

export function refuse(reason: string, message: string): Reply {
  const code = statusOf[reason] ?? 400
  return {
    ...json(code, { error: { code, message, errors: [{ message, domain: 'global', reason }] } }),
    outcome: reason,
  }
}

export function json(status: number, value: unknown): Reply {
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  return { status, headers, body: JSON.stringify(value), outcome: 'ok' }
}

export async function createGoogle(options: GoogleOptions): Promise<Google> {
  const tokens: string[] = []
  const valid = new Set<string>()
  const grant = (): Reply => {
    const token = `ya29.lab-${tokens.length + 1}-${crypto.randomUUID()}`
    tokens.push(token)
    valid.add(token)
    return json(200, { access_token: token, expires_in: 3599, token_type: 'Bearer' })
  }
  const cloud = await createStrictCloud<GoogleState>({
    ...options,
    protocol: {
      read: (asked, now) => {
        if (asked.target === '/token') {
          const problem = assertionProblem(asked, options.account, now)
          return problem ?? { action: 'token', params: {}, kind: 'read' }
        }
        const bearer = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1] ?? ''
        if (!valid.has(bearer)) return refuse('authError', 'Invalid Credentials')
        return callOf(asked, options.project)
      },
      perform: (state, call, { asked, now }) => {
        if (call.action === 'token') return { reply: grant() }
        return perform(state, call, { asked, now, operationMs: options.operationMs ?? 0 })
      },
      refuse,
    },
  })
  return { ...cloud, tokens, revoke: () => valid.clear() }
}

const claimsSchema = z.strictObject({
  iss: z.string(),
  scope: z.literal('https://www.googleapis.com/auth/compute'),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
})

function assertionProblem(asked: Asked, account: GoogleOptions['account'], now: Date): Reply | undefined {
  const invalid = (why: string): Reply => {
    return { ...json(400, { error: 'invalid_grant', error_description: why }), outcome: 'invalid_grant' }
  }
  if (asked.method !== 'POST' || asked.headers['content-type'] !== 'application/x-www-form-urlencoded') {
    return invalid('POST a form')
  }
  const form = new URLSearchParams(asked.body)
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return invalid('no such grant_type')
  const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.')
  const verify = createVerify('RSA-SHA256').update(`${header}.${claims}`)
  if (!verify.verify(account.publicKey, Buffer.from(signature, 'base64url'))) return invalid('Invalid JWT Signature.')
  const read = claimsSchema.safeParse(JSON.parse(Buffer.from(claims, 'base64url').toString()))
  if (!read.success || read.data.iss !== account.email) return invalid('Invalid JWT: iss, scope, aud, iat, exp')
  const { iat, exp } = read.data
  const seconds = now.getTime() / 1000
  return exp - iat > 3600 || exp < seconds || iat > seconds + 60 ? invalid('Invalid JWT: iat and exp') : undefined
}

const routes: readonly {
  readonly method: string
  readonly path: RegExp
  readonly action: string
  readonly write?: true
}[] = [
  { method: 'GET', path: /^\/zones\/(?<zone>[^/]+)\/instances\/(?<instance>[^/]+)$/, action: 'getInstance' },
  {
    ...{ method: 'PATCH', action: 'updateNetworkInterface', write: true },
    path: /^\/zones\/(?<zone>[^/]+)\/instances\/(?<instance>[^/]+)\/updateNetworkInterface$/,
  },
  { method: 'GET', path: /^\/(zones\/[^/]+|global)\/operations\/(?<operation>[^/]+)$/, action: 'getOperation' },
  { method: 'GET', path: /^\/regions\/[^/]+\/subnetworks\/(?<subnet>[^/]+)$/, action: 'getSubnetwork' },
  { method: 'GET', path: /^\/global\/networks\/(?<network>[^/]+)$/, action: 'getNetwork' },
  { method: 'GET', path: /^\/global\/routes\/(?<route>[^/]+)$/, action: 'getRoute' },
  { method: 'DELETE', path: /^\/global\/routes\/(?<route>[^/]+)$/, action: 'deleteRoute', write: true },
  { method: 'POST', path: /^\/global\/routes$/, action: 'insertRoute', write: true },
]

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function callOf({ method, target, headers, body }: Asked, project: string): Call | Reply {
  const { pathname, searchParams } = new URL(target, 'http://lab')
  const base = `/projects/${project}`
  if (!pathname.startsWith(`${base}/`)) return refuse('notFound', `no such project: ${pathname}`)
  for (const route of routes) {
    const match = route.method === method ? route.path.exec(pathname.slice(base.length)) : null
    if (match === null) continue
    const query = Object.fromEntries(searchParams)
    if (query.requestId !== undefined && !uuid.test(query.requestId)) return refuse('invalid', 'requestId is no UUID')
    if (body !== '' && headers['content-type'] !== 'application/json') return refuse('invalid', 'the body is no JSON')
    const write = route.write ?? false
    const more = { ...(write ? { access: 'write' } : {}), ...(write ? aliasesIn(body) : {}) }
    return { action: route.action, params: { ...match.groups, ...query, ...more }, kind: write ? 'write' : 'read' }
  }
  return refuse('notFound', `no such method: ${method} ${pathname}`)
}

/** So that a fault can be about the call that gives an alias, and not the one that takes it. */
function aliasesIn(body: string): Record<string, string> {
  const found = [...body.matchAll(/"ipCidrRange":"([^"]+)"/g)]
  return Object.fromEntries(found.map(([, range = ''], i) => [`alias${i}`, range]))
}
