/** What an edge knows of its routes. It only ever goes forward: a lower epoch is older, whoever says it. */
import type { EdgeRoute } from './contract.ts'

export type Known = {
  readonly routes: ReadonlyMap<string, EdgeRoute>
  /** The highest epoch ever heard of each service, also of one that has no route any more. */
  readonly epochs: ReadonlyMap<string, number>
}

export const nothingKnown: Known = { routes: new Map(), epochs: new Map() }

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
  const routes = new Map(known.routes)
  for (const service of gone) routes.delete(service)
  return { known: withRoutes({ routes, epochs: known.epochs }, changed), changed, gone }
}

/** What was kept somewhere, or written by somebody else: of the same epoch it is nothing new. */
export function learnKept(known: Known, { routes, epochs }: Known): Known {
  const newer = [...routes.values()].filter((route) => route.epoch > (known.epochs.get(route.service) ?? -1))
  const higher = [...epochs].filter(([service, epoch]) => epoch > (known.epochs.get(service) ?? -1))
  if (newer.length + higher.length === 0) return known
  const learnt = withRoutes(known, newer)
  return { ...learnt, epochs: new Map([...learnt.epochs, ...higher]) }
}

function isNotOlder({ epochs }: Known, { service, epoch }: EdgeRoute): boolean {
  return epoch >= (epochs.get(service) ?? 0)
}

function withRoutes({ routes, epochs }: Known, more: readonly EdgeRoute[]): Known {
  return {
    routes: new Map([...routes, ...more.map((route) => [route.service, route] as const)]),
    epochs: new Map([...epochs, ...more.map(({ service, epoch }) => [service, epoch] as const)]),
  }
}
