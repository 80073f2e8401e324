/**
 * Who is calling: bearer tokens, known to control only as SHA-256 hashes, and what each role may do.
 *
 *   admin > operator > viewer          node: the reports and the link of its own node, and nothing else
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Role } from '../config/config.ts'
import { ProblemError } from '../problem.ts'
import type { TokenRecord } from '../store/store.ts'

/** `id` is the token's, so that two tokens of one name are told apart. */
export type Identity = {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly node: string | null
}

export type Env = { Variables: { identity: Identity | null; requestId: string } }

/** The identity behind an `Authorization` header, or null. */
export type Authenticate = (header: string | undefined) => Promise<Identity | null>

/** The SHA-256 of a token, in hexadecimal. A runtime that has it without waiting may give it so. */
export type Digest = (token: string) => string | Promise<string>

export async function hashToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return hex(new Uint8Array(digest))
}

export function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * `candidates`: the valid tokens whose hashes begin as this one does (`shortHash`). Each is compared in full, so that
 * the time taken tells nothing about any of them.
 */
export function createAuthenticate(
  digest: Digest,
  candidates: (short: string) => readonly TokenRecord[],
): Authenticate {
  return async (header) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1]
    if (token === undefined) return null
    const hash = await digest(token)
    let found: Identity | null = null
    for (const { id, name, role, node, hash: known } of candidates(shortHash(hash))) {
      if (equal(known, hash)) found = { id, name, role, node }
    }
    return found
  }
}

/** What tokens are found by: of no use to whoever learns it, since it is of a hash. */
export const shortHash = (hash: string): string => hash.slice(0, 12)

function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= (a.charCodeAt(i) || 0) ^ b.charCodeAt(i)
  return difference === 0
}

/** Finds out who is calling, once for all that follows, and lets everybody on: what they may do, each route says. */
export function identify(authenticate: Authenticate): MiddlewareHandler<Env> {
  return async (context, next) => {
    context.set('identity', await authenticate(context.req.header('authorization')))
    await next()
  }
}

export type PeopleRole = 'admin' | 'operator' | 'viewer'

const ranks: Readonly<Record<Role, number>> = { admin: 3, operator: 2, viewer: 1, node: 0 }

/** Lets callers of at least this role pass. */
export function allow(least: PeopleRole): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { role, name } = callerOf(context)
    if (ranks[role] < ranks[least]) throw forbidden(`needs the role ${least}; ${name} is ${role}`)
    await next()
  }
}

/** Lets a node's own token pass, and nobody else's; with a `{node}` in the path, only for that node. */
export function allowNode(): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { role, node, name } = callerOf(context)
    if (role !== 'node') throw forbidden(`needs the role node; ${name} is ${role}`)
    const asked = context.req.param('node')
    if (asked !== undefined && asked !== node) throw forbidden(`${name} speaks for ${node}, not for ${asked}`)
    await next()
  }
}

/** Whoever calls a route that not everybody may call. */
export function callerOf(context: Context<Env>): Identity {
  const identity = context.get('identity')
  if (identity !== null) return identity
  const detail = 'send "Authorization: Bearer TOKEN" with a token that control knows'
  throw new ProblemError({ status: 401, code: 'unauthorized', detail })
}

function forbidden(why: string): ProblemError {
  return new ProblemError({ status: 403, code: 'forbidden', detail: why })
}
