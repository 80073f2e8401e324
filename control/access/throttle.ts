/**
 * Keeps callers within their limits: each token by itself, so that a script of an operator never starves a node's
 * reports; and whoever has none by its address, where the runtime knows it.
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Clock } from '../core/ports.ts'
import { respond } from '../problem.ts'
import type { Env } from './auth.ts'
import { addressKey, createLimiter, type Limit, type Taken } from './rate-limit.ts'

export type ThrottleInput = {
  readonly limit: Limit
  readonly clock: Pick<Clock, 'now'>
  /** The client's network address; undefined where nobody knows. */
  readonly addressOf: (context: Context) => string | undefined
  /** Whether anybody may call this, without a token: probes, which many may send from one address. */
  readonly isPublic: (path: string) => boolean
}

/** So many times as much is allowed to what is public: an address may stand for a whole network of load balancers. */
const publicFactor = 10

export function throttle({ limit, clock, addressOf, isPublic }: ThrottleInput): MiddlewareHandler<Env> {
  const generous = { perSecond: limit.perSecond * publicFactor, burst: limit.burst * publicFactor }
  const buckets = {
    token: { limit, take: createLimiter(limit) },
    address: { limit, take: createLimiter(limit) },
    public: { limit: generous, take: createLimiter(generous) },
  }
  return async (context, next) => {
    const identity = context.get('identity')
    const address = identity === null ? addressOf(context) : undefined
    const key = identity === null ? address && addressKey(address) : identity.id
    if (key === undefined) return next()
    const name = identity !== null ? 'token' : isPublic(context.req.path) ? 'public' : 'address'
    const bucket = buckets[name]
    const taken = bucket.take(key, clock.now())
    const headers = describe(name, bucket.limit, taken)
    if (!taken.allowed) {
      const seconds = Math.max(1, Math.ceil(taken.waitMs / 1_000))
      const detail = `more than ${bucket.limit.perSecond} requests a second: come back in ${seconds} s`
      const problem = { status: 429, code: 'too-many-requests', detail } as const
      return respond(context, problem, { ...headers, 'retry-after': String(seconds) })
    }
    // Before there is an answer, as all headers. A WebSocket's belong to the runtime.
    if (context.req.path !== '/v1/agent') for (const name in headers) context.header(name, headers[name])
    return next()
  }
}

/** The two fields of the IETF's draft on rate limit headers. */
function describe(name: string, { perSecond, burst }: Limit, { bucket, left }: Taken): Record<string, string> {
  const fullInSeconds = Math.ceil((burst - bucket.left) / perSecond)
  return {
    'ratelimit-policy': `"${name}";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`,
    ratelimit: `"${name}";r=${left};t=${fullInSeconds}`,
  }
}
