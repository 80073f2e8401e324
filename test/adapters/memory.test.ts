/** The in-memory adapter against the shared suite, on a clock that the test moves. */
import { expect, test } from 'vitest'
import type { Adapter, Failure } from '../../adapters/adapter.ts'
import { createMemoryAdapter, createMemoryResource, type MemoryFault } from '../../adapters/memory.ts'
import { adapterCases, type CaseFault, type Place, type World } from './adapter-cases.ts'
import { faultMatrix } from './fault-matrix.ts'
import { createManualTimers } from './manual-timers.ts'

const nodes = ['n1', 'n2']

const failures: Record<'throttled' | 'unavailable' | 'denied', Failure> = {
  throttled: { kind: 'throttled', code: 'Throttled', message: 'too many calls', afterMs: 500 },
  unavailable: { kind: 'retry', code: 'Unavailable', message: 'not now' },
  denied: { kind: 'permanent', code: 'Denied', message: 'not allowed' },
}

function faultOf(fault: CaseFault): MemoryFault {
  if (fault === 'lost-response' || fault === 'hang') return { kind: fault }
  return { kind: 'refused', failure: failures[fault] }
}

async function setup(cas: 'none' | 'atomic'): Promise<{ adapter: Adapter; world: World }> {
  const timers = createManualTimers()
  const resource = createMemoryResource({ timers, cas })
  const world: World = {
    owner: async () => resource.state().node as Place,
    setOutOfBand: async (place) => resource.setOutOfBand(place),
    inject: (action, fault) => resource.inject(action, faultOf(fault), 1),
    lag: (what, ms) => {
      resource.clearFaults()
      if (what === 'late-write') resource.inject('apply', { kind: what, ms })
      if (what === 'stale-reads') resource.inject('observe', { kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: async () => {},
    unreachable: async () => {
      const nobody = createMemoryResource({ timers })
      for (const action of ['observe', 'apply'] as const) nobody.inject(action, faultOf('unavailable'))
      return createMemoryAdapter({ resource: nobody, nodes })
    },
    secrets: [],
    end: async () => {},
  }
  return { adapter: createMemoryAdapter({ resource, nodes }), world }
}

adapterCases({ name: 'memory', setup: () => setup('none') })
adapterCases({ name: 'memory, atomic', setup: () => setup('atomic') })
faultMatrix({ name: 'memory', setup: () => setup('none'), seeds: 40 })
faultMatrix({ name: 'memory, atomic', setup: () => setup('atomic'), seeds: 40 })

const signal = new AbortController().signal

test('an atomic resource refuses a late write of a lower epoch', async () => {
  const timers = createManualTimers()
  const resource = createMemoryResource({ timers, cas: 'atomic' })
  const adapter = createMemoryAdapter({ resource, nodes })
  resource.inject('apply', { kind: 'late-write', ms: 3_000 }, 1)
  expect(await adapter.apply({ node: 'n1', epoch: 1, token: 'v0' }, signal)).toMatchObject({ kind: 'unknown' })
  expect(await adapter.apply({ node: 'n2', epoch: 2, token: 'v0' }, signal)).toEqual({ kind: 'done' })
  timers.pass(10_000)
  expect(resource.state()).toEqual({ node: 'n2', epoch: 2, version: 1 })
})

test('latency delays the effect by half of it and the answer by all of it', async () => {
  const timers = createManualTimers()
  const resource = createMemoryResource({ timers })
  const adapter = createMemoryAdapter({ resource, nodes })
  resource.inject('apply', { kind: 'latency', ms: 100 })
  let answered = false
  const outcome = adapter.apply({ node: 'n1', epoch: 1, token: null }, signal).finally(() => {
    answered = true
  })
  timers.pass(49)
  expect(resource.state().node).toBe(null)
  timers.pass(1)
  expect(resource.state().node).toBe('n1')
  await Promise.resolve()
  expect(answered).toBe(false)
  timers.pass(50)
  expect(await outcome).toEqual({ kind: 'done' })
})

test('a write whose caller gave up still takes effect', async () => {
  const timers = createManualTimers()
  const resource = createMemoryResource({ timers })
  resource.inject('apply', { kind: 'latency', ms: 100 })
  const controller = new AbortController()
  const move = { node: 'n1', epoch: 1, token: null }
  const outcome = createMemoryAdapter({ resource, nodes }).apply(move, controller.signal)
  controller.abort()
  expect(await outcome).toMatchObject({ kind: 'unknown' })
  expect(resource.state().node).toBe(null)
  timers.pass(100)
  expect(resource.state().node).toBe('n1')
})

test('a fault with a count ends by itself', async () => {
  const resource = createMemoryResource({ timers: createManualTimers(), node: 'n1' })
  const adapter = createMemoryAdapter({ resource, nodes })
  resource.inject('observe', { kind: 'refused', failure: failures.unavailable }, 2)
  const seen = [await adapter.observe(signal), await adapter.observe(signal), await adapter.observe(signal)]
  expect(seen.map(({ kind }) => kind)).toEqual(['unknown', 'unknown', 'node'])
})

test('an atomic resource shows the higher epoch of another controller, and refuses ours', async () => {
  const resource = createMemoryResource({ timers: createManualTimers(), cas: 'atomic' })
  const adapter = createMemoryAdapter({ resource, nodes })
  resource.setOutOfBand('n2', 9)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n2', epochSeen: 9 })
  const outcome = await adapter.apply({ node: 'n1', epoch: 3, token: 'v1' }, signal)
  expect(outcome).toMatchObject({ kind: 'conflict', code: 'StaleEpoch' })
})
