/**
 * The audit trail of calls: who called what, why, and what was answered; for every call that may change something.
 *
 * It stands around all routes, so that none can forget it. A call without a known token is not written down, since
 * anybody could then fill the trail; and refusals only so many, each with how many before it were left out.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { nameSchema } from '../contract.ts'
import type { Cluster } from '../core/cluster.ts'
import type { ClusterPorts } from '../core/ports.ts'
import type { Env } from './auth.ts'
import { type Bucket, take } from './rate-limit.ts'

export type AuditInput = {
  readonly cluster: Pick<Cluster, 'audit'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'log'>
}

/** Refusals that are written down: a minute's worth of a person's mistakes at once, and one every ten seconds for ever. */
const refusals = { perSecond: 0.1, burst: 60 }

/** A node's report is no call of a person's: what comes of it is in the trail by itself. */
const isReport = (path: string): boolean => /^\/v1\/nodes\/[^/]+\/report$/.test(path)

export function auditCalls({ cluster, ports }: AuditInput): MiddlewareHandler<Env> {
  let bucket: Bucket | undefined
  let leftOut = 0
  const mayWrite = (): boolean => {
    const taken = take(bucket, refusals, ports.clock.now())
    bucket = taken.bucket
    if (!taken.allowed) leftOut += 1
    return taken.allowed
  }
  return async (context, next) => {
    await next()
    const { method, path } = context.req
    const identity = context.get('identity')
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || isReport(path) || identity === null) return
    const { status } = context.res
    if (status >= 400 && !mayWrite()) return
    const event = await callOf(context, status, status >= 400 ? leftOut : 0)
    if (status >= 400) leftOut = 0
    await cluster.audit(event).catch((error: Error) => {
      // What the call did is durable, with an event of its own, and cannot be taken back here.
      ports.log('error', { event: 'audit-failed', ...event.detail, msg: `${event.text}: ${error.message}` })
    })
  }
}

async function callOf(context: Context<Env>, status: number, leftOut: number) {
  const { method, path } = context.req
  const { name: by, role } = context.get('identity')!
  const reason = await reasonOf(context)
  const dryRun = context.req.query('dryRun') === 'true'
  const shown = path.slice(0, 200)
  const [, kind, name] = /^\/v1\/(services|nodes)\/([^/]+)/.exec(path) ?? []
  const subject = nameSchema.safeParse(name).data ?? null
  const but = [...(dryRun ? ['as a dry run'] : []), ...(reason === null ? [] : [reason])].map((part) => `: ${part}`)
  const detail = { by, role, method, path: shown, status, reason, requestId: context.get('requestId') }
  return {
    kind: 'call',
    service: kind === 'services' ? subject : null,
    node: kind === 'nodes' ? subject : null,
    text: `${by} called ${method} ${shown}, answered ${status}${but.join('')}`,
    detail: { ...detail, ...(dryRun ? { dryRun } : {}), ...(leftOut > 0 ? { leftOut } : {}) },
  }
}

/** As the route has read it: a body that nobody has read is not read for the trail. */
async function reasonOf(context: Context<Env>): Promise<string | null> {
  const asked = context.req.query('reason')
  if (asked !== undefined) return asked.slice(0, 500)
  if (Object.keys(context.req.bodyCache).length === 0) return null
  const body = (await context.req.json().catch(() => null)) as { reason?: unknown } | null
  return typeof body?.reason === 'string' ? body.reason.slice(0, 500) : null
}
