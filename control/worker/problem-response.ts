/** A problem from where there is no application to answer: before a cluster is found, or when it cannot start. */
import type { Problem } from '../problem.ts'

export function problemResponse(request: Request, problem: Problem): Response {
  const requestId = crypto.randomUUID()
  const title = problem.status === 404 ? 'Not Found' : 'Service Unavailable'
  const instance = new URL(request.url).pathname
  return Response.json(
    { type: 'about:blank', title, ...problem, instance, requestId },
    { status: problem.status, headers: { 'content-type': 'application/problem+json', 'x-request-id': requestId } },
  )
}
