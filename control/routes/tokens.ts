/**
 * Tokens: who may call. One is shown once, when it is made; control keeps its hash alone.
 *
 * Several may share a name, so that one is replaced without anybody being locked out: make the second, hand it out,
 * revoke the first by its id.
 */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { type Env, hashToken } from '../access/auth.ts'
import { drawToken, drawTokenId } from '../access/tokens.ts'
import { duration } from '../config/config-file.ts'
import { nameSchema } from '../contract.ts'
import { declaredInFile, notFound, ProblemError } from '../problem.ts'
import type { TokenRecord } from '../store/store.ts'
import { createRouter, jsonBody, jsonContent, needs, problems, type RouteInput, reasonQuery } from './context.ts'
import { tokenSchema } from './schemas.ts'

/** Every request is compared with every token, so there is a bound. */
const mostTokens = 1_000

const madeSchema = z
  .strictObject({
    name: nameSchema,
    role: z.enum(['admin', 'operator', 'viewer', 'node']),
    node: nameSchema.optional().openapi({ description: 'Only with the role node: whom it speaks for' }),
    expiresIn: duration({ min: '1s', max: '87600h' })
      .optional()
      .openapi({ type: 'string', description: 'Such as 720h; left out: it never expires' }),
    reason: z.string().min(1).max(500).optional(),
  })
  .superRefine(({ role, node }, context) => {
    const wrong = (message: string): void => void context.addIssue({ code: 'custom', path: ['node'], message })
    if (role === 'node' && node === undefined) wrong('is required with the role node')
    if (role !== 'node' && node !== undefined) wrong('only goes with the role node')
  })
  .openapi({ example: { name: 'n1', role: 'node', node: 'n1' } })

export function tokenRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const { tokens } = input
  const list = createRoute({
    method: 'get',
    path: '/v1/tokens',
    summary: 'All tokens, without what makes them work',
    ...needs('admin'),
    responses: { 200: jsonContent(z.object({ tokens: z.array(tokenSchema) }), 'By name'), ...problems(401, 403) },
  })
  router.openapi(list, (context) => context.json({ tokens: tokens.list().map((token) => bodyOf(input, token)) }, 200))
  addCreate(router, input)
  addRevoke(router, input)
  return router
}

function bodyOf({ tokens }: RouteInput, { hash: _, ...token }: TokenRecord) {
  return { ...token, valid: tokens.isValid(token.id) }
}

function addCreate(router: OpenAPIHono<Env>, input: RouteInput): void {
  const { tokens, ports } = input
  const route = createRoute({
    method: 'post',
    path: '/v1/tokens',
    summary: 'Make one',
    ...needs('admin'),
    request: { body: jsonBody(madeSchema, true) },
    responses: {
      201: jsonContent(
        tokenSchema.extend({ token: z.string().openapi({ example: 'hf_…' }) }),
        'Made. `token` is shown here and never again',
      ),
      ...problems(400, 401, 403, 409),
    },
  })
  router.openapi(route, async (context) => {
    const { name, role, node = null, expiresIn } = context.req.valid('json')
    if (tokens.list().length >= mostTokens) {
      const detail = `there are ${mostTokens} tokens, which is the most: revoke some`
      throw new ProblemError({ status: 409, code: 'too-many-tokens', detail })
    }
    const token = drawToken()
    const now = ports.clock.wall()
    const expiresAt = expiresIn === undefined ? null : new Date(now.getTime() + expiresIn).toISOString()
    const made = {
      id: drawTokenId(),
      name,
      role,
      node,
      origin: 'api',
      createdAt: now.toISOString(),
      expiresAt,
    } as const
    await tokens.add({ ...made, hash: await hashToken(token) })
    return context.json({ ...made, valid: true, token }, 201, { 'cache-control': 'no-store' })
  })
}

function addRevoke(router: OpenAPIHono<Env>, input: RouteInput): void {
  const { tokens, links } = input
  const route = createRoute({
    method: 'delete',
    path: '/v1/tokens/{token}',
    summary: 'Revoke one by its id, or all of a name that were made here',
    ...needs('admin'),
    request: {
      params: z.object({ token: nameSchema }),
      query: reasonQuery,
    },
    responses: {
      200: jsonContent(z.object({ revoked: z.array(z.string()) }), 'The ids of those that are refused from now on'),
      ...problems(400, 401, 403, 404, 409),
    },
  })
  router.openapi(route, async (context) => {
    const { token: asked } = context.req.valid('param')
    const gone = chosen(tokens.list(), asked)
    const ids = gone.map(({ id }) => id)
    const adminStays = tokens.list().some(({ id, role }) => role === 'admin' && !ids.includes(id) && tokens.isValid(id))
    if (!adminStays && gone.some(({ role }) => role === 'admin')) {
      const detail = 'no admin would be left to make another: make that one first'
      throw new ProblemError({ status: 409, code: 'last-admin', detail })
    }
    await tokens.revoke(ids)
    for (const id of ids) links.closeOf(id, 'the token was revoked')
    return context.json({ revoked: ids }, 200)
  })
}

function chosen(all: readonly TokenRecord[], asked: string): readonly TokenRecord[] {
  const byId = all.filter(({ id }) => id === asked)
  const named = byId.length > 0 ? byId : all.filter(({ name }) => name === asked)
  const made = named.filter(({ origin }) => origin === 'api')
  if (named.length === 0) throw notFound(`token ${asked}`)
  if (made.length === 0) throw declaredInFile(`token ${asked}`)
  return made
}
