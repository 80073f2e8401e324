/**
 * An adapter, the provider it talks to, and the production driver between them (`reconcile`, `plan`), under faults
 * drawn from a seed: what must hold whatever the cloud does.
 *
 *   At rest the resource is where the newest owner is, and nothing is written any more.
 *   A fenced resource that has settled stays there: no write of an older epoch shows after that.
 *   There is never more than one call at a time, and nothing that is said holds a secret.
 *
 * Time is the test's own; calls are real. A call that does not end is what time passes over, as it would be.
 */
import { describe, expect, test } from 'vitest'
import type { Adapter } from '../../adapters/adapter.ts'
import { createDriver, type Driver } from '../../control/core/binding-driver.ts'
import { createBudgets } from '../../control/core/budgets.ts'
import { createRandom } from '../support/prng.ts'
import type { CaseFault, Place, World } from './adapter-cases.ts'

export type MatrixSuite = {
  readonly name: string
  readonly setup: () => Promise<{ readonly adapter: Adapter; readonly world: World }>
  /** How many seeds. Default 12. */
  readonly seeds?: number
}

const faults: readonly CaseFault[] = ['throttled', 'unavailable', 'denied', 'lost-response', 'hang']
const nodes = ['n1', 'n2'] as const

export function faultMatrix({ name, setup, seeds = 12 }: MatrixSuite): void {
  describe(`${name} under faults`, () => {
    test.each(Array.from({ length: seeds }, (_, i) => i + 1))('seed %i', async (seed) => {
      const { adapter, world } = await setup()
      try {
        await survive(createRun(adapter, world, seed))
      } finally {
        adapter.dispose()
        await world.end()
      }
    })

    test('without faults each move is one write, and no move none', async () => {
      const { adapter, world } = await setup()
      const run = createRun(adapter, world, 1)
      try {
        for (const node of ['n1', 'n2', 'n1'] as const) {
          run.want(node)
          await run.untilSettled()
          expect(await world.owner()).toBe(node)
        }
        expect(run.writes()).toBe(3)
        await run.advance(300_000)
        expect(run.writes()).toBe(3)
      } finally {
        adapter.dispose()
        await world.end()
      }
    })

    test('an answer that is lost, and reads that lag, cost no second write', async () => {
      const { adapter, world } = await setup()
      const run = createRun(adapter, world, 1)
      try {
        run.want('n1')
        await run.untilSettled()
        world.inject('apply', 'lost-response')
        run.want('n2')
        await run.untilSettled()
        expect([await world.owner(), run.writes()]).toEqual(['n2', 2])
        // Long enough for what reads will show to be how it is now.
        await run.advance(adapter.capabilities.settleMs + 30_000)
        world.lag('stale-reads', Math.round(adapter.capabilities.settleMs / 2))
        run.want('n1')
        await run.untilSettled()
        expect([await world.owner(), run.writes()]).toEqual(['n1', 3])
      } finally {
        adapter.dispose()
        await world.end()
      }
    })
  })
}

type Run = ReturnType<typeof createRun>

function createRun(adapter: Adapter, world: World, seed: number) {
  const random = createRandom(seed)
  const said: unknown[] = []
  let now = 0
  let epoch = 0
  let writes = 0
  let inFlight = 0
  let ended: Promise<unknown> = Promise.resolve()
  const watched = <T>(call: Promise<T>): Promise<T> => {
    inFlight += 1
    if (inFlight > 1) throw new Error('two calls at once')
    const done = call.finally(() => {
      inFlight -= 1
    })
    ended = done.then(() => undefined)
    return done
  }
  const watchedAdapter: Adapter = {
    ...adapter,
    observe: (signal) => watched(adapter.observe(signal)),
    apply: (move, signal) => {
      writes += 1
      return watched(adapter.apply(move, signal))
    },
  }
  const clock = { now: () => now, wall: () => new Date(now) }
  const ports = { clock, sleeps: false, random: random.next, log: (_: string, entry: unknown) => void said.push(entry) }
  const driver: Driver = createDriver({
    adapter: watchedAdapter,
    kind: 'matrix',
    drift: 'reassert',
    targets: new Set(nodes),
    wanted: null,
    was: 'unsettled',
    waits: false,
    budgets: createBudgets(clock),
    ports: { ...ports, measure: () => undefined },
    presentEpoch: () => epoch,
    changed: (_, effects) => void said.push(...effects),
  })
  const advance = async (ms: number): Promise<void> => {
    const until = now + ms
    for (;;) {
      await quiet(() => inFlight, ended)
      const next = Math.min(until, Math.max(now, Math.ceil(driver.deadline() ?? until)))
      await world.pass(next - now)
      now = next
      driver.tick()
      await quiet(() => inFlight, ended)
      if (now >= until && (driver.deadline() ?? Number.POSITIVE_INFINITY) > now) return
    }
  }
  return {
    random,
    driver,
    world,
    said,
    fenced: adapter.capabilities.cas === 'atomic',
    capabilities: adapter.capabilities,
    writes: () => writes,
    advance,
    want: (node: (typeof nodes)[number]) => {
      epoch += 1
      driver.feed({ kind: 'wanted', wanted: { node, epoch }, waits: false })
    },
    wanted: () => driver.binding().wanted?.node ?? null,
    /** Until it has settled, or ten minutes have passed. */
    untilSettled: async () => {
      for (let waited = 0; driver.binding().state !== 'settled' || inFlight > 0; waited += 1_000) {
        if (waited > 600_000) throw new Error(`it never settled: ${JSON.stringify(driver.binding())}`)
        await advance(1_000)
      }
    },
    /** Until the resource is where it should be: a late write is put right within its time. */
    untilThere: async () => {
      const { settleMs, maxInFlightMs } = adapter.capabilities
      for (let waited = 0; (await world.owner()) !== driver.binding().wanted?.node; waited += 1_000) {
        if (waited > settleMs + maxInFlightMs + 60_000) throw new Error('it stayed at the wrong place')
        await advance(1_000)
      }
    },
  }
}

/** Until no call is in flight, or one of them shows no sign of ending. */
async function quiet(inFlight: () => number, ended: Promise<unknown>): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  if (inFlight() === 0) return
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, 60)
  })
  await Promise.race([ended, patience])
  clearTimeout(timer)
}

async function survive(run: Run): Promise<void> {
  const { random, world } = run
  run.driver.start()
  run.want('n1')
  for (let i = 0; i < 14; i++) {
    await act(run)
    await run.advance(random.between(0, 20_000))
    await checkFence(run)
    if (random.chance(0.3)) await checkRest(run)
  }
  run.want(random.pick(nodes))
  await checkRest(run)
  // What is still on its way may land now, and is put right where nothing refuses it.
  await run.advance(run.capabilities.maxInFlightMs + run.capabilities.settleMs + 60_000)
  await checkRest(run)
  const writes = run.writes()
  await run.advance(300_000)
  expect(run.writes(), 'nothing is written at rest').toBe(writes)
  expect(await world.owner()).toBe(run.wanted())
  const text = JSON.stringify(run.said)
  expect(world.secrets.filter((secret) => text.includes(secret))).toEqual([])
}

/** The cloud behaves from now on: what is wanted comes true without anybody's help. */
async function checkRest(run: Run): Promise<void> {
  run.world.lag('none', 0)
  await run.untilSettled()
  // Somebody else, or a write that came late, may have changed it since.
  await run.untilThere()
}

/** One thing that the world, an operator or the cloud does. */
async function act({ random, world, want }: Run): Promise<void> {
  const dice = random.next()
  if (dice < 0.4) {
    want(random.pick(nodes))
    // Sometimes the next decision comes while a call for this one is on its way.
    if (random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, random.between(0, 3)))
    if (random.chance(0.5)) want(random.pick(nodes))
  } else if (dice < 0.7) for (const _ of 'abc') world.inject(random.pick(['observe', 'apply']), random.pick(faults))
  else if (dice < 0.8) world.lag('late-write', Math.round(random.between(100, 9_000)))
  else if (dice < 0.9) world.lag('stale-reads', Math.round(random.between(100, 9_000)))
  else {
    world.lag('none', 0)
    await world.setOutOfBand(random.pick<Place>(['n1', 'n2', 'foreign', null]))
  }
}

/** A fenced resource on which the present epoch has settled shows no older one, unless somebody else changed it. */
async function checkFence({ fenced, driver, world, advance }: Run): Promise<void> {
  if (!fenced || driver.binding().state !== 'settled') return
  const before = await world.owner()
  await advance(10_000)
  const { state, wanted } = driver.binding()
  if (state === 'settled' && before === wanted?.node) expect(await world.owner()).toBe(before)
}
