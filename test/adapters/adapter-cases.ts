/**
 * What every adapter must do, whatever it stands for: one suite, run by each of them against its own world.
 *
 * A world is what the adapter's resource really is, seen past the adapter. Where adapters may differ, a case asks
 * their capabilities and expects what they promise. A world that cannot be made to fail runs the plain cases only.
 */
import { describe, expect, test } from 'vitest'
import type { Adapter, Failure, Move, Observation, Outcome } from '../../adapters/adapter.ts'

/** The ways of going wrong that a world is asked to arrange, each for the next call of an action. */
export type CaseFault = 'throttled' | 'unavailable' | 'denied' | 'lost-response' | 'hang'

/** The binding's nodes are n1 and n2; `foreign` is a place that belongs to neither. */
export type Place = 'n1' | 'n2' | 'foreign' | null

export type World = PlainWorld & FaultyWorld

export type PlainWorld = {
  /** Where the resource really is. */
  owner(): Promise<Place>
  setOutOfBand(place: Place): Promise<void>
  /** An adapter for the same binding, with nobody at the other end. */
  unreachable(): Promise<Adapter>
  end(): Promise<void>
}

export type FaultyWorld = {
  inject(action: 'observe' | 'apply', fault: CaseFault): void
  /** From now on a write comes `ms` late, or a read shows what was `ms` ago. `none` ends both. */
  lag(what: 'late-write' | 'stale-reads' | 'none', ms: number): void
  /** Lets time pass for the resource. */
  pass(ms: number): Promise<void>
  /** Waits until a call that `hang` was injected for has reached the resource. */
  hanging(): Promise<void>
  /** False: its protocol has no words for too many calls, so it just closes the connection then. Default: it has. */
  readonly saysTooMany?: boolean
  /** What no failure may ever quote. */
  readonly secrets: readonly string[]
}

export function adapterCases(suite: {
  readonly name: string
  readonly setup: () => Promise<{ readonly adapter: Adapter; readonly world: World }>
}): void {
  describe(`${suite.name} does what every adapter must`, () => {
    for (const [name, run] of Object.entries(plainCases)) test(name, () => inWorld(suite.setup, run))
  })
  describe(`${suite.name} fails as every adapter must`, () => {
    for (const [name, run] of Object.entries(faultCases)) test(name, () => inWorld(suite.setup, run))
  })
}

/** For a world that cannot be made to fail. `except`: cases in which the world, not the adapter, is known to be wrong, and how. */
export function plainAdapterCases(suite: {
  readonly name: string
  readonly setup: () => Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }>
  readonly except?: Readonly<Record<string, string>>
}): void {
  const { name: suiteName, setup, except = {} } = suite
  const strangers = Object.keys(except).filter((name) => plainCases[name] === undefined)
  if (strangers.length > 0) throw new Error(`no such cases: ${strangers.join(', ')}`)
  describe(`${suiteName} does what every adapter must`, () => {
    for (const [name, run] of Object.entries(plainCases)) {
      const reason = except[name]
      if (reason === undefined) test(name, () => inWorld(setup, run))
      // Should the world ever become right, this says so.
      else test.fails(`not so, since ${reason}: ${name}`, () => inWorld(setup, run))
    }
  })
}

async function inWorld<W extends PlainWorld>(
  setup: () => Promise<{ readonly adapter: Adapter; readonly world: W }>,
  run: (adapter: Adapter, world: W) => Promise<void>,
): Promise<void> {
  const { adapter, world } = await setup()
  try {
    await run(adapter, world)
  } finally {
    adapter.dispose()
    await world.end()
  }
}

const plainCases: Readonly<Record<string, (adapter: Adapter, world: PlainWorld) => Promise<void>>> = {
  'observes that it points at nothing': async (adapter, world) => {
    await world.setOutOfBand(null)
    expect(await observe(adapter)).toMatchObject({ kind: 'none' })
  },

  'observes the node it points at': async (adapter, world) => {
    await world.setOutOfBand('n1')
    expect(await observe(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
    await world.setOutOfBand('n2')
    expect(await observe(adapter)).toMatchObject({ kind: 'node', node: 'n2' })
  },

  'observes that it points at something foreign, and names it': async (adapter, world) => {
    await world.setOutOfBand('foreign')
    const seen = await observe(adapter)
    expect(seen).toMatchObject({ kind: 'foreign' })
    expect(seen.kind === 'foreign' && seen.what).not.toBe('')
  },

  'applies from nothing, from a node and from something foreign': async (adapter, world) => {
    for (const [epoch, before, node] of [
      [1, null, 'n1'],
      [2, 'n1', 'n2'],
      [3, 'foreign', 'n1'],
    ] as const) {
      await world.setOutOfBand(before)
      expect(await applyObserved(adapter, { node, epoch })).toEqual({ kind: 'done' })
      expect(await world.owner()).toBe(node)
    }
  },

  'observes its own write, under a new token': async (adapter, world) => {
    await world.setOutOfBand('n1')
    const before = await observe(adapter)
    expect(await apply(adapter, { node: 'n2', epoch: 1, token: tokenOf(before) })).toEqual({ kind: 'done' })
    const after = await observe(adapter)
    expect(after).toMatchObject({ kind: 'node', node: 'n2' })
    expect(tokenOf(after)).not.toBe(tokenOf(before))
  },

  'is at the same place after the same move twice': async (adapter, world) => {
    await world.setOutOfBand('n1')
    expect(await applyObserved(adapter, { node: 'n2', epoch: 4 })).toEqual({ kind: 'done' })
    expect(await applyObserved(adapter, { node: 'n2', epoch: 4 })).toEqual({ kind: 'done' })
    expect(await world.owner()).toBe('n2')
  },

  'refuses a write that was based on a token of the past, where it can refuse anything': async (adapter, world) => {
    await world.setOutOfBand('n1')
    const token = tokenOf(await observe(adapter))
    await world.setOutOfBand('foreign')
    const outcome = await apply(adapter, { node: 'n2', epoch: 1, token })
    const refuses = adapter.capabilities.cas !== 'none'
    expect(outcome).toMatchObject({ kind: refuses ? 'conflict' : 'done' })
    expect(await world.owner()).toBe(refuses ? 'foreign' : 'n2')
  },

  'refuses an epoch lower than the one it holds, where it holds one': async (adapter, world) => {
    expect(await applyObserved(adapter, { node: 'n1', epoch: 7 })).toEqual({ kind: 'done' })
    const outcome = await applyObserved(adapter, { node: 'n2', epoch: 6 })
    const refuses = adapter.capabilities.cas === 'atomic'
    expect(outcome).toMatchObject({ kind: refuses ? 'conflict' : 'done' })
    expect(await world.owner()).toBe(refuses ? 'n1' : 'n2')
    const seen = await observe(adapter)
    // Where nothing refuses, it may still be remembered who wrote last.
    expect(refuses ? [7] : [undefined, 6]).toContain(seen.kind !== 'unknown' && seen.epochSeen)
  },

  'does nothing when its signal has already aborted': async (adapter, world) => {
    await world.setOutOfBand('n1')
    const seen = await adapter.observe(AbortSignal.abort())
    expect(seen).toMatchObject({ kind: 'unknown', failure: { kind: 'unknown' } })
    const move = { node: 'n2', epoch: 1, token: null }
    expect(await adapter.apply(move, AbortSignal.abort())).toMatchObject({ kind: 'unknown' })
    expect(await world.owner()).toBe('n1')
  },

  'reports that nobody is there as a retry or unknown, and never throws': async (_adapter, world) => {
    const unreachable = await world.unreachable()
    const failures = [await failureOf(unreachable, 'observe'), await failureOf(unreachable, 'apply')]
    for (const { kind } of failures) expect(['retry', 'unknown']).toContain(kind)
    unreachable.dispose()
  },

  'refuses a node that has no target': async (adapter, world) => {
    await world.setOutOfBand('n1')
    for (const node of ['n9', 'constructor']) {
      expect(await applyObserved(adapter, { node, epoch: 1 })).toMatchObject({ kind: 'permanent' })
    }
    expect(await world.owner()).toBe('n1')
  },
}

const faultCases: Readonly<Record<string, (adapter: Adapter, world: World) => Promise<void>>> = {
  'reports too many calls as throttled, with a wait': async (adapter, world) => {
    for (const action of ['observe', 'apply'] as const) {
      world.inject(action, 'throttled')
      const failure = await failureOf(adapter, action)
      const says = world.saysTooMany ?? true
      expect(failure).toMatchObject({ kind: says ? 'throttled' : 'unknown' })
      if (says) expect(failure.kind === 'throttled' && failure.afterMs).toBeGreaterThan(0)
    }
  },

  "reports the provider's own trouble as worth a retry": async (adapter, world) => {
    await world.setOutOfBand('n1')
    for (const action of ['observe', 'apply'] as const) {
      world.inject(action, 'unavailable')
      expect(await failureOf(adapter, action)).toMatchObject({ kind: 'retry' })
    }
    expect(await world.owner()).toBe('n1')
  },

  'reports a missing permission as permanent': async (adapter, world) => {
    for (const action of ['observe', 'apply'] as const) {
      world.inject(action, 'denied')
      expect(await failureOf(adapter, action)).toMatchObject({ kind: 'permanent' })
    }
  },

  'does not know what became of a write whose answer was lost': async (adapter, world) => {
    await world.setOutOfBand('n1')
    const token = tokenOf(await observe(adapter))
    world.inject('apply', 'lost-response')
    expect(await apply(adapter, { node: 'n2', epoch: 1, token })).toMatchObject({ kind: 'unknown' })
    expect(await world.owner()).not.toBe('n1')
  },

  'ends a call at once when its signal aborts': async (adapter, world) => {
    await world.setOutOfBand('n1')
    const token = tokenOf(await observe(adapter))
    for (const action of ['observe', 'apply'] as const) {
      world.inject(action, 'hang')
      const controller = new AbortController()
      const ended =
        action === 'observe'
          ? adapter.observe(controller.signal).then(failureSeen)
          : adapter.apply({ node: 'n2', epoch: 1, token }, controller.signal)
      await world.hanging()
      const aborted = performance.now()
      controller.abort()
      expect(await ended).toMatchObject({ kind: 'unknown' })
      expect(performance.now() - aborted).toBeLessThan(500)
    }
  },

  'may observe the old owner for a while after a write, and then the new one': async (adapter, world) => {
    await world.setOutOfBand('n1')
    await world.pass(1000)
    world.lag('stale-reads', 900)
    expect(await applyObserved(adapter, { node: 'n2', epoch: 1 })).toEqual({ kind: 'done' })
    expect(await observe(adapter)).toMatchObject({ kind: 'node', node: 'n1' })
    await eventually(world, async () => (await nodeSeen(adapter)) === 'n2')
  },

  'observes what a late write of a lower epoch did, unless it is refused': async (adapter, world) => {
    // Not from nothing: what makes a thing may be refused where it is already, although what changes it never is.
    await world.setOutOfBand('foreign')
    world.lag('late-write', 200)
    expect(await applyObserved(adapter, { node: 'n1', epoch: 1 })).toMatchObject({ kind: 'unknown' })
    world.lag('none', 0)
    expect(await applyObserved(adapter, { node: 'n2', epoch: 2 })).toEqual({ kind: 'done' })
    expect(await nodeSeen(adapter)).toBe('n2')
    await world.pass(300)
    expect(await nodeSeen(adapter)).toBe(adapter.capabilities.cas === 'none' ? 'n1' : 'n2')
  },

  'quotes no secret in any failure': async (adapter, world) => {
    const unreachable = await world.unreachable()
    const failures = [await failureOf(unreachable, 'observe'), await failureOf(unreachable, 'apply')]
    unreachable.dispose()
    for (const fault of ['throttled', 'unavailable', 'denied', 'lost-response'] as const) {
      world.inject('apply', fault)
      failures.push(await failureOf(adapter, 'apply'))
    }
    const quoted = JSON.stringify(failures)
    expect(failures.length).toBe(6)
    expect(world.secrets.filter((secret) => quoted.includes(secret))).toEqual([])
  },
}

const patience = () => AbortSignal.timeout(10_000)

function observe(adapter: Adapter): Promise<Observation> {
  return adapter.observe(patience())
}

function apply(adapter: Adapter, move: Move): Promise<Outcome> {
  return adapter.apply(move, patience())
}

async function applyObserved(adapter: Adapter, move: Omit<Move, 'token'>): Promise<Outcome> {
  return apply(adapter, { ...move, token: tokenOf(await observe(adapter)) })
}

function tokenOf(observation: Observation): string | null {
  if (observation.kind === 'unknown') throw new Error(`could not observe: ${JSON.stringify(observation.failure)}`)
  return observation.token
}

async function nodeSeen(adapter: Adapter): Promise<string | undefined> {
  const observation = await observe(adapter)
  return observation.kind === 'node' ? observation.node : undefined
}

/** How a call of `action` fails; failing to fail is the test's failure. */
async function failureOf(adapter: Adapter, action: 'observe' | 'apply'): Promise<Failure> {
  if (action === 'observe') return failureSeen(await observe(adapter))
  const outcome = await apply(adapter, { node: 'n2', epoch: 1, token: null })
  if (outcome.kind === 'done') throw new Error('the call succeeded')
  return outcome
}

function failureSeen(observation: Observation): Failure {
  if (observation.kind !== 'unknown') throw new Error(`the call succeeded: ${JSON.stringify(observation)}`)
  return observation.failure
}

async function eventually(world: World, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 5_000; waited += 20) {
    if (await holds()) return
    await world.pass(20)
  }
  throw new Error('it never came true')
}
