/** Rule 4: which site owns. n1 and n2 share the LAN of dc1; n3 is a lone node in aws, n4 and n5 share the LAN of dc2. */
import { describe, expect, test } from 'vitest'
import { leaseMs } from '../../../control/contract.ts'
import { kinds, world } from '../decide-world.ts'

const preferDc1 = { policy: { sites: ['dc1', 'aws'] } }
const aws = { site: 'aws', solo: true } as const
const dc2 = { site: 'dc2' } as const

/** n1 owns and is active, n2 is its backup, n3 is active in aws all the time. */
function hybrid(options: Parameters<typeof world>[1] = preferDc1) {
  const it = world({ node: 'n1', epoch: 1 }, options)
  it.report('n1', 'active')
  it.report('n2', 'backup')
  it.report('n3', 'active', aws)
  return it
}

/** Says again for a while what was said, as nodes do. */
function hearFor(it: ReturnType<typeof world>, ms: number, reports: () => void): string[] {
  const seen: string[] = []
  for (let passed = 0; passed < ms; passed += 500) {
    seen.push(...kinds(it.pass(500)))
    reports()
    seen.push(...kinds(it.effects()))
  }
  return seen
}

describe('a lone node beside a LAN', () => {
  test('is no rival: nobody is asked, nothing is split', () => {
    const it = hybrid()
    expect(kinds(it.report('n3', 'active', aws))).toEqual([])
    expect(it.pass(3_000)).toEqual([])
    expect(it.owner()).toBe('n1')
  })

  test('the LAN moves within its site, whoever is active elsewhere', () => {
    const it = hybrid()
    it.report('n1', 'backup')
    expect(kinds(it.report('n2', 'active'))).toContain('own n2 2 owner-not-active')
  })

  test('the other site waits a lease for the LAN to elect another', () => {
    const it = hybrid()
    it.hear({ kind: 'disconnected', node: 'n1' })
    const seen = hearFor(it, leaseMs - 500, () => {
      it.report('n2', 'backup')
      it.report('n3', 'active', aws)
    })
    expect(seen).toEqual([])
    expect(it.owner()).toBe('n1')
    it.report('n2', 'active')
    expect(it.owner()).toBe('n2')
  })

  test('it takes over when the LAN elects nobody within a lease', () => {
    const it = hybrid()
    it.hear({ kind: 'disconnected', node: 'n1' })
    const seen = hearFor(it, leaseMs + 500, () => {
      it.report('n2', 'backup')
      it.report('n3', 'active', aws)
    })
    expect(seen).toContain('own n3 2 owner-disconnected')
  })

  test('at once when the owner says that it is ill, and nobody else is left on its LAN', () => {
    const it = world({ node: 'n1', epoch: 1 }, preferDc1)
    it.report('n1', 'active')
    it.report('n3', 'active', aws)
    expect(kinds(it.report('n1', 'fault', { healthy: false }))).toContain('own n3 2 owner-not-active')
  })

  test('the connections of a whole site flicker: nothing moves', () => {
    const it = hybrid()
    it.hear({ kind: 'disconnected', node: 'n1' })
    it.hear({ kind: 'disconnected', node: 'n2' })
    it.pass(2_000)
    it.report('n3', 'active', aws)
    it.hear({ kind: 'connected', node: 'n1' })
    it.report('n1', 'active')
    it.pass(10_000)
    expect(it.epoch()).toBe(1)
  })

  test('the site is gone: the other one owns after the lease', () => {
    const it = hybrid()
    it.hear({ kind: 'disconnected', node: 'n1' })
    it.hear({ kind: 'disconnected', node: 'n2' })
    hearFor(it, leaseMs + 1_000, () => it.report('n3', 'active', aws))
    expect(it.owner()).toBe('n3')
  })
})

describe('preference and failback', () => {
  const inAws = (policy: object) => {
    const it = world({ node: 'n3', epoch: 5, site: 'aws' }, { policy: { sites: ['dc1', 'aws'], ...policy } })
    it.report('n3', 'active', aws)
    return it
  }

  test('automatic: the preferred site has it back as soon as it is well', () => {
    const it = inAws({})
    it.report('n1', 'backup')
    expect(it.owner()).toBe('n3')
    expect(kinds(it.report('n1', 'active'))).toContain('own n1 6 preferred-site')
  })

  test('delayed: only after it was well for that long without a break', () => {
    const it = inAws({ failback: { kind: 'delayed', delayMs: 10_000 } })
    hearFor(it, 8_000, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    it.report('n1', 'fault', { healthy: false })
    const seen = hearFor(it, 9_500, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    expect(seen).toEqual([])
    const later = hearFor(it, 1_500, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    expect(later).toContain('own n1 6 preferred-site')
  })

  test('manual: only an operator moves it back', () => {
    const it = inAws({ failback: { kind: 'manual' } })
    hearFor(it, 60_000, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    expect(it.owner()).toBe('n3')
    it.hear({ kind: 'switchover', id: 'op-1', to: 'n1', by: 'ops', reason: null })
    expect(it.owner()).toBe('n1')
  })

  test('without an order all sites are equal: it stays where it is', () => {
    const it = inAws({ sites: [] })
    hearFor(it, 20_000, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    expect(it.owner()).toBe('n3')
  })

  test('a switchover to a less preferred site is not undone by failback', () => {
    const it = hybrid()
    it.hear({ kind: 'switchover', id: 'op-1', to: 'n3', by: 'ops', reason: 'a test of the cloud' })
    expect(it.owner()).toBe('n3')
    expect(it.state().memory.pinnedSite).toBe('aws')
    hearFor(it, 30_000, () => {
      it.report('n1', 'active')
      it.report('n3', 'active', aws)
    })
    expect(it.owner()).toBe('n3')
  })

  test('but such a choice ends with the site that was chosen', () => {
    const it = hybrid()
    it.hear({ kind: 'switchover', id: 'op-1', to: 'n3', by: 'ops', reason: null })
    it.report('n3', 'fault', { ...aws, healthy: false })
    expect(it.owner()).toBe('n1')
    expect(it.state().memory.pinnedSite).toBeNull()
    it.report('n3', 'active', aws)
    expect(it.owner()).toBe('n1')
  })

  test('two LANs: the switchover goes to the node that is active there, and needs no raise', () => {
    const it = world({ node: 'n1', epoch: 1 }, { policy: { sites: ['dc1', 'dc2'] } })
    it.report('n1', 'active')
    it.report('n4', 'active', { ...dc2, priority: 100, base: 100 })
    it.report('n5', 'backup', { ...dc2, priority: 50, base: 50 })
    const seen = kinds(it.hear({ kind: 'switchover', id: 'op-1', to: null, by: 'ops', reason: null }))
    expect(seen).toContain('own n4 2 switchover')
    expect(seen.some((word) => word.startsWith('take-over'))).toBe(false)
  })

  test('a backup of another LAN is raised above that LAN only', () => {
    const it = world({ node: 'n1', epoch: 1 }, { policy: { sites: ['dc1', 'dc2'] } })
    it.report('n1', 'active')
    it.report('n4', 'active', { ...dc2, priority: 100, base: 100 })
    it.report('n5', 'backup', { ...dc2, priority: 50, base: 50 })
    it.hear({ kind: 'switchover', id: 'op-1', to: 'n5', by: 'ops', reason: null })
    expect(it.operation()?.priority).toBe(101)
    expect(it.owner()).toBe('n1')
    it.report('n5', 'active', { ...dc2, priority: 101, base: 50 })
    expect(it.owner()).toBe('n5')
    expect(it.operation()?.status).toBe('running')
  })
})

describe('the first owner', () => {
  test('a less preferred site that is heard first waits for the others', () => {
    const it = world(null, { ...preferDc1, listening: false })
    it.report('n3', 'active', aws)
    expect(it.owner()).toBeNull()
    expect(kinds(it.report('n1', 'active'))).toContain('own n1 1 first')
  })

  test('but not for ever', () => {
    const it = world(null, { ...preferDc1, listening: false })
    hearFor(it, leaseMs + 500, () => it.report('n3', 'active', aws))
    expect(it.owner()).toBe('n3')
  })
})

describe('the probes of a site’s origin', () => {
  test('a site that does not answer is left at once, although its node says that it is well', () => {
    const it = hybrid()
    expect(kinds(it.hear({ kind: 'origin', site: 'dc1', healthy: false }))).toContain('own n3 2 origin-down')
  })

  test('and gets the service back when it answers again', () => {
    const it = hybrid()
    it.hear({ kind: 'origin', site: 'dc1', healthy: false })
    expect(kinds(it.hear({ kind: 'origin', site: 'dc1', healthy: true }))).toContain('own n1 3 preferred-site')
  })

  test('scenario 21: no site answers; the last owner stays', () => {
    const it = hybrid()
    it.hear({ kind: 'origin', site: 'aws', healthy: false })
    it.hear({ kind: 'origin', site: 'dc1', healthy: false })
    it.pass(60_000)
    expect(it.owner()).toBe('n1')
  })

  test('a switchover to a site that does not answer is refused, and says why', () => {
    const it = hybrid()
    it.hear({ kind: 'origin', site: 'aws', healthy: false })
    const effects = it.hear({ kind: 'switchover', id: 'op-1', to: 'n3', by: 'ops', reason: null })
    expect(effects).toEqual([
      { kind: 'refused', why: { code: 'not-ready', detail: 'the site aws of n3 does not answer to probes' } },
    ])
  })
})

test('a node of a LAN that is drained does not keep the other site waiting', () => {
  const it = world({ node: 'n1', epoch: 1 }, { ...preferDc1, drained: ['n2'] })
  it.report('n1', 'active')
  it.report('n2', 'backup', { yielding: true })
  it.report('n3', 'active', aws)
  expect(kinds(it.report('n1', 'fault', { healthy: false }))).toContain('own n3 2 owner-not-active')
})
