/** The probes of a service: when they look, what they say, and what control makes of it. */
import { describe, expect, test } from 'vitest'
import {
  type Origin,
  type ProbeConfig,
  type ServiceConfig,
  serviceDefaults,
} from '../../../control/config/service-config.ts'
import { leaseMs } from '../../../control/contract.ts'
import type { Probe } from '../../../control/core/ports.ts'
import { createProbes } from '../../../control/core/probes.ts'
import { begin, talk } from '../scenario-world.ts'
import { createClock } from '../world.ts'

const probeOf = (name: string, more: Partial<ProbeConfig> = {}): ProbeConfig => ({
  target: { kind: 'http', url: `http://${name}.test/` },
  intervalMs: 1_000,
  timeoutMs: 300,
  rise: 2,
  fall: 3,
  ...more,
})
const originOf = (probe: ProbeConfig | null): Origin => ({ url: null, probe })

/** Places that answer as the test wants, by host: `hangs` until it is told to stop. */
function createPlaces() {
  const places = new Map<string, 'up' | 'down' | 'hangs'>()
  const asked: string[] = []
  let underWay = 0
  let most = 0
  const probe: Probe = async (target, signal) => {
    const name = target.kind === 'http' ? new URL(target.url).hostname.split('.')[0]! : target.address
    asked.push(name)
    most = Math.max(most, ++underWay)
    try {
      if (places.get(name) === 'hangs') await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return (places.get(name) ?? 'up') === 'up' ? null : 'it is down'
    } finally {
      underWay -= 1
    }
  }
  return { places, asked, probe, most: () => most }
}

/** The probes alone, under a clock. */
function driven(config: Partial<ServiceConfig>, random = () => 0) {
  const time = createClock()
  const outside = createPlaces()
  const said: string[] = []
  const world = { awaited: false }
  const probes = createProbes({
    service: 'web',
    ports: { clock: time.clock, probe: outside.probe, random },
    isAwaited: () => world.awaited,
    rearm: () => undefined,
    said: (event) =>
      void said.push(event.kind === 'seen' ? `seen ${event.reachable}` : `${event.site} ${event.healthy}`),
  })
  probes.start({ ...serviceDefaults, ...config })
  const pass = async (ms: number): Promise<void> => {
    for (const end = time.clock.now() + ms; ; ) {
      const due = probes.deadline()
      if (due === null || due > end) return time.pass(end - time.clock.now())
      await time.pass(Math.max(0, due - time.clock.now()))
      probes.tick(time.clock.now())
      await time.idle()
    }
  }
  return { ...outside, ...time, said, probes, world, pass }
}

describe('the driver', () => {
  const dc1 = { origins: { dc1: originOf(probeOf('dc1')) } }

  test('looks once in each interval and says only what changes', async () => {
    const it = driven(dc1)
    await it.pass(10_500)
    expect(it.asked).toHaveLength(11)
    expect(it.said).toEqual(['dc1 true'])
    it.places.set('dc1', 'down')
    await it.pass(2_000)
    expect(it.said).toEqual(['dc1 true'])
    await it.pass(1_000)
    expect(it.said).toEqual(['dc1 true', 'dc1 false'])
  })

  test('one that hangs is bad when its time is up, and is never joined by another', async () => {
    const it = driven({ origins: { dc1: originOf(probeOf('dc1', { intervalMs: 100, timeoutMs: 350 })) } })
    it.places.set('dc1', 'hangs')
    await it.pass(3_000)
    expect(it.said).toEqual(['dc1 false'])
    expect(it.most()).toBe(1)
    it.places.set('dc1', 'up')
    await it.pass(600)
    expect(it.said).toEqual(['dc1 false', 'dc1 true'])
  })

  test('the first looks of many services are spread over the interval', async () => {
    const starts = [0, 0.25, 0.5, 0.999].map((random) => driven(dc1, () => random).probes.deadline())
    expect(starts).toEqual([0, 250, 500, 999])
  })

  test('until there is a verdict the next look follows within a second, whatever the interval', async () => {
    const it = driven({ origins: { dc1: originOf(probeOf('dc1', { intervalMs: 60_000 })) } })
    await it.pass(1_500)
    expect(it.said).toEqual(['dc1 true'])
    await it.pass(30_000)
    expect(it.asked).toHaveLength(2)
  })

  test('another configuration ends what it no longer names, and leaves alone what it still does', async () => {
    const it = driven({ origins: { dc1: originOf(probeOf('dc1')), dc2: originOf(probeOf('dc2')) } })
    await it.pass(1_500)
    it.probes.start({ ...serviceDefaults, origins: { dc1: originOf(probeOf('dc1')), aws: originOf(probeOf('aws')) } })
    it.asked.length = 0
    await it.pass(1_600)
    expect(new Set(it.asked)).toEqual(new Set(['dc1', 'aws']))
    expect(it.said).toEqual(['dc1 true', 'dc2 true', 'aws true'])
  })

  test('stopped, it says nothing any more', async () => {
    const it = driven({ origins: { dc1: originOf(probeOf('dc1', { rise: 1, fall: 1 })) } })
    it.places.set('dc1', 'hangs')
    await it.pass(100)
    it.probes.stop()
    await it.pass(10_000)
    expect(it.probes.deadline()).toBeNull()
    expect(it.said).toEqual([])
  })

  describe('while a move waits for the service’s own address', () => {
    const own = { probe: probeOf('web', { intervalMs: 60_000, timeoutMs: 30_000 }) }

    test('looks every 100 ms, and one success is enough', async () => {
      const it = driven(own)
      await it.pass(2_000)
      it.said.length = 0
      it.places.set('web', 'down')
      it.world.awaited = true
      it.asked.length = 0
      await it.pass(1_000)
      expect(it.asked.length).toBeGreaterThanOrEqual(9)
      expect(it.said).toEqual([])
      it.places.set('web', 'up')
      await it.pass(110)
      expect(it.said[0]).toBe('seen true')
    })

    test('one that began before is not waited for', async () => {
      const it = driven(own)
      it.places.set('web', 'hangs')
      await it.pass(100)
      it.places.set('web', 'up')
      it.world.awaited = true
      await it.pass(10)
      expect(it.asked).toHaveLength(2)
      expect(it.said).toEqual(['seen true'])
    })

    test('quick failures do not add up to a fall', async () => {
      const it = driven({ probe: probeOf('web', { intervalMs: 1_000 }) })
      await it.pass(3_000)
      it.places.set('web', 'down')
      it.world.awaited = true
      it.said.length = 0
      await it.pass(1_500)
      expect(it.said).toEqual([])
      await it.pass(2_000)
      expect(it.said).toEqual(['seen false'])
    })
  })
})

describe('in a cluster', () => {
  const origins = { dc1: originOf(probeOf('dc1')), dc2: originOf(probeOf('dc2')) }
  const states = { n1: 'active', n2: 'active' } as const
  const sites = { sites: ['dc1', 'dc2'], origins }

  /** n1 owns in dc1, n2 is active in dc2. */
  async function twoSites(service: Partial<ServiceConfig> = {}) {
    const outside = createPlaces()
    const it = await begin({
      service: { ...sites, ...service },
      probe: outside.probe,
      siteOf: { n1: 'dc1', n2: 'dc2' },
    })
    for (const node of ['n1', 'n2']) it.connect(node)
    await talk(it, leaseMs + 3_000, states)
    expect(it.view().owner).toMatchObject({ node: 'n1' })
    expect(Object.values(it.view().origins)).not.toContain('unknown')
    return { ...it, ...outside, talk: (ms: number) => talk(it, ms, states) }
  }

  test('the service leaves a site whose origin dies, and comes back when it is well again', async () => {
    const it = await twoSites()
    it.places.set('dc1', 'down')
    await it.talk(4_500)
    expect(it.view()).toMatchObject({ owner: { node: 'n2', site: 'dc2', epoch: 2 }, origins: { dc1: 'unhealthy' } })
    it.places.set('dc1', 'up')
    await it.talk(4_500)
    expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 3 })
    expect(it.events().filter((kind) => kind.startsWith('origin-'))).toEqual(['origin-down', 'origin-up'])
  })

  test('with failback: manual it stays where it went', async () => {
    const it = await twoSites({ failback: { kind: 'manual' } })
    it.places.set('dc1', 'down')
    await it.talk(4_500)
    it.places.set('dc1', 'up')
    await it.talk(20_000)
    expect(it.view()).toMatchObject({ owner: { node: 'n2' }, origins: { dc1: 'healthy' } })
  })

  test('an origin that flaps faster than rise and fall moves nothing', async () => {
    const it = await twoSites()
    for (let i = 0; i < 20; i += 1) {
      it.places.set('dc1', i % 2 === 0 ? 'down' : 'up')
      await it.talk(1_000)
    }
    expect(it.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  })

  test('scenario 21: no origin answers, and the owner stays', async () => {
    const it = await twoSites()
    it.places.set('dc2', 'down')
    await it.talk(4_500)
    it.places.set('dc1', 'down')
    await it.talk(60_000)
    expect(it.view()).toMatchObject({
      owner: { node: 'n1', epoch: 1 },
      origins: { dc1: 'unhealthy', dc2: 'unhealthy' },
    })
  })

  test('a control that restarts does not go back to a site before it has looked at it', async () => {
    const before = await twoSites()
    before.places.set('dc1', 'down')
    await before.talk(4_500)
    expect(before.view().owner).toMatchObject({ node: 'n2', epoch: 2 })
    await before.cluster.stop()
    const after = await begin({
      service: sites,
      probe: before.probe,
      siteOf: { n1: 'dc1', n2: 'dc2' },
      store: before.store,
      resources: before.resources,
      time: before.time,
    })
    for (const node of ['n1', 'n2']) after.connect(node)
    await talk(after, 20_000, states)
    expect(after.view()).toMatchObject({ owner: { node: 'n2', epoch: 2 }, origins: { dc1: 'unhealthy' } })
    before.places.set('dc1', 'up')
    await talk(after, 4_500, states)
    expect(after.view().owner).toMatchObject({ node: 'n1', epoch: 3 })
  })

  test('a move ends with the first look of its clients after the bindings were seen to agree', async () => {
    const it = await twoSites({ origins: {}, probe: probeOf('web', { intervalMs: 60_000 }) })
    it.places.set('web', 'down')
    const answer = await it.cluster.switchover({ service: 'web', to: 'n2', by: 'ops', reason: null })
    if (answer === undefined || 'refusal' in answer) throw new Error('refused')
    await it.talk(5_000)
    const { id } = answer.operation
    expect(it.cluster.operation(id)?.steps.map(({ name }) => name)).toContain('settled')
    expect(it.cluster.operation(id)?.status).toBe('running')
    it.places.set('web', 'up')
    await it.pass(200)
    await it.idle()
    const ended = it.cluster.operation(id)
    expect(ended).toMatchObject({ status: 'done', report: { seenMs: expect.any(Number) } })
    expect(it.view().reachable).toBe(true)
  })
})
