/** Who may call the strict Cloudflare, and how often: API tokens with the permissions that they were made with. */
import { type Refusal, refusal } from './cloudflare-wire.ts'
import type { Asked } from './strict-cloud.ts'

export type Permission =
  /** Of a zone. */
  | 'Zone Read'
  | 'DNS Read'
  | 'DNS Write'
  | 'Load Balancers Read'
  | 'Load Balancers Write'
  /** Of an account: "Load Balancing: Monitors And Pools". */
  | 'Pools Read'
  | 'Pools Write'

export type CloudflareToken = {
  readonly id: string
  readonly value: string
  readonly owner: 'user' | 'account'
  readonly status?: 'active' | 'disabled' | 'expired'
  readonly expires?: string
  /** `of`: the id of a zone or an account. */
  readonly may: 'everything' | readonly { readonly permission: Permission; readonly of: string }[]
}

export const labToken: CloudflareToken = {
  id: 'ed17574386854bf78a67040be0a770b0',
  value: 'labToken-0123456789-abcdefghijklmnopqrstuv',
  owner: 'user',
  may: 'everything',
}

export type Admission = {
  readonly tokens: readonly CloudflareToken[]
  readonly needs: Permission | 'to be of a user' | 'to be of the account' | undefined
  readonly params: Readonly<Record<string, string>>
  readonly accountId: string
}

/** The token of whoever asks, or why they may not. */
export function admit({ headers }: Asked, { tokens, needs, params, accountId }: Admission): CloudflareToken | Refusal {
  const { authorization } = headers
  if (authorization === undefined) return refusal(9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers')
  const value = /^Bearer ([A-Za-z0-9_-]{20,80})$/.exec(authorization)?.[1]
  if (value === undefined) return refusal(6003, 'Invalid request headers')
  const token = tokens.find((each) => each.value === value)
  if (token === undefined || (token.status ?? 'active') !== 'active') return refusal(1000)
  if (needs === 'to be of a user') return token.owner === 'user' ? token : refusal(1000)
  if (needs === 'to be of the account') {
    return token.owner === 'account' && params.account === accountId ? token : refusal(1000)
  }
  if (needs === undefined || token.may === 'everything') return foreignAccount(params, accountId) ?? token
  const of = params.zone ?? params.account
  // Whoever may write may read.
  const enough = [needs, needs.replace(/Read$/, 'Write')]
  const allowed = token.may.some((each) => each.of === of && enough.includes(each.permission))
  return allowed ? (foreignAccount(params, accountId) ?? token) : refusal(10000)
}

function foreignAccount({ account }: Readonly<Record<string, string>>, accountId: string): Refusal | undefined {
  return account === undefined || account === accountId ? undefined : refusal(10000)
}

/**
 * Counts the calls of each owner in windows of `perMs`. Undefined: there is room. Whoever exceeds it is shut out of every
 * call for as long again, and is told how many milliseconds are left.
 */
export function createLimit({
  calls,
  perMs,
  now,
}: {
  readonly calls: number
  readonly perMs: number
  readonly now: () => number
}): (owner: string) => number | undefined {
  const windows = new Map<string, { start: number; count: number; shutUntil: number }>()
  return (owner) => {
    const at = now()
    const known = windows.get(owner) ?? { start: at, count: 0, shutUntil: 0 }
    const window = at - known.start >= perMs ? { ...known, start: at, count: 0 } : known
    window.count += 1
    if (window.count > calls && at >= window.shutUntil) window.shutUntil = at + perMs
    windows.set(owner, window)
    return at < window.shutUntil ? window.shutUntil - at : undefined
  }
}
