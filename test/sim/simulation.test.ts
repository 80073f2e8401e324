/** The production cores together, under a virtual clock, with faults drawn from seeds. */
import { describe, expect, test } from 'vitest'
import { judge } from './judge.ts'
import { simulate, type World } from './simulation.ts'
import { millisecond, second } from './time.ts'

/** CI runs the same seeds every time, so that a failure is somebody's change and not luck. */
const seeds = 200

test(`${seeds} seeds of mixed faults come to rest with one active node and the cloud at it`, {
  timeout: 60_000,
}, async () => {
  const wrong: string[] = []
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { world } = await simulate({ seed })
    wrong.push(...judge(world).map((problem) => `npm run sim -- --seed ${seed}: ${problem}`))
    world.control.close()
  }
  expect(wrong).toEqual([])
})

test('the same seed gives the same trace', async () => {
  const [first, second_] = [await simulate({ seed: 42 }), await simulate({ seed: 42 })]
  expect(second_.world.trace).toEqual(first.world.trace)
  expect(first.world.trace.length).toBeGreaterThan(10)
  expect((await simulate({ seed: 43 })).world.trace).not.toEqual(first.world.trace)
})

/** Every node that the cloud pointed at, in order. */
function watchCloud(): { places: (string | null)[]; look: (world: World) => void } {
  const places: (string | null)[] = []
  return {
    places,
    look: ({ resource }) => {
      if (places.at(-1) !== resource.state().node) places.push(resource.state().node)
    },
  }
}

describe('a brief self-promotion of the backup', () => {
  test('while the owner still answers moves nothing outside', async () => {
    const { places, look } = watchCloud()
    const fault = { at: 10 * second, until: 14 * second, kind: 'one-way', from: 'n1', to: 'n2' } as const
    const { world } = await simulate({ seed: 7, faults: [fault], always: look })
    expect(world.trace.some((line) => line.includes('n2 backup -> active'))).toBe(true)
    expect(places).toEqual([null, 'n1'])
    expect(judge(world)).toEqual([])
  })

  test('while the owner can’t be asked may move the outside, and it is brought back', async () => {
    const { places, look } = watchCloud()
    const { world } = await simulate({
      seed: 8,
      faults: [
        { at: 10 * second, until: 16 * second, kind: 'one-way', from: 'n1', to: 'n2' },
        { at: 10 * second, until: 16 * second, kind: 'link-partition', node: 'n1', heals: 'deliver' },
      ],
      always: look,
    })
    expect(places).toEqual([null, 'n1', 'n2', 'n1'])
    expect(judge(world)).toEqual([])
  })
})

test('a frozen owner is replaced, and steps down before it sends anything when it thaws', async () => {
  const { places, look } = watchCloud()
  const fault = { at: 10 * second, until: 20 * second, kind: 'node-freeze', node: 'n1' } as const
  const { world } = await simulate({ seed: 9, faults: [fault], always: look })
  const thawed = world.trace.findIndex((line) => line.includes('n1 thaws'))
  const next = world.trace.slice(thawed).find((line) => / n[12] \w+ -> /.test(line))
  expect(next).toContain('n1 active -> backup (overslept)')
  expect(places).toEqual([null, 'n1', 'n2', 'n1'])
  expect(judge(world)).toEqual([])
})

test('a backup that was frozen hears what was queued before its timer, and deposes nobody', async () => {
  const fault = { at: 10 * second, until: 20 * second, kind: 'node-freeze', node: 'n2' } as const
  const { world } = await simulate({ seed: 12, faults: [fault] })
  const thawed = world.trace.findIndex((line) => line.includes('n2 thaws'))
  expect(world.trace.slice(thawed).filter((line) => / n[12] \w+ -> /.test(line))).toEqual([])
  expect(judge(world)).toEqual([])
})

test('control killed at any port call of a failover finishes it after its restart', async () => {
  for (let nth = 1; nth <= 25; nth += 1) {
    const { world } = await simulate({
      seed: 10,
      faults: [
        { at: 10 * second - millisecond, until: 20 * second, kind: 'control-crash-at-call', nth },
        { at: 10 * second, until: 50 * second, kind: 'node-crash', node: 'n1' },
      ],
    })
    expect(judge(world), `dies at call ${nth}`).toEqual([])
    world.control.close()
  }
})

test('a write that lands after a newer one is found and put right', async () => {
  const { places, look } = watchCloud()
  const { world } = await simulate({
    seed: 11,
    faults: [
      { at: 9 * second, kind: 'cloud', action: 'apply', fault: { kind: 'late-write', ms: 9_000 }, times: 1 },
      { at: 10 * second, until: 15 * second, kind: 'node-crash', node: 'n1' },
    ],
    always: look,
  })
  expect(places.at(-1)).toBe('n1')
  expect(judge(world)).toEqual([])
})
