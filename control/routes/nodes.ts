/** Nodes: who is there, emptying one for maintenance, and the report that a node posts when it has no link. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allowNode, callerOf, type Env } from '../access/auth.ts'
import { commandsSchema, reportSchema } from '../contract.ts'
import { notFound, ProblemError } from '../problem.ts'
import {
  bearer,
  createRouter,
  jsonBody,
  jsonContent,
  needs,
  nodeParam,
  problems,
  type RouteInput,
  reasonBody,
  reasonQuery,
} from './context.ts'
import { holdSchema, nodeBody, nodeSchema, operationBody, operationSchema } from './schemas.ts'

export function nodeRoutes({ cluster }: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const list = createRoute({
    method: 'get',
    path: '/v1/nodes',
    summary: 'All nodes ever heard',
    ...needs('viewer'),
    responses: {
      200: jsonContent(z.object({ nodes: z.array(nodeSchema) }), 'What each last said'),
      ...problems(401, 403),
    },
  })
  router.openapi(list, (context) => context.json({ nodes: cluster.nodes().map(nodeBody) }, 200))
  addDrain(router, cluster)
  addReport(router, cluster)
  return router
}

function addDrain(router: OpenAPIHono<Env>, cluster: RouteInput['cluster']): void {
  const drain = createRoute({
    method: 'put',
    path: '/v1/nodes/{node}/drain',
    summary: 'Empty it, and keep it empty',
    ...needs('operator'),
    request: { params: nodeParam, body: jsonBody(reasonBody, false) },
    responses: {
      202: jsonContent(
        z.object({ node: z.string(), drain: holdSchema, operations: z.array(operationSchema) }),
        'It has begun; the operations are the moves that it led to. What cannot move now does as soon as it can',
      ),
      ...problems(400, 401, 403, 404),
    },
  })
  router.openapi(drain, async (context) => {
    const { node } = context.req.valid('param')
    const { reason = null } = context.req.valid('json') ?? {}
    const answer = await cluster.drain({ node, reason, by: callerOf(context).name })
    if (answer === undefined) throw notFound(`node ${node}`)
    const { by, reason: why, since } = answer.drain
    const operations = answer.operations.map(operationBody)
    return context.json({ node, drain: { by, reason: why, since }, operations }, 202)
  })

  const undrain = createRoute({
    method: 'delete',
    path: '/v1/nodes/{node}/drain',
    summary: 'Let it take part again',
    ...needs('operator'),
    request: { params: nodeParam, query: reasonQuery },
    responses: {
      200: jsonContent(z.object({ node: z.string(), drain: z.null() }), 'It takes part'),
      ...problems(400, 401, 403, 404, 409),
    },
  })
  router.openapi(undrain, async (context) => {
    const { node } = context.req.valid('param')
    const { reason = null } = context.req.valid('query')
    if (await cluster.undrain({ node, reason, by: callerOf(context).name })) {
      return context.json({ node, drain: null }, 200)
    }
    if (!cluster.nodes().some((known) => known.node === node)) throw notFound(`node ${node}`)
    throw new ProblemError({ status: 409, code: 'not-drained', detail: `${node} is not being emptied` })
  })
}

function addReport(router: OpenAPIHono<Env>, cluster: RouteInput['cluster']): void {
  const route = createRoute({
    method: 'post',
    path: '/v1/nodes/{node}/report',
    summary: 'What a node without a link says; idempotent',
    middleware: allowNode(),
    ...bearer('Needs a token with the role node, of this very node.'),
    request: { params: nodeParam, body: jsonBody(reportSchema, true) },
    responses: {
      200: jsonContent(commandsSchema, 'Taken; what the node is asked to do'),
      ...problems(400, 401, 403, 409),
    },
  })
  router.openapi(route, async (context) => {
    const said = context.req.valid('json')
    const { node } = context.req.valid('param')
    if (said.node !== node) {
      const errors = [{ place: 'body.node', message: `must be ${node}, as in the path` }]
      const detail = `body.node: must be ${node}, as in the path`
      throw new ProblemError({ status: 400, code: 'invalid', detail, errors })
    }
    const answer = await cluster.report(said, 'post')
    if ('refusal' in answer) throw new ProblemError({ status: 409, ...answer.refusal })
    const refused = answer.refused.length === 0 ? {} : { refused: [...answer.refused] }
    return context.json({ commands: [...answer.commands], ...refused }, 200)
  })
}
