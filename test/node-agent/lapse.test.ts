/** Leases in the VRRP process: with the real engine where it matters what leaves the machine. */
import { describe, expect, test } from 'vitest'
import { leaseMs } from '../../control/contract.ts'
import { createLeases, leaveMsOf } from '../../node-agent/lapse.ts'
import { leaveAt, spareMs } from '../../node-agent/link/lease.ts'
import { createEngine, type Input } from '../../node-agent/vrrp/engine.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import { type Centiseconds, type Instant, type Microseconds, milliseconds } from '../../node-agent/vrrp/time.ts'
import { virtualRouter } from '../support/routers.ts'

const routerOf = (changes: Partial<VirtualRouter> = {}): VirtualRouter =>
  virtualRouter({
    priority: 200,
    advertisementInterval: 10 as Centiseconds,
    announce: { repeat: 1, again: 0 as Microseconds, refresh: 0 as Microseconds },
    ...changes,
  })
const plain = { priority: 200, yielding: false, fault: null }
const yielding = { ...plain, yielding: true }
const standing = (changes: object): Input => ({
  ...{ kind: 'standing', id: null, service: 'web', standing: plain },
  ...changes,
})

describe('leases', () => {
  const begin = (leases: Readonly<Record<string, number | null>> = { web: 1_000 }) => {
    const made = createLeases({ routers: [routerOf()], standings: {}, leases })
    return { ...made, started: made.standings(0) }
  }

  test('one that is not over changes nothing; over, its service yields, and is said to do so once', () => {
    const it = begin()
    expect(it.started).toEqual({ web: plain })
    expect(it.lapsed(999)).toEqual([])
    expect(it.nextEnd()).toBe(1_000)
    expect(it.lapsed(1_000)).toEqual([standing({ standing: yielding })])
    expect(it.lapsed(1_001)).toEqual([])
    expect(it.nextEnd()).toBeUndefined()
  })

  test('what is said of the service meanwhile does not make it take part; a lease that is renewed does', () => {
    const it = begin()
    it.lapsed(1_000)
    const said = { kind: 'standing', id: 'c-1', service: 'web', standing: { ...plain, priority: 80 } } as const
    expect(it.hear(said, 1_100)).toEqual([{ ...said, standing: { ...yielding, priority: 80 } }])
    expect(it.hear({ kind: 'lease', service: 'web', until: 1_100 }, 1_100)).toEqual([])
    const renewed = it.hear({ kind: 'lease', service: 'web', until: 5_000 }, 1_100)
    expect(renewed).toEqual([standing({ standing: { ...plain, priority: 80 } })])
    expect(it.nextEnd()).toBe(5_000)
  })

  test('a service without one goes on for ever, and one that is not here is nobody\u2019s', () => {
    const it = begin({})
    expect(it.lapsed(9e15)).toEqual([])
    expect(it.hear({ kind: 'lease', service: 'db', until: 1 }, 2)).toEqual([])
  })

  test('a process that starts after the end of one yields from the start', () => {
    const it = createLeases({ routers: [routerOf()], standings: {}, leases: { web: 1_000 } })
    expect(it.standings(1_000)).toEqual({ web: yielding })
    expect(it.lapsed(1_001)).toEqual([])
  })

  test('one that was slept past leaves no time to wait for a successor', () => {
    expect(begin().lapsed(1_000 + spareMs / 2)).toEqual([standing({ standing: yielding })])
    expect(begin().lapsed(1_000 + spareMs / 2 + 1)).toEqual([standing({ standing: yielding, atOnce: true })])
  })
})

/** An active router whose lease ends `leaveAt`; until when it has its addresses, and what it sends after `wakesAt`. */
function live(router: VirtualRouter, wakesAt?: number) {
  const leases = createLeases({ routers: [router], standings: {}, leases: { web: leaveAt(0, leaveMsOf(router)) } })
  const engine = createEngine({ routers: [router] })
  const status = { up: true, addresses: [{ address: Uint8Array.of(10, 77, 0, 1), prefixLength: 24 }] }
  // Long before, so that it is active when control is lost at 0.
  engine.handle({ kind: 'interface', interface: 'eth0', status }, milliseconds(-1e6) as number as Instant)
  let [now, holds] = [-1e6, false]
  let goneAt: number | undefined
  const sent: { at: number; priority: number }[] = []
  while (now < 20_000) {
    const at = (now * 1_000) as Instant
    for (const input of leases.lapsed(now)) engine.handle(input, at)
    engine.tick(at)
    for (const output of engine.takeOutputs()) {
      if (output.kind === 'send-advertisement') sent.push({ at: now, priority: output.priority })
      if (output.kind === 'install-addresses') holds = true
      if (output.kind === 'remove-addresses' && holds) [holds, goneAt] = [false, now]
    }
    const next = Math.min((engine.nextDeadline() ?? 9e15) / 1_000, leases.nextEnd() ?? 9e15)
    now = wakesAt !== undefined && next > 0 && next < wakesAt ? wakesAt : next
  }
  return { holds, goneAt, sent }
}

describe('the holder\u2019s end comes before the grantor\u2019s', () => {
  const intervals = [1, 10, 40, 50, 99, 100, 107, 108, 200, 300, 4_095]
  for (const resign of ['handover', 'now'] as const) {
    test.each(intervals)(`resign: ${resign}, an advertisement each %d hundredths of a second`, (interval) => {
      const { holds, goneAt } = live(routerOf({ resign, advertisementInterval: interval as Centiseconds }))
      expect(holds).toBe(false)
      expect(goneAt).toBeLessThanOrEqual(leaseMs - spareMs)
      expect(goneAt).toBeGreaterThan(3_000)
    })
  }

  test.each(intervals)(
    'asleep past it, with %d: nothing but a farewell is sent, and the addresses go at once',
    (interval) => {
      const wakesAt = leaseMs + 1_000
      const { goneAt, sent } = live(routerOf({ advertisementInterval: interval as Centiseconds }), wakesAt)
      expect(goneAt).toBe(wakesAt)
      expect(sent.filter(({ at, priority }) => at >= wakesAt && priority > 0)).toEqual([])
    },
  )
})
