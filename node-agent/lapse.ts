/**
 * Leases where they are needed: a service whose lease ends yields by the VRRP process's own clock, pure.
 *
 *   what is said of it ──┐
 *   lease, not over ─────┴──▶ standing
 *   lease over ─────────────▶ standing, but yielding: before anything else is handled or sent
 *
 * The supervisor renews leases again and again. One that is frozen, or that wakes later than the VRRP process from
 * the sleep of their machine, renews nothing.
 */
import { spareMs } from './link/lease.ts'
import type { Routers, ToVrrp } from './ports.ts'
import type { Input } from './vrrp/engine.ts'
import type { Standing, VirtualRouter } from './vrrp/router.ts'
import { plainStanding } from './vrrp/slot.ts'
import { longestResignation } from './vrrp/step.ts'

/** Instants are milliseconds since boot. */
export type Leases = {
  /** What the engine starts with. */
  readonly standings: (now: number) => Readonly<Record<string, Standing>>
  /** Takes a message in, and says what the engine hears of it. */
  readonly hear: (message: Extract<ToVrrp, { kind: 'standing' | 'lease' }>, now: number) => Input[]
  /** Leases that are over and were not when last asked; the engine must hear of them before all else. */
  readonly lapsed: (now: number) => Input[]
  /** The earliest end of one that is not over. */
  readonly nextEnd: () => number | undefined
  /** Takes on other routers, and says what is to be said of each. */
  readonly become: (said: Routers, now: number) => Readonly<Record<string, Standing>>
}

type Leased = {
  readonly router: VirtualRouter
  said: Standing
  until: number | null
  over: boolean
}

/** The longest that a successor is waited for when a lease ends: an interval of a second, and the time to hear of it. */
const longestLeaveMs = 1_100

/** Later than this, the time to wait for a successor has been slept through. */
const lateMs = spareMs / 2

/** How long a router may take to leave when its lease ends. 0: it does not wait for a successor, being too slow for that. */
export function leaveMsOf(router: VirtualRouter): number {
  const longest = longestResignation(router) / 1_000
  return longest <= longestLeaveMs ? longest : 0
}

export function createLeases(begun: Routers): Leases {
  let services = leasedOf(begun)
  /** Kept, since it is asked for at each turn. */
  let next = earliestEnd(services)
  const standings = (now: number): Readonly<Record<string, Standing>> => {
    for (const leased of services.values()) leased.over = isOver(leased, now)
    next = earliestEnd(services)
    return Object.fromEntries([...services].map(([name, leased]) => [name, standingOf(leased)]))
  }
  return {
    standings,
    become(said, now) {
      services = leasedOf(said)
      return standings(now)
    },
    hear(message, now) {
      const leased = services.get(message.service)
      if (message.kind === 'standing') {
        if (leased === undefined) return [message]
        leased.said = message.standing
        return [{ ...message, standing: standingOf(leased) }]
      }
      if (leased === undefined) return []
      leased.until = message.until
      const revives = leased.over && !isOver(leased, now)
      if (revives) leased.over = false
      next = earliestEnd(services)
      return revives ? [inputOf(leased)] : []
    },
    lapsed(now) {
      if (next === undefined || now < next) return []
      const lapsed = [...services.values()].filter((leased) => !leased.over && isOver(leased, now))
      for (const leased of lapsed) leased.over = true
      next = earliestEnd(services)
      return lapsed.map((leased) => {
        const tooLong = leaveMsOf(leased.router) === 0
        const atOnce = tooLong || now > leased.until! + lateMs
        return { ...inputOf(leased), ...(atOnce ? { atOnce } : {}) }
      })
    },
    nextEnd: () => next,
  }
}

function leasedOf({ routers, standings, leases }: Routers): Map<string, Leased> {
  return new Map(
    routers.map((router): [string, Leased] => {
      const said = standings[router.name] ?? plainStanding(router)
      return [router.name, { router, said, until: leases[router.name] ?? null, over: false }]
    }),
  )
}

function earliestEnd(services: ReadonlyMap<string, Leased>): number | undefined {
  let first = Number.POSITIVE_INFINITY
  for (const { over, until } of services.values()) if (!over && until !== null && until < first) first = until
  return first === Number.POSITIVE_INFINITY ? undefined : first
}

function isOver({ until }: Leased, now: number): boolean {
  return until !== null && now >= until
}

function standingOf({ said, over }: Leased): Standing {
  return over ? { ...said, yielding: true } : said
}

function inputOf(leased: Leased): Input & { readonly kind: 'standing' } {
  return { kind: 'standing', id: null, service: leased.router.name, standing: standingOf(leased) }
}
