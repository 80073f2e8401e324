/** Which route a host has, where its request may go, in which order, and what may be tried again elsewhere. */
import type { EdgeRoute, EdgeSite } from './contract.ts'

/** Routes by host name or pattern. */
export type RouteIndex = ReadonlyMap<string, EdgeRoute>

/** When two services claim one host, the first by name has it, so that every edge decides alike. */
export function indexRoutes(routes: Iterable<EdgeRoute>): RouteIndex {
  const index = new Map<string, EdgeRoute>()
  for (const route of [...routes].toSorted((a, b) => (a.service < b.service ? -1 : 1))) {
    for (const host of route.hosts) if (!index.has(host)) index.set(host, route)
  }
  return index
}

/** The route of the very name, else of the longest pattern above it. */
export function routeFor(index: RouteIndex, hostname: string): EdgeRoute | null {
  const host = hostname.toLowerCase().replace(/\.$/, '')
  const exact = index.get(host)
  if (exact !== undefined) return exact
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
    const above = index.get(`*${host.slice(dot)}`)
    if (above !== undefined) return above
  }
  return null
}

/** RFC 9110 §9.2.2: doing it twice is doing it once. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Whether the request may be sent again when nothing is known about what became of it. */
export function mayRepeat({ method, replayable }: { readonly method: string; readonly replayable: boolean }): boolean {
  return replayable && idempotent.has(method)
}

/** The owner's site, whatever is said of its health; then, if the request may be sent twice, the others that are healthy. */
export function sitesToTry({ sites }: EdgeRoute, repeatable: boolean): readonly EdgeSite[] {
  const [first, ...others] = sites
  if (first === undefined) return []
  return repeatable ? [first, ...others.filter(({ healthy }) => healthy)] : [first]
}

/**
 * What Cloudflare answers in the place of an origin that it could not connect to: refused, timed out, unreachable, no
 * TLS, a certificate that is not valid, no DNS. Not 520 and 524, behind which the origin has had the request.
 */
const unreachable: ReadonlySet<number> = new Set([521, 522, 523, 525, 526, 530])

export function isUnreachable(status: number): boolean {
  return unreachable.has(status)
}
