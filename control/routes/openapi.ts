/** The OpenAPI 3.1 document: what the routes do not say of themselves. Their schemas are those that validate. */
import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from 'zod'
import type { Env } from '../access/auth.ts'
import { type AnyAdapterSchema, serviceSchema } from '../config/service-config.ts'

const info = {
  title: 'Holdfast control',
  version: '0.1.0',
  description: `Keeps services in exactly one place and makes the outside follow.

Every call needs a bearer token, but for health, readiness, this document and, where so configured, the owner probe.
Every error is a problem document (RFC 9457). Any call may also be answered with 413 (the body is too large), 415 (it is
not JSON), 429 (too many requests: see \`Retry-After\`, \`RateLimit\` and \`RateLimit-Policy\`) and 503 (control cannot do it
now). Every answer carries \`X-Request-Id\`, which control's log and audit trail repeat; send your own to choose it.`,
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
}

export const documentHead = {
  openapi: '3.1.0',
  info,
  tags: [
    { name: 'services', description: 'What must be in exactly one place' },
    { name: 'nodes', description: 'The machines that run the agent' },
    { name: 'operations', description: 'Moves: each step with its time, and at the end the failover report' },
    { name: 'events', description: 'The audit trail' },
    { name: 'edge', description: 'What the edge routes by' },
    { name: 'tokens', description: 'Who may call' },
    { name: 'backup', description: 'What control remembers, to keep elsewhere' },
  ],
}

/** A way in for every call that needs a token. */
export function addSecurity(app: OpenAPIHono<Env>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of the configuration file, or one made with `POST /v1/tokens`',
  })
}

const anyCall = {
  413: 'The body is too large',
  415: 'The body is not JSON',
  429: 'Too many requests: come back after `Retry-After` seconds',
  503: 'Control cannot do this now; its log says why, under the request id',
} as const

type Operation = { tags?: string[]; operationId?: string; requestBody?: unknown; responses: Record<string, unknown> }

/** Puts into each operation what is true of all, so that no route has to repeat it and none can forget it. */
export function complete<Document extends { readonly paths?: object }>(document: Document): Document {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      if (!methods.has(method)) continue
      const tag = /^\/v1\/(\w+)/.exec(path)?.[1]
      if (tag !== undefined) operation.tags = [tag]
      operation.operationId = operationId(method, path)
      for (const [status, description] of Object.entries(anyCall)) {
        if (operation.requestBody === undefined && (status === '413' || status === '415')) continue
        operation.responses[status] ??= { description, content: problem }
      }
    }
  }
  return document
}

const methods: ReadonlySet<string> = new Set(['get', 'put', 'post', 'delete'])
const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }

/** `put /v1/services/{service}/hold` is `putServicesHold`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[/.]/).filter((part) => part !== '' && part !== 'v1')
  const named = words.map((word) => (word.startsWith('{') ? `By${capital(word.slice(1, -1))}` : capital(word)))
  return `${method}${named.join('')}`
}

const capital = (word: string): string => `${word[0]?.toUpperCase()}${word.slice(1)}`

/**
 * A declared service as a JSON Schema, from the schema that checks it. The route checks by hand, since its answer is
 * in the words in which a configuration file is told.
 */
export function serviceDeclarationSchema(adapters: readonly AnyAdapterSchema[]): object {
  const { $schema: _, ...schema } = z.toJSONSchema(serviceSchema(adapters), { io: 'input', unrepresentable: 'any' })
  return { ...schema, title: 'A service, as under `services:` in the configuration file' }
}
