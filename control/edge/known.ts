/** What an edge knows of its routes. It only ever goes forward: a lower epoch is older, whoever says it. */
import type { EdgeRoute } from './contract.ts'

export type Known = {
  readonly routes: ReadonlyMap<string, EdgeRoute>
  /** The highest epoch ever heard of each service, also of one that has no route any more. */
  readonly epochs: ReadonlyMap<string, number>
  /** Which revision of a service's row a route was read from; none of a route that control itself has said. */
  readonly revisions: ReadonlyMap<string, number>
}

export const nothingKnown: Known = { routes: new Map(), epochs: new Map(), revisions: new Map() }

export type Learnt = { readonly known: Known; readonly changed: readonly EdgeRoute[]; readonly gone: readonly string[] }

/** Control's whole map: the same epoch may bring other hosts, urls and health; what it does not name has no route. */
export function learnMap(known: Known, said: readonly EdgeRoute[]): Learnt {
  const changed = said.filter((route) => {
    const before = known.routes.get(route.service)
    return isNotOlder(known, route) && JSON.stringify(before) !== JSON.stringify(route)
  })
  const named = new Set(said.map(({ service }) => service))
  const gone = [...known.routes.keys()].filter((service) => !named.has(service))
  if (changed.length + gone.length === 0) return { known, changed, gone }
  const [routes, revisions] = [new Map(known.routes), new Map(known.revisions)]
  for (const service of gone) routes.delete(service)
  for (const service of [...gone, ...changed.map((route) => route.service)]) revisions.delete(service)
  return { known: withRoutes({ routes, epochs: known.epochs, revisions }, changed), changed, gone }
}

/**
 * What was kept somewhere, or written by somebody else. Of the same epoch it is nothing new, unless both were read
 * from one row and that has been written since.
 */
export function learnKept(known: Known, kept: Known): Known {
  const news = [...kept.epochs.keys()].filter((service) => isNews(known, kept, service))
  if (news.length === 0) return known
  const [routes, epochs, revisions] = [new Map(known.routes), new Map(known.epochs), new Map(known.revisions)]
  for (const service of news) {
    const [route, revision] = [kept.routes.get(service), kept.revisions.get(service)]
    const epoch = kept.epochs.get(service)!
    // A former route serves until there is another one: an epoch alone takes nothing away.
    if (route !== undefined) routes.set(service, route)
    epochs.set(service, epoch)
    if (revision === undefined) revisions.delete(service)
    else revisions.set(service, revision)
  }
  return { routes, epochs, revisions }
}

function isNews(known: Known, kept: Known, service: string): boolean {
  const [before, now] = [known.epochs.get(service) ?? -1, kept.epochs.get(service)!]
  if (now !== before) return now > before
  const [seen, written] = [known.revisions.get(service), kept.revisions.get(service)]
  return seen !== undefined && written !== undefined && written > seen
}

function isNotOlder({ epochs }: Known, { service, epoch }: EdgeRoute): boolean {
  return epoch >= (epochs.get(service) ?? 0)
}

function withRoutes({ routes, epochs, revisions }: Known, more: readonly EdgeRoute[]): Known {
  return {
    routes: new Map([...routes, ...more.map((route) => [route.service, route] as const)]),
    epochs: new Map([...epochs, ...more.map(({ service, epoch }) => [service, epoch] as const)]),
    revisions,
  }
}
