/** What the edge itself has to say to a client, as an RFC 9457 problem. */

export type EdgeProblem = {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  /** The sites that were tried in turn, and what became of each. */
  readonly tried?: readonly { readonly site: string; readonly why: string }[]
  /** What is held instead of a route that was refused. */
  readonly epoch?: number
  readonly revision?: number
}

export function problem({ status, ...problem }: EdgeProblem, headers: Record<string, string> = {}): Response {
  const body = JSON.stringify({ type: 'about:blank', status, ...problem })
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  })
}
