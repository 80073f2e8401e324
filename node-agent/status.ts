/** Local status and commands: HTTP over a Unix socket that only its owner and group may open. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { RouterState } from '../control/contract.ts'
import type { Verdict } from './checks/health.ts'
import type { Lease } from './link/lease.ts'
import type { ReloadOutcome } from './reload.ts'

export type AgentStatus = {
  readonly node: string
  readonly site: string
  readonly incarnation: string
  /** Null without a control in the configuration. */
  readonly control: { readonly url: string; readonly connected: boolean; readonly lease: Lease } | null
  /** None runs where all services are solo. */
  readonly vrrp: { readonly pid: number | null; readonly realtime: boolean; readonly restarts: number }
  readonly services: Readonly<Record<string, AgentServiceStatus>>
  readonly checks: Readonly<Record<string, { readonly verdict: Verdict; readonly why: string | null }>>
  /** Discarded packets by interface and reason (RFC 9568 §7.1). */
  readonly discards: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export type AgentServiceStatus = {
  readonly state: RouterState
  readonly since: string
  readonly priority: number
  readonly basePriority: number
  readonly mode: 'vrrp' | 'solo'
  /** Null for a solo service, which also has no addresses. */
  readonly interface: string | null
  readonly vrid: number | null
  readonly addresses: readonly string[]
  readonly yielding: boolean
  /** Why it takes no part in the election; null while it does. */
  readonly yieldsBecause: string | null
  /** Who owns it outside, as control said last. */
  readonly owner: { readonly node: string; readonly epoch: number; readonly contested: boolean } | null
  readonly fault: string | null
  readonly sent: number
  readonly received: number
  readonly transitions: number
  readonly late: number
}

export type StatusServer = { readonly close: () => Promise<void> }

export type LocalCalls = {
  readonly status: () => AgentStatus
  readonly reload: () => Promise<ReloadOutcome>
}

const httpStatusOf = { reloaded: 200, refused: 422, failed: 500 } as const

/** `GET /v1/status`, `POST /v1/reload`. Throws when another agent is listening, or the path can't be used. */
export async function serveStatus(path: string, { status, reload }: LocalCalls): Promise<StatusServer> {
  const app = new Hono()
    .get('/v1/status', (context) => context.json(status()))
    .post('/v1/reload', async (context) => {
      const outcome = await reload()
      return context.json(outcome, httpStatusOf[outcome.kind])
    })
    .get('/healthz', (context) => context.json({ status: 'ok' }))
  if (await answers(path)) {
    // The code marks it as a failure to tell in one line, and not as a defect of ours with a stack.
    const message = `another agent is listening on ${path}: stop it, or set another socket`
    throw Object.assign(new Error(message), { code: 'EADDRINUSE' })
  }
  // What a killed agent left behind answers nobody and would refuse our bind.
  rmSync(path, { force: true })
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  const server = createAdaptorServer({ fetch: app.fetch })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o660)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
