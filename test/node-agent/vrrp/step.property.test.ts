/** What holds of the state machine whatever happens, in whatever order and at whatever time. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Event, State } from '../../../node-agent/vrrp/router.ts'
import { activeDownInterval, nextDeadline, type RunningRouter, step } from '../../../node-agent/vrrp/step.ts'
import {
  type Centiseconds,
  type Instant,
  after as later,
  type Microseconds,
  milliseconds,
  ofCentiseconds,
} from '../../../node-agent/vrrp/time.ts'
import { holds } from '../../support/property.ts'
import { address, at, router as routerOf } from '../../support/routers.ts'

/** What happens, as its caller has it: a new standing changes the router and tells. */
type Happening =
  | { readonly kind: 'event'; readonly event: Event }
  | { readonly kind: 'set-priority'; readonly priority: number }
  | { readonly kind: 'set-yielding'; readonly yielding: boolean; readonly atOnce: boolean }

type World = {
  router: RunningRouter
  state: State
  now: Instant
  /** Whether our addresses are on the machine, by the effects. */
  installed: boolean
}

const microseconds = (most: number): fc.Arbitrary<Microseconds> => fc.nat(most).map((count) => count as Microseconds)

/** The tests' own address is 192.0.2.2: the neighbours are below and above it. */
const sources = ['192.0.2.1', '192.0.2.3', '10.0.0.1'].map(address)

const intervals = fc.oneof(fc.integer({ min: 1, max: 4095 }), fc.constantFrom(1, 10, 100))

const routers: fc.Arbitrary<RunningRouter> = fc
  .record({
    version: fc.constantFrom(2, 3),
    profile: fc.constantFrom('strict', 'interop'),
    priority: fc.oneof(fc.integer({ min: 1, max: 254 }), fc.constant(255)),
    preemptMode: fc.boolean(),
    preemptDelay: fc.oneof(fc.constant(0 as Microseconds), microseconds(20_000_000)),
    startDelay: fc.oneof(fc.constant(0 as Microseconds), microseconds(5_000_000)),
    downMultiplier: fc.integer({ min: 1, max: 6 }),
    interval: intervals,
    resign: fc.constantFrom('handover', 'now'),
    repeat: fc.integer({ min: 1, max: 6 }),
    again: fc.constantFrom(0, 1_000, 5_000),
    refresh: fc.constantFrom(0, 60_000),
  })
  .map(({ interval, repeat, again, refresh, ...fields }) =>
    routerOf({
      ...fields,
      advertisementInterval: (fields.version === 2 ? 100 * (1 + (interval % 40)) : interval) as Centiseconds,
      announce: { repeat, again: milliseconds(again), refresh: milliseconds(refresh) },
    }),
  )

const advertisements: fc.Arbitrary<Event & { kind: 'advertisement' }> = fc.record({
  kind: fc.constant('advertisement' as const),
  source: fc.constantFrom(...sources),
  priority: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 100, 255)),
  maxAdvertiseInterval: intervals.map((count) => count as Centiseconds),
})

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Happening>({ kind: 'event', event: { kind: 'tick' } }) },
  { weight: 4, arbitrary: advertisements.map((event): Happening => ({ kind: 'event', event })) },
  fc
    .constantFrom('startup', 'shutdown', 'fault', 'lower', 'address-lost')
    .map((kind): Happening => ({ kind: 'event', event: { kind } })),
  fc
    .record({ first: fc.boolean() })
    .map(({ first }): Happening => ({ kind: 'event', event: { kind: 'startup', first } })),
  microseconds(60_000_000).map((duration): Happening => ({ kind: 'event', event: { kind: 'slept', for: duration } })),
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: 1, max: 254 })
      .map((priority): Happening => ({ kind: 'event', event: { kind: 'take-over', priority } })),
  },
  fc.integer({ min: 1, max: 254 }).map((priority): Happening => ({ kind: 'set-priority', priority })),
  fc
    .record({ yielding: fc.boolean(), atOnce: fc.boolean() })
    .map((fields): Happening => ({ kind: 'set-yielding', ...fields })),
)

/** How much later the next thing happens: often within an interval, sometimes after a long while. */
const delays = fc.oneof(microseconds(50_000), microseconds(1_500_000), microseconds(60_000_000))

const histories = fc.array(fc.tuple(delays, happenings), { minLength: 5, maxLength: 60, size: 'max' })

function begin(router: RunningRouter): World {
  return { router, state: { kind: 'initialize' }, now: at(0), installed: false }
}

/** An address owner has only the plain standing. */
function eventOf(world: World, happening: Happening): Event {
  if (happening.kind === 'event') return happening.event
  const { priority: was } = world.router
  if (happening.kind === 'set-priority') {
    if (was !== 255) world.router = { ...world.router, priority: happening.priority }
    return { kind: 'priority', was }
  }
  if (was !== 255) world.router = { ...world.router, yielding: happening.yielding }
  return { kind: 'yield', atOnce: happening.atOnce && happening.yielding }
}

/** One event; the effects as words, and what they leave on the machine. */
function happen(world: World, event: Event): string[] {
  const { state, effects } = step(world.router, world.state, event, world.now)
  world.state = state
  for (const { kind } of effects) {
    if (kind === 'install-addresses') world.installed = true
    if (kind === 'remove-addresses') world.installed = false
  }
  return effects.map(({ kind }) => kind)
}

/** Plays a history and looks at the world after each event. */
function play(
  router: RunningRouter,
  history: readonly (readonly [Microseconds, Happening])[],
  look: (world: World, before: State, event: Event, effects: readonly string[]) => void,
): World {
  const world = begin(router)
  for (const [delay, happening] of [[0 as Microseconds, startup] as const, ...history]) {
    world.now = later(world.now, delay)
    const before = world.state
    const event = eventOf(world, happening)
    look(world, before, event, happen(world, event))
  }
  return world
}

const startup: Happening = { kind: 'event', event: { kind: 'startup' } }

/** The timers that each state may hold: leaving it cancels them. */
const timersOf = {
  initialize: ['startsAt'],
  backup: ['activeDownAt', 'answersUntil'],
  active: ['adverAt'],
  resigning: ['answersUntil'],
} as const
const allTimers = [...new Set<string>(Object.values(timersOf).flat())]

test('the histories below go every way from every state', () => {
  const ways = new Set<string>()
  holds(
    fc.property(routers, histories, (router, history) => {
      play(router, history, ({ state }, before) => void ways.add(`${before.kind} to ${state.kind}`))
    }),
  )
  expect([...ways].toSorted()).toEqual(
    [
      ...['initialize to initialize', 'initialize to backup', 'initialize to active'],
      ...['backup to backup', 'backup to active', 'backup to initialize'],
      ...['active to active', 'active to backup', 'active to resigning', 'active to initialize'],
      ...['resigning to resigning', 'resigning to backup', 'resigning to initialize'],
    ].toSorted(),
  )
})

describe('timers', () => {
  test('a state holds its own timers and no others, and has a deadline while any runs', () => {
    holds(
      fc.property(routers, histories, (router, history) => {
        play(router, history, ({ router: present, state }) => {
          const held = Object.keys(state).filter((key) => allTimers.includes(key))
          expect(held.filter((key) => !(timersOf[state.kind] as readonly string[]).includes(key))).toEqual([])
          expect(nextDeadline(present, state) === undefined).toBe(held.length === 0)
        })
      }),
    )
  })

  test('before the deadline a tick changes nothing; at it, a few ticks put it into the future', () => {
    holds(
      fc.property(routers, histories, (router, history) => {
        play(router, history, (world) => {
          const { state, router: present, now } = world
          const deadline = nextDeadline(present, state)
          if (deadline === undefined || now < deadline) {
            expect(step(present, state, { kind: 'tick' }, now)).toEqual({ state, effects: [] })
            return
          }
          // Announcements that are late are made one a tick: two bursts, and one refresh for each delay at most.
          let settled = state
          for (let ticks = 2 * present.announce.repeat + 2 + history.length; ticks > 0; ticks -= 1)
            settled = step(present, settled, { kind: 'tick' }, now).state
          expect(nextDeadline(present, settled) ?? Number.POSITIVE_INFINITY).toBeGreaterThan(now)
        })
      }),
    )
  })
})

describe('addresses', () => {
  test('are on the machine while it is active, resigning, or was outranked a moment ago, and never else', () => {
    holds(
      fc.property(routers, histories, (router, history) => {
        play(router, history, ({ state, installed }) => {
          const answers =
            state.kind === 'active' ||
            state.kind === 'resigning' ||
            (state.kind === 'backup' && state.answersUntil !== undefined)
          expect(installed).toBe(answers)
        })
      }),
    )
  })

  test('are installed after the advertisement and announced after that (F-33)', () => {
    holds(
      fc.property(routers, histories, (router, history) => {
        play(router, history, (_, before, __, effects) => {
          if (!effects.includes('install-addresses') || before.kind === 'active') return
          const order = ['send-advertisement', 'install-addresses', 'announce-addresses']
          expect(effects.filter((kind) => order.includes(kind))).toEqual(order)
        })
      }),
    )
  })
})

describe('elections', () => {
  /** What may happen to a backup beside advertisements without making it active. */
  const harmless = fc.oneof(
    fc.constantFrom('tick', 'startup', 'lower', 'address-lost').map((kind): Event => ({ kind })),
    microseconds(60_000_000).map((duration): Event => ({ kind: 'slept', for: duration })),
  )

  test('a backup that hears a better or equal active in time stays backup (F-13, F-15)', () => {
    const heard = fc.record({
      /** Parts of the time that the silence may last, so that each advertisement comes before its end. */
      part: fc.double({ min: 0, max: 0.999, noNaN: true }),
      above: fc.nat(254),
      advertisement: advertisements,
      between: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), harmless), { maxLength: 3 }),
    })
    holds(
      fc.property(routers, fc.array(heard, { maxLength: 20 }), (configured, adverts) => {
        const router = { ...configured, priority: Math.min(configured.priority, 254) }
        const world = begin(router)
        happen(world, { kind: 'startup' })
        let learned = router.advertisementInterval
        for (const { part, above, advertisement, between } of adverts) {
          const silence = (part * activeDownInterval(router, learned)) as Microseconds
          const end = later(world.now, silence)
          for (const [fraction, event] of between.toSorted(([a], [b]) => a - b)) {
            world.now = later((end - silence) as Instant, (fraction * silence) as Microseconds)
            happen(world, event)
            expect(world.state.kind).toBe('backup')
          }
          world.now = end
          const least = router.preemptMode ? router.priority : 1
          const priority = Math.min(255, least + above)
          happen(world, { ...advertisement, priority })
          happen(world, { kind: 'tick' })
          expect(world.state.kind).toBe('backup')
          if (router.version === 3) learned = advertisement.maxAdvertiseInterval
        }
        // Silence for the whole time makes it active: the property does not hold for want of a timer.
        world.now = later(world.now, activeDownInterval(router, learned))
        happen(world, { kind: 'tick' })
        expect(world.state.kind).toBe('active')
      }),
    )
  })

  test('an active router steps back from a better one in silence (F-23), and answers the others each 10 ms at most (F-32)', () => {
    holds(
      fc.property(
        routers,
        fc.array(fc.tuple(microseconds(30_000), advertisements), { maxLength: 40 }),
        (router, adverts) => {
          const world = begin(router)
          happen(world, { kind: 'startup' })
          if (world.state.kind === 'backup') happen(world, { kind: 'take-over', priority: router.priority })
          let answeredAt: Instant | undefined
          for (const [delay, advertisement] of adverts) {
            world.now = later(world.now, delay)
            happen(world, { kind: 'tick' })
            if (world.state.kind !== 'active') return
            const wins =
              advertisement.priority > router.priority ||
              (advertisement.priority === router.priority &&
                advertisement.source[3]! > 2 &&
                advertisement.source[0] === 192)
            const effects = happen(world, advertisement)
            expect(world.state.kind).toBe(wins ? 'backup' : 'active')
            if (wins) expect(effects).toEqual([])
            if (!effects.includes('send-advertisement')) continue
            if (answeredAt !== undefined) expect(world.now - answeredAt).toBeGreaterThanOrEqual(milliseconds(10))
            answeredAt = world.now
          }
        },
      ),
    )
  })
})

describe('the same told twice', () => {
  const told: fc.Arbitrary<Event> = fc.oneof(
    fc.constantFrom('startup', 'shutdown', 'fault', 'yield').map((kind): Event => ({ kind })),
    fc.boolean().map((first): Event => ({ kind: 'startup', first })),
    fc.boolean().map((holding): Event => ({ kind: 'startup', holding })),
  )

  test('changes nothing the second time', () => {
    holds(
      fc.property(routers, histories, told, fc.boolean(), (router, history, event, yielding) => {
        const { now, state, router: present } = play(router, history, () => {})
        const standing = present.priority === 255 ? present : { ...present, yielding }
        const once = step(standing, state, event, now)
        expect(step(standing, once.state, event, now)).toEqual({ state: once.state, effects: [] })
      }),
    )
  })

  test('an immediate yield leaves nothing to leave', () => {
    holds(
      fc.property(routers, histories, (router, history) => {
        const { now, state, router: present } = play(router, history, () => {})
        const yielding = { ...present, yielding: true }
        const event: Event = { kind: 'yield', atOnce: true }
        const once = step(yielding, state, event, now)
        expect(['initialize', 'backup']).toContain(once.state.kind)
        expect(step(yielding, once.state, event, now)).toEqual({ state: once.state, effects: [] })
      }),
    )
  })
})

describe('after a freeze', () => {
  /** How long the most patient peer waits; at least what a timer may be late at any time, half an interval. */
  function longestPatience(router: RunningRouter): number {
    const patience = activeDownInterval({ ...router, priority: 1 }, router.advertisementInterval)
    return Math.max(patience, 1.5 * ofCentiseconds(router.advertisementInterval))
  }

  test('an active router sends nothing before it has stepped down (F-35)', () => {
    holds(
      fc.property(routers, delays, microseconds(1_000_000), happenings, (configured, active, beyond, happening) => {
        const world = begin(configured)
        happen(world, { kind: 'startup' })
        if (world.state.kind === 'backup') happen(world, { kind: 'take-over', priority: 200 })
        world.now = later(world.now, Math.min(active, ofCentiseconds(configured.advertisementInterval)) as Microseconds)
        happen(world, { kind: 'tick' })
        expect(world.state.kind).toBe('active')
        const patience = longestPatience(configured)
        world.now = later(world.now, (patience + beyond) as Microseconds)
        const event = eventOf(world, happening)
        const effects = happen(world, event)
        expect(effects[0]).toBe('remove-addresses')
        const sent = effects.includes('send-advertisement')
        // Only an operator who moves the service here makes it active again at once.
        expect(sent).toBe(event.kind === 'take-over')
        if (!sent) expect(world.state.kind).not.toBe('active')
      }),
    )
  })

  test('of the whole machine, told by another clock, likewise', () => {
    holds(
      fc.property(routers, microseconds(60_000_000), (configured, duration) => {
        const world = begin(configured)
        happen(world, { kind: 'startup' })
        if (world.state.kind === 'backup') happen(world, { kind: 'take-over', priority: 200 })
        const effects = happen(world, { kind: 'slept', for: duration })
        expect(effects).not.toContain('send-advertisement')
        const patience = longestPatience(configured)
        if (duration >= patience) expect(effects).toEqual(['remove-addresses'])
      }),
    )
  })
})
