/**
 * The edge's view of a cluster: a route for each service that has hosts.
 *
 * A decision is never changed, only replaced, so that a service whose decision and configuration are still the same
 * ones has the same route: with ten thousand services a look costs ten thousand comparisons, and no more.
 */

import type { ServiceConfig } from '../config/service-config.ts'
import { type Decision, isFresh, type Moment } from '../decision.ts'
import type { EdgeMap, EdgeRoute, EdgeSite } from '../edge/contract.ts'
import type { Unit } from './unit.ts'

export type EdgeView = {
  /** Looks at these services again, or at all. */
  map(services?: Iterable<string>): EdgeMap
}

export type EdgeViewInput = {
  readonly units: ReadonlyMap<string, Pick<Unit, 'config' | 'decision'>>
  moment(): Moment
  /** What the first generation is counted from: greater than any of a run before this one. */
  readonly begin: number
}

type Seen = { readonly decision: Decision; readonly config: ServiceConfig; readonly text: string }

export function createEdgeView({ units, moment, begin }: EdgeViewInput): EdgeView {
  const seen = new Map<string, Seen>()
  const routes = new Map<string, EdgeRoute>()
  let current: EdgeMap = { generation: begin, routes: [] }

  const forget = (service: string): boolean => {
    seen.delete(service)
    return routes.delete(service)
  }
  /** Whether the service's route is another one now. */
  const look = (service: string, now: Moment): boolean => {
    const unit = units.get(service)
    if (unit === undefined) return forget(service)
    const [decision, config, before] = [unit.decision(), unit.config(), seen.get(service)]
    if (before?.decision === decision && before.config === config) return false
    if (config.hosts.length === 0) {
      seen.set(service, { decision, config, text: '' })
      return routes.delete(service)
    }
    const route = routeOf(service, { decision, config, now })
    const text = JSON.stringify(route)
    seen.set(service, { decision, config, text })
    if (before?.text === text) return false
    routes.set(service, route)
    return true
  }
  return {
    map: (services) => {
      const now = moment()
      let changed = false
      for (const service of services ?? new Set([...units.keys(), ...routes.keys()])) {
        changed = look(service, now) || changed
      }
      if (changed) current = { generation: current.generation + 1, routes: [...routes.values()] }
      return current
    },
  }
}

type Known = { readonly decision: Decision; readonly config: ServiceConfig; readonly now: Moment }

function routeOf(service: string, { decision, config, now }: Known): EdgeRoute {
  const { owner, epoch, origins, members } = decision
  const nodesSay = (site: string): boolean =>
    Object.values(members).some(
      (member) => member.site === site && member.state === 'active' && member.healthy && isFresh(member, now),
    )
  const sites = Object.entries(config.origins).flatMap(([site, { url }]): EdgeSite[] =>
    url === null ? [] : [{ site, url, healthy: origins[site] ?? nodesSay(site) }],
  )
  const rank = ({ site, healthy }: EdgeSite): readonly number[] => {
    const preferred = config.sites.indexOf(site)
    return [site === owner?.site ? 0 : 1, healthy ? 0 : 1, preferred < 0 ? config.sites.length : preferred]
  }
  return {
    hosts: [...config.hosts],
    service,
    epoch,
    owner: owner === null ? null : { node: owner.node, site: owner.site },
    sites: sites.toSorted((a, b) => compare(rank(a), rank(b)) || (a.site < b.site ? -1 : 1)),
  }
}

/** The first difference decides. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!
  return 0
}
