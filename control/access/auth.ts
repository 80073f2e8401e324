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
 * `valid`: the token with this hash, if it is valid now. It is looked up by hash and never by what was sent: whoever
 * measures how long that takes learns about the hash of a guess, from which no better guess follows.
 */
export function createAuthenticate(digest: Digest, valid: (hash: string) => TokenRecord | undefined): Authenticate {
  return async (header) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1]
    if (token === undefined) return null
    const found = valid(await digest(token))
    if (found === undefined) return null
    const { id, name, role, node } = found
    return { id, name, role, node }
  }
}

/** Finds out who is calling, once for all that follows, and lets everybody on: what they may do, each route says. */
export function identify(authenticate: Authenticate): MiddlewareHandler<Env> {
  return async (context, next) => {
    context.set('identity', await authenticate(context.req.header('authorization')))
    return next()
  }
}

export type PeopleRole = 'admin' | 'operator' | 'viewer'

const ranks: Readonly<Record<Role, number>> = { admin: 3, operator: 2, viewer: 1, node: 0 }

/** Lets callers of at least this role pass. */
export function allow(least: PeopleRole): MiddlewareHandler<Env> {
  return (context, next) => {
    const { role, name } = callerOf(context)
    if (ranks[role] < ranks[least]) throw forbidden(`needs the role ${least}; ${name} is ${role}`)
    return next()
  }
}

/** Lets a node's own token pass, and nobody else's; with a `{node}` in the path, only for that node. */
export function allowNode(): MiddlewareHandler<Env> {
  return (context, next) => {
    const { role, node, name } = callerOf(context)
    if (role !== 'node') throw forbidden(`needs the role node; ${name} is ${role}`)
    const asked = context.req.param('node')
    if (asked !== undefined && asked !== node) throw forbidden(`${name} speaks for ${node}, not for ${asked}`)
    return next()
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
