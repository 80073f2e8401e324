/** A program that falls asleep between two events and is woken by the next: nothing it waited for begins anew. */
import { expect, test } from 'vitest'
import { type ProbeConfig, type ServiceConfig, serviceDefaults } from '../../../control/config/service-config.ts'
import type { Kept, Probe } from '../../../control/core/ports.ts'
import { begin, talk } from '../scenario-world.ts'
import { createClock } from '../world.ts'

type World = Awaited<ReturnType<typeof begin>>

const probeOf = (site: string, intervalMs: number): ProbeConfig => ({
  target: { kind: 'http', url: `http://${site}.test/` },
  intervalMs,
  timeoutMs: 300,
  rise: 2,
  fall: 3,
})
const originOf = (site: string, intervalMs = 1_000) => ({ url: null, probe: probeOf(site, intervalMs) })
const sites = { sites: ['dc1', 'dc2'], origins: { dc1: originOf('dc1'), dc2: originOf('dc2') } }
const both = { n1: 'active', n2: 'active' } as const

/** What is kept, copied as a storage would; and how often it was written. */
function createKept(): Kept & { readonly writes: () => number } {
  const values = new Map<string, unknown>()
  let writes = 0
  return {
    get: <T>(key: string) => structuredClone(values.get(key)) as T | undefined,
    put: (key, value) => {
      writes += 1
      values.set(key, structuredClone(value))
    },
    delete: (key) => void values.delete(key),
    writes: () => writes,
  }
}

/** n1 owns in dc1, n2 is active in dc2; both have links that stay open while control sleeps. */
async function sleeper(service: Partial<ServiceConfig>) {
  const time = createClock()
  const kept = createKept()
  const down = new Set<string>()
  const asked: number[] = []
  const probe: Probe = async (target) => {
    asked.push(time.clock.now())
    return target.kind === 'http' && down.has(new URL(target.url).hostname.split('.')[0]!) ? 'it is down' : null
  }
  const ports = {
    kept,
    sleeps: true,
    openLinks: () => ['n1', 'n2'],
    aliveAt: () => time.clock.now(),
    random: () => 0.5,
  }
  const setting = { service, probe, siteOf: { n1: 'dc1', n2: 'dc2' }, time, ports }
  const wake = async (from: Partial<Pick<World, 'store' | 'resources'>> = {}): Promise<World> =>
    begin({ ...setting, ...from })
  let present = await wake()
  const sleep = async (): Promise<World> => {
    await present.cluster.stop()
    present = await wake(present)
    return present
  }
  for (const node of ['n1', 'n2'] as const) present.connect(node)
  await talk(present, 8_000, both)
  expect(present.view().owner).toMatchObject({ node: 'n1' })
  return { time, kept, down, asked, sleep, present: () => present }
}

test('what probes have found is known at once when it wakes: a site whose origin is down is not moved to', async () => {
  const it = await sleeper(sites)
  it.down.add('dc2')
  await talk(it.present(), 4_500, both)
  expect(it.present().view().origins).toEqual({ dc1: 'healthy', dc2: 'unhealthy' })
  const woken = await it.sleep()
  expect(woken.view().origins).toEqual({ dc1: 'healthy', dc2: 'unhealthy' })
  await woken.say('n1', 'backup')
  await woken.say('n2', 'active')
  expect(woken.view().owner).toMatchObject({ node: 'n1', epoch: 1 })
  expect(woken.events().filter((kind) => kind === 'origin-down')).toHaveLength(1)
})

test('probes that are further apart than its sleep come when they are due, and a row of them goes on', async () => {
  const it = await sleeper({ ...sites, origins: { dc1: originOf('dc1', 60_000) } })
  await talk(it.present(), 40_000, both)
  expect(it.present().view().origins).toEqual({ dc1: 'healthy' })
  it.down.add('dc1')
  it.asked.length = 0
  for (let i = 0; i < 20; i += 1) await talk(await it.sleep(), 9_000, both)
  expect(it.asked).toHaveLength(3)
  for (const [i, at] of it.asked.entries()) {
    // A turn of the test's own clock later at most.
    expect(at - it.asked[0]! - i * 60_000).toBeGreaterThanOrEqual(0)
    expect(at - it.asked[0]! - i * 60_000).toBeLessThanOrEqual(1_000)
  }
  expect(it.present().view()).toMatchObject({ origins: { dc1: 'unhealthy' }, owner: { node: 'n2' } })
})

test('what was found before it was gone for long is not believed', async () => {
  const it = await sleeper(sites)
  await it.present().cluster.stop()
  it.time.freeze(120_000)
  const woken = await it.sleep()
  expect(woken.view().origins).toEqual({ dc1: 'unknown', dc2: 'unknown' })
})

test('a delay before it returns to a preferred site passes while it sleeps', async () => {
  const it = await sleeper({ ...sites, failback: { kind: 'delayed', delayMs: 60_000 } })
  it.down.add('dc1')
  await talk(it.present(), 6_000, both)
  expect(it.present().view().owner).toMatchObject({ node: 'n2', epoch: 2 })
  it.down.clear()
  await talk(it.present(), 3_000, both)
  for (let slept = 0; slept < 45_000; slept += 15_000) await talk(await it.sleep(), 15_000, both)
  expect(it.present().view().owner).toMatchObject({ node: 'n2', epoch: 2 })
  await talk(await it.sleep(), 15_000, both)
  expect(it.present().view().owner).toMatchObject({ node: 'n1', epoch: 3 })
})

test('a suppression ends when it was said, however often it wakes', async () => {
  const flap = { ...serviceDefaults.flap, moves: 1, perMs: 600_000, holdDownMs: 60_000 }
  const it = await sleeper({ flap, sites: ['dc1', 'dc2'] })
  const until = async (state: 'backup' | 'active', ms: number): Promise<void> =>
    talk(it.present(), ms, { n1: state, n2: 'active' })
  await until('backup', 7_000)
  await until('active', 2_000)
  expect(it.present().view()).toMatchObject({ phase: 'suppressed', owner: { node: 'n2', epoch: 2 } })
  const { suppressedUntil } = it.present().view()
  for (let slept = 0; slept < 45_000; slept += 15_000) {
    await it.sleep()
    expect(it.present().view().suppressedUntil).toBe(suppressedUntil)
    await until('active', 15_000)
  }
  await it.sleep()
  await until('active', 16_000)
  expect(it.present().view().suppressedUntil).toBeNull()
  expect(it.present().events()).toContain('suppression-ended')
})

test('a service that is idle is nothing to write down, and one that is no more is forgotten', async () => {
  const it = await sleeper({ ...sites, origins: {} })
  // Until its preflight is behind it.
  await talk(it.present(), 25_000, both)
  const before = it.kept.writes()
  for (let i = 0; i < 5; i += 1) await talk(await it.sleep(), 15_000, both)
  expect(it.kept.writes()).toBe(before)
  expect(it.kept.get('waits web')).toBeDefined()
  await it.present().cluster.forget({ service: 'web', by: 'ops', reason: null })
  expect(it.kept.get('waits web')).toBeUndefined()
})
