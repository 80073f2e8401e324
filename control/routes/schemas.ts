/**
 * What the API answers with, as schemas: they describe what goes out as it is, and are what the OpenAPI document says.
 */
import { z } from '@hono/zod-openapi'
import { routerStateSchema, serviceReportSchema } from '../contract.ts'
import type { NodeView, ServiceView } from '../core/view.ts'
import type { Operation } from '../decision.ts'
import { traceparentOf } from '../seeing/trace.ts'

const time = () => z.string().openapi({ format: 'date-time' })
const milliseconds = () => z.number().nullable()
/** Of a schema that has a name: `nullable` would make the named one nullable wherever it is used. */
const orNull = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, z.null()])

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'Short and stable, for programs' }),
    detail: z.string().openapi({ description: 'What is wrong, where, and what to do' }),
    errors: z
      .array(z.object({ place: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Each place of a request that does not fit' }),
    instance: z.string(),
    requestId: z.string(),
  })
  .openapi('Problem', {
    example: {
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      code: 'held',
      detail: 'web is held by ops: release it first',
      instance: '/v1/services/web/switchover',
      requestId: '0d2f1c1e-6f0b-4a86-a8d4-0a4f8a0d7b11',
    },
  })

export const holdSchema = z.object({ by: z.string(), reason: z.string().nullable(), since: time() }).openapi('Hold')

const memberSchema = z
  .object({
    node: z.string(),
    site: z.string(),
    state: routerStateSchema,
    priority: z.int(),
    healthy: z.boolean(),
    fault: z.string().nullable(),
    solo: z.boolean(),
    drained: z.boolean(),
    connected: z.boolean(),
    lastReport: time().nullable(),
  })
  .openapi('Member')

const bindingSchema = z
  .object({
    name: z.string(),
    adapter: z.string(),
    drift: z.enum(['reassert', 'alert', 'freeze']),
    waitsFor: z.array(z.string()).openapi({ description: 'Bindings that come first, while it waits for them' }),
    state: z.enum(['pending', 'applying', 'verifying', 'settled', 'retrying', 'failed', 'drifted']),
    node: z.string().nullable(),
    epoch: z.int().nullable(),
    observed: z.string().nullable(),
    attempts: z.int(),
    lastError: z.string().nullable(),
    preflight: z
      .object({ at: time(), failed: z.array(z.object({ check: z.string(), message: z.string().nullable() })) })
      .nullable()
      .openapi({ description: 'What would fail if it had to move now; null: not tried yet' }),
  })
  .openapi('Binding')

export const serviceSchema = z
  .object({
    service: z.string(),
    phase: z.enum(['settled', 'moving', 'degraded', 'held', 'suppressed', 'unowned']),
    owner: z.object({ node: z.string(), site: z.string(), epoch: z.int(), since: time() }).nullable(),
    members: z.array(memberSchema),
    bindings: z.array(bindingSchema),
    sites: z.array(z.string()).openapi({ description: 'In the order of preference; empty when all are equal' }),
    origins: z.record(z.string(), z.enum(['healthy', 'unhealthy', 'unknown'])),
    reachable: z.boolean().nullable(),
    hold: orNull(holdSchema),
    suppressedUntil: time().nullable(),
    dualActive: z.boolean(),
    higherEpoch: z.int().nullable(),
    operation: z.string().nullable().openapi({ description: 'The id of the operation under way' }),
  })
  .openapi('Service')

export const nodeSchema = z
  .object({
    node: z.string(),
    site: z.string(),
    connected: z.boolean(),
    fresh: z.boolean(),
    incarnation: z.string(),
    lastReport: time(),
    drain: orNull(holdSchema),
    services: z.record(z.string(), serviceReportSchema),
  })
  .openapi('Node')

export const eventSchema = z
  .object({
    id: z.int(),
    at: time(),
    kind: z.string(),
    service: z.string().nullable(),
    node: z.string().nullable(),
    epoch: z.int().nullable(),
    text: z.string(),
    detail: z.record(z.string(), z.any()),
  })
  .openapi('Event')

export const operationSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['switchover', 'drain', 'failover']),
    service: z.string(),
    from: z.string().nullable(),
    to: z.string(),
    epoch: z.int().nullable(),
    priority: z.int().nullable(),
    reason: z.string().nullable(),
    by: z.string().nullable(),
    status: z.enum(['running', 'done', 'failed']),
    steps: z.array(z.object({ name: z.string(), at: time(), afterMs: z.number() })),
    failure: z.string().nullable(),
    traceparent: z.string().openapi({
      description: 'W3C Trace Context: for whoever adds a span of its own to the trace of this move',
    }),
    report: z
      .object({
        detectMs: milliseconds(),
        decideMs: milliseconds(),
        acceptedMs: milliseconds(),
        visibleMs: milliseconds(),
        seenMs: milliseconds(),
        bindings: z.array(z.object({ name: z.string(), acceptedMs: milliseconds(), visibleMs: milliseconds() })),
      })
      .nullable(),
  })
  .openapi('Operation')

export const declarationSchema = z
  .object({
    service: z.string(),
    version: z.int().openapi({ description: 'Grows with every change; 0 for a service of the configuration file' }),
    origin: z.enum(['file', 'api']),
    declaration: z.record(z.string(), z.any()).openapi({ description: 'As in the configuration file' }),
  })
  .openapi('Declaration')

export const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(['admin', 'operator', 'viewer', 'node']),
    node: z.string().nullable(),
    origin: z.enum(['file', 'api']),
    createdAt: time(),
    expiresAt: time().nullable(),
    valid: z.boolean(),
  })
  .openapi('Token')

/** What goes out as it is: the schemas' arrays are not readonly, and nobody changes them. */
export const operationBody = (operation: Operation) =>
  ({ ...operation, traceparent: traceparentOf(operation) }) as z.infer<typeof operationSchema>
export const serviceBody = (view: ServiceView) => view as z.infer<typeof serviceSchema>
export const nodeBody = (view: NodeView) => view as z.infer<typeof nodeSchema>
