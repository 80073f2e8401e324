/** The Worker in front of the clusters: finds the one that a request is for, and hands the request on. */
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
      return await env.CLUSTERS.getByName(route.name).fetch(new Request(url, request))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      createLog()('error', { event: 'request-failed', path: url.pathname, message })
      const detail = "the cluster could not be asked; the Worker's log says why"
      return problemResponse(request, { status: 503, code: 'unavailable', detail })
    }
  },
} satisfies ExportedHandler<WorkerEnv>
