/**
 * The probes of one service: of each site's origin, which take part in the decision between sites, and of the
 * service's own address, which tells what its clients see.
 *
 *   due ──▶ under way ──answer, or too late──▶ counted (health.ts) ──verdict changed──▶ said
 *
 * One at a time is under way to each place. The first one comes at a random moment of the first interval, so that ten
 * thousand services do not look at once after a restart; until there is a verdict the next ones follow within a second.
 * A program that slept goes on with the verdicts that it had (kept-places.ts).
 *
 * While a move waits for what its clients see, the service's own address is looked at every `quickMs`, and the first
 * probe that began in that time and succeeds is said at once: one that began before may still have gone the old way.
 */

import type { ProbeConfig, ServiceConfig } from '../config/service-config.ts'
import type { ServiceEvent } from '../decision.ts'
import { earliest } from './deadlines.ts'
import { count, type Health, unknownHealth } from './health.ts'
import { forgetPlaces, type KeptPlace, keepPlaces, recallPlaces, sameProbe } from './kept-places.ts'
import type { ClusterPorts } from './ports.ts'

/** How often the service's own address is looked at while a move waits for it, in milliseconds. */
const quickMs = 100
/** How soon the next probe follows while there is no verdict yet, in milliseconds; a shorter interval is kept. */
const beginningMs = 1_000

export type ProbesInput = {
  readonly service: string
  readonly ports: Pick<ClusterPorts, 'clock' | 'probe' | 'random' | 'kept'>
  /** Whether a move has only to hear that the service's own address answers. */
  isAwaited(): boolean
  /** A verdict has changed, or a move has what it waited for. */
  said(event: Extract<ServiceEvent, { kind: 'origin' | 'seen' }>): void
  rearm(): void
}

export type Verdicts = {
  /** By site; one without a verdict is not here. */
  readonly origins: Readonly<Record<string, boolean>>
  /** Of the service's own address; null without one. */
  readonly reachable: boolean | null
}

export type Probes = {
  /** Probes what this configuration asks for, and nothing else any more; what is the same as before goes on. */
  start(config: ServiceConfig): void
  verdicts(): Verdicts
  deadline(): number | null
  tick(now: number): void
  stop(): void
  /** Keeps nothing of them, for when the service is no more. */
  forget(): void
}

/** `awaited`: it began while a move waited for it. */
type Running = {
  readonly abort: AbortController
  readonly beganAt: number
  readonly stopAt: number
  readonly awaited: boolean
}

type Place = {
  /** Null: the service's own address. */
  readonly site: string | null
  readonly config: ProbeConfig
  health: Health
  beganAt: number
  countedAt: number
  dueAt: number
  running: Running | null
}

export function createProbes(input: ProbesInput): Probes {
  const { service, ports } = input
  let places: readonly Place[] = []
  let kept: readonly KeptPlace[] = recallPlaces(ports.kept, service, ports.clock.now())
  const keep = (): void => {
    kept = keepPlaces(ports.kept, service, { before: kept, places, now: ports.clock.now() })
  }
  const work: Work = { ...input, keep }
  return {
    start: (config) => {
      const staying = new Set<Place>()
      const wanted = placesOf(config).map(({ site, config }) => {
        const same = places.find((place) => place.site === site && sameProbe(place.config, config))
        if (same !== undefined) staying.add(same)
        return (
          same ??
          begin(
            work,
            { site, config },
            kept.find((each) => each.site === site),
          )
        )
      })
      for (const place of places) if (!staying.has(place)) end(place)
      places = wanted
    },
    verdicts: () => verdictsOf(places),
    deadline: () => earliest(places.map((place) => deadlineOf(input, place))),
    tick: (now) => {
      for (const place of places) if (now >= deadlineOf(input, place)) advance(work, place, now)
    },
    stop: () => {
      for (const place of places) end(place)
      places = []
    },
    forget: () => forgetPlaces(ports.kept, service),
  }
}

type Wanted = Pick<Place, 'site' | 'config'>

/** `keep`: what a place has come to may have changed. */
type Work = ProbesInput & { keep(): void }

function placesOf({ origins, probe }: ServiceConfig): Wanted[] {
  const wanted = Object.entries(origins).flatMap(([site, origin]): Wanted[] =>
    origin.probe === null ? [] : [{ site, config: origin.probe }],
  )
  return probe === null ? wanted : [...wanted, { site: null, config: probe }]
}

function verdictsOf(places: readonly Place[]): Verdicts {
  const known = places.filter(({ health }) => health.verdict !== null)
  const origins = known.filter(({ site }) => site !== null).map(({ site, health }) => [site, health.verdict])
  const reachable = known.find(({ site }) => site === null)?.health.verdict ?? null
  return { origins: Object.fromEntries(origins), reachable }
}

function begin({ ports }: Work, { site, config }: Wanted, kept: KeptPlace | undefined): Place {
  if (kept !== undefined && sameProbe(kept.config, config)) {
    const { health, beganAt, countedAt, dueAt } = kept
    return { site, config, health, beganAt, countedAt, dueAt, running: null }
  }
  const now = ports.clock.now()
  const dueAt = now + Math.floor(ports.random() * config.intervalMs)
  const countedAt = now - config.intervalMs
  return { site, config, health: unknownHealth, beganAt: now, countedAt, dueAt, running: null }
}

function end(place: Place): void {
  place.running?.abort.abort()
  place.running = null
}

function awaits({ isAwaited }: ProbesInput, { site }: Place): boolean {
  return site === null && isAwaited()
}

function deadlineOf(input: ProbesInput, place: Place): number {
  const { running, beganAt, dueAt } = place
  const awaited = awaits(input, place)
  if (running !== null) return awaited && !running.awaited ? running.beganAt : running.stopAt
  return awaited ? Math.min(dueAt, beganAt + quickMs) : dueAt
}

function advance(input: Work, place: Place, now: number): void {
  const { running } = place
  if (running !== null) {
    end(place)
    // Too late is as good as a failure; what was only overtaken by a move says nothing.
    if (now >= running.stopAt) {
      hear(input, place, { good: false, awaited: running.awaited })
      return
    }
  }
  void look(input, place, now)
}

async function look(input: Work, place: Place, now: number): Promise<void> {
  const { timeoutMs, target } = place.config
  const awaited = awaits(input, place)
  const mine: Running = { abort: new AbortController(), beganAt: now, stopAt: now + timeoutMs, awaited }
  place.running = mine
  place.beganAt = now
  const good = await input.ports.probe(target, mine.abort.signal).then(
    (why) => why === null,
    () => false,
  )
  if (place.running !== mine) return
  place.running = null
  hear(input, place, { good, awaited })
  input.rearm()
}

type Result = { readonly good: boolean; readonly awaited: boolean }

function hear(input: Work, place: Place, result: Result): void {
  take(input, place, result)
  const { intervalMs } = place.config
  place.dueAt = place.beganAt + (place.health.verdict === null ? Math.min(intervalMs, beginningMs) : intervalMs)
  input.keep()
}

function take(input: ProbesInput, place: Place, { good, awaited }: Result): void {
  const now = input.ports.clock.now()
  const before = place.health.verdict
  if (awaited && good && input.isAwaited()) {
    place.health = { verdict: true, last: true, row: 1 }
    input.said({ kind: 'seen', reachable: true })
    return
  }
  // It began before the move had got so far, and may have gone the old way.
  if (!awaited && awaits(input, place)) return
  // Quick ones that fail while the network is still learning the way would add up to a fall within an instant.
  if (awaited && now < place.countedAt + place.config.intervalMs) return
  place.countedAt = now
  place.health = count(place.health, good, place.config)
  const { verdict } = place.health
  if (verdict === before || verdict === null) return
  if (place.site === null) input.said({ kind: 'seen', reachable: verdict })
  else input.said({ kind: 'origin', site: place.site, healthy: verdict })
}
