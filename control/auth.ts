/**
 * Who is calling: bearer tokens, known to control only as SHA-256 hashes, and what each role may do.
 *
 *   admin > operator > viewer          node: the reports and the link of its own node, and nothing else
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Role } from './config.ts'
import { ProblemError } from './problem.ts'
import type { TokenRecord } from './store/store.ts'

export type Identity = { readonly name: string; readonly role: Role; readonly node: string | null }

export type Env = { Variables: { identity: Identity; requestId: string } }

/** The identity behind an `Authorization` header, or null. */
export type Authenticate = (header: string | undefined) => Promise<Identity | null>

export async function hashToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** `tokens`: those that are valid now. */
export function createAuthenticate(tokens: () => readonly TokenRecord[]): Authenticate {
  return async (header) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1]
    if (token === undefined) return null
    const hash = await hashToken(token)
    // Every token is compared, each in full, so that the time taken tells nothing about any of them.
    let found: Identity | null = null
    for (const { name, role, node, hash: known } of tokens()) if (equal(known, hash)) found = { name, role, node }
    return found
  }
}

function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= (a.charCodeAt(i) || 0) ^ b.charCodeAt(i)
  return difference === 0
}

const ranks: Readonly<Record<Role, number>> = { admin: 3, operator: 2, viewer: 1, node: 0 }

/** Lets callers of at least this role pass. */
export function allow(authenticate: Authenticate, least: 'admin' | 'operator' | 'viewer'): MiddlewareHandler<Env> {
  return async (context, next) => {
    const identity = await identify(authenticate, context)
    if (ranks[identity.role] < ranks[least])
      throw forbidden(`needs the role ${least}; ${identity.name} is ${identity.role}`)
    await next()
  }
}

/** Lets a node's own token pass, and nobody else's; with a `{node}` in the path, only for that node. */
export function allowNode(authenticate: Authenticate): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { role, node, name } = await identify(authenticate, context)
    if (role !== 'node') throw forbidden(`needs the role node; ${name} is ${role}`)
    const asked = context.req.param('node')
    if (asked !== undefined && asked !== node) throw forbidden(`${name} speaks for ${node}, not for ${asked}`)
    await next()
  }
}

async function identify(authenticate: Authenticate, context: Context<Env>): Promise<Identity> {
  const identity = await authenticate(context.req.header('authorization'))
  if (identity === null) {
    const detail = 'send "Authorization: Bearer TOKEN" with a token that control knows'
    throw new ProblemError({ status: 401, code: 'unauthorized', detail })
  }
  context.set('identity', identity)
  return identity
}

function forbidden(why: string): ProblemError {
  return new ProblemError({ status: 403, code: 'forbidden', detail: why })
}
