/** Nodes: who is there, and the report that a node posts when it has no link. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { allow, allowNode, type Env } from '../auth.ts'
import { commandsSchema, reportSchema, serviceReportSchema } from '../contract.ts'
import { ProblemError } from '../problem.ts'
import { createRouter, jsonContent, nodeParam, problemContent, type RouteInput } from './context.ts'

const nodeSchema = z.object({
  node: z.string(),
  site: z.string(),
  connected: z.boolean(),
  fresh: z.boolean(),
  incarnation: z.string(),
  lastReport: z.string(),
  drain: z.object({ by: z.string(), reason: z.string().nullable(), since: z.string() }).nullable(),
  services: z.record(z.string(), serviceReportSchema),
})

export function nodeRoutes({ cluster, authenticate }: RouteInput): OpenAPIHono<Env> {
  const router = createRouter()
  const list = createRoute({
    method: 'get',
    path: '/v1/nodes',
    middleware: allow(authenticate, 'viewer'),
    responses: {
      200: jsonContent(z.object({ nodes: z.array(nodeSchema) }), 'All nodes ever heard'),
      401: problemContent,
    },
  })
  router.openapi(list, (context) => context.json({ nodes: cluster.nodes() }, 200))

  const report = createRoute({
    method: 'post',
    path: '/v1/nodes/{node}/report',
    middleware: allowNode(authenticate),
    request: { params: nodeParam, body: { required: true, content: { 'application/json': { schema: reportSchema } } } },
    responses: {
      200: jsonContent(commandsSchema, 'Taken; what the node is asked to do'),
      401: problemContent,
      403: problemContent,
      409: { ...problemContent, description: 'It comes from an agent that has been restarted since' },
    },
  })
  router.openapi(report, async (context) => {
    const said = context.req.valid('json')
    const { node } = context.req.valid('param')
    if (said.node !== node) {
      const errors = [{ place: 'body.node', message: `must be ${node}, as in the path` }]
      throw new ProblemError({
        status: 400,
        code: 'invalid',
        detail: `body.node: must be ${node}, as in the path`,
        errors,
      })
    }
    const answer = await cluster.report(said, 'post')
    if ('refusal' in answer) throw new ProblemError({ status: 409, ...answer.refusal })
    const refused = answer.refused.length === 0 ? {} : { refused: [...answer.refused] }
    return context.json({ commands: [...answer.commands], ...refused }, 200)
  })
  return router
}
