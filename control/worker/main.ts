/** The Worker in front of the clusters: finds the one that a request is for, and hands the request on. */
import { messageOf } from '../message-of.ts'
import type { ClusterObject } from './cluster-object.ts'
import { createLog } from './log.ts'
import { problemResponse } from './problem-response.ts'
import { routeOf } from './route.ts'
import { readClusters, type Variables } from './settings.ts'

export { ClusterObject } from './cluster-object.ts'

export type WorkerEnv = Variables & { readonly CLUSTERS: DurableObjectNamespace<ClusterObject> }

export default {
  async fetch(request, env): Promise<Response> {
    const url = new URL(request.url)
    try {
      const route = routeOf(url, readClusters(env))
      if (route.kind === 'unknown') {
        return problemResponse(request, { status: 404, code: 'not-found', detail: `there is no cluster ${route.name}` })
      }
      url.pathname = route.path
      const answer = await env.CLUSTERS.getByName(route.name).fetch(new Request(url, request))
      return withPrefix(answer, route.prefix)
    } catch (error) {
      const message = messageOf(error)
      createLog()('error', { event: 'request-failed', path: url.pathname, message })
      const detail = "the cluster could not be asked; the Worker's log says why"
      return problemResponse(request, { status: 503, code: 'unavailable', detail })
    }
  },
} satisfies ExportedHandler<WorkerEnv>

/** A cluster knows nothing of the path that it is found under, and points to its own. */
function withPrefix(answer: Response, prefix: string): Response {
  const location = answer.headers.get('location')
  if (prefix === '' || location === null || !location.startsWith('/')) return answer
  const pointed = new Response(answer.body, answer)
  pointed.headers.set('location', `${prefix}${location}`)
  return pointed
}
