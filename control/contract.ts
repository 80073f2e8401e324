/**
 * What an agent and control say to each other (design: section 6), as zod schemas and their types.
 *
 *   agent ── Report ──▶ control      over WebSocket `GET /v1/agent`, one JSON text message each,
 *   agent ◀── Commands ── control    or over `POST /v1/nodes/{node}/report`: request body and answer
 *
 * Both transports carry the same two messages, so a WebSocket is only a faster POST. A report is the node's
 * whole present state, repeated: on every change, when asked, and every `heartbeatMs`. Losing one only delays.
 *
 * This is the one file of control that node-agent imports.
 */
import { z } from 'zod'

/** How often an agent repeats its report when nothing changes, in milliseconds. */
export const heartbeatMs = 1_000

/** How long control goes on believing a node's last report, in milliseconds, on control's own monotonic clock. */
export const leaseMs = 5_000

/**
 * How long an agent goes on believing that control hears it, in milliseconds, on the agent's own monotonic clock, from
 * the moment at which it sent the last ping that was answered. Shorter than `leaseMs`, so that a node that gives its
 * address up because it has lost control has done so before control gives the service to somebody else.
 */
export const holderLeaseMs = 4_000

/** Names of nodes, sites, services and bindings: they appear in URLs, logs and DNS. */
export const nameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
    'a name is 1 to 63 letters, digits, dots, dashes or underscores, and begins and ends with a letter or digit',
  )

export const routerStateSchema = z.enum(['initialize', 'backup', 'active', 'fault'])
export type RouterState = z.infer<typeof routerStateSchema>

export const serviceReportSchema = z.strictObject({
  state: routerStateSchema,
  /** The priority the node advertises, or would advertise, now: 1..255. */
  priority: z.int().min(0).max(255),
  /** The priority its configuration gives it; differs from `priority` while control or a check has changed it. */
  basePriority: z.int().min(0).max(255).optional(),
  healthy: z.boolean(),
  /** Why it is not healthy, for people. */
  fault: z.string().max(200).optional(),
  /** No VRRP: active whenever healthy, beside whoever else is (a lone cloud node). Default: false. */
  solo: z.boolean().optional(),
  /** Told to `yield`: it takes no part in the election. Default: false. */
  yielding: z.boolean().optional(),
  /** The highest epoch that control has told this node of the service. */
  epochSeen: z.int().min(0).optional(),
  /** When the node entered `state`, by its own clock: for people, never for decisions. */
  since: z.iso.datetime({ offset: true }),
})
export type ServiceReport = z.infer<typeof serviceReportSchema>

/** What became of a command: `ok`, or why not. */
export const commandResultSchema = z.strictObject({
  id: z.string().min(1).max(64),
  ok: z.boolean(),
  reason: z.string().max(500).optional(),
})
export type CommandResult = z.infer<typeof commandResultSchema>

export const reportSchema = z.strictObject({
  node: nameSchema,
  site: nameSchema,
  /** Drawn at the agent's start, so that a restarted or restored agent is never taken for its former self. */
  incarnation: z.string().min(1).max(64),
  /** Grows by at least one with every report of an incarnation. A report that is not newer is ignored. */
  sequence: z.int().min(0),
  services: z.record(nameSchema, serviceReportSchema),
  /** Ids of `ask` commands that this report answers: it was composed after they arrived. */
  answers: z.array(z.string().min(1).max(64)).max(64).optional(),
  results: z.array(commandResultSchema).max(64).optional(),
})
export type Report = z.infer<typeof reportSchema>

export const commandSchema = z.discriminatedUnion('kind', [
  /** Send a fresh report at once, with `id` among its `answers`. */
  z.strictObject({ kind: z.literal('ask'), id: z.string(), service: nameSchema }),
  /** Advertise `priority` (above the present owner's) and become active now; keep it until no longer active, or `lower`. */
  z.strictObject({
    kind: z.literal('take-over'),
    id: z.string(),
    service: nameSchema,
    priority: z.int().min(1).max(254),
  }),
  /** Go back to the configured priority: nothing needs to be outranked any more. */
  z.strictObject({ kind: z.literal('lower'), id: z.string(), service: nameSchema }),
  /**
   * `on`: take no part in the election, as long as this agent runs: become backup (handing over politely when active)
   * and stay it, whatever is heard. Not `on`: take part again. A node that is drained is told so.
   */
  z.strictObject({ kind: z.literal('yield'), id: z.string(), service: nameSchema, on: z.boolean() }),
  /**
   * Who owns the service outside, at which epoch. The highest epoch is remembered and reported as `epochSeen`.
   * `contested`: the node that is told is active as well, and is not the owner: the LAN is split or healing.
   */
  z.strictObject({
    kind: z.literal('owner'),
    id: z.string(),
    service: nameSchema,
    node: nameSchema,
    epoch: z.int().min(0),
    contested: z.boolean(),
  }),
])
export type Command = z.infer<typeof commandSchema>

/** A service in a report that was not heard, since control does not let this node take part in it. */
export const refusedServiceSchema = z.strictObject({ service: nameSchema, why: z.string().max(500) })
export type RefusedService = z.infer<typeof refusedServiceSchema>

/** Commands may arrive twice; each is safe to perform twice. */
export const commandsSchema = z.strictObject({
  commands: z.array(commandSchema).max(256),
  refused: z.array(refusedServiceSchema).max(256).optional(),
})
export type Commands = z.infer<typeof commandsSchema>
