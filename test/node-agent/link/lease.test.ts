/** When the lease on control is over, and what a service then does: by tables. */
import { describe, expect, test } from 'vitest'
import { holderLeaseMs, leaseMs } from '../../../control/contract.ts'
import {
  type Lease,
  leaseAt,
  leaveAt,
  type OnLost,
  type PeerWord,
  type Serving,
  type Situation,
  spareMs,
  type Verdict,
  whenLost,
  wordGoodMs,
} from '../../../node-agent/link/lease.ts'

describe('the lease', () => {
  test('of the holder ends before that of control', () => expect(holderLeaseMs).toBeLessThan(leaseMs))

  test.each<{ name: string; confirmedAt: number | null; now: number; lease: Lease; until: number | null }>([
    { name: 'never heard', confirmedAt: null, now: 9e9, lease: 'none', until: null },
    { name: 'just confirmed', confirmedAt: 1_000, now: 1_000, lease: 'held', until: 3_000 },
    { name: 'a moment before half', confirmedAt: 1_000, now: 2_999, lease: 'held', until: 3_000 },
    { name: 'half', confirmedAt: 1_000, now: 3_000, lease: 'overdue', until: 5_000 },
    { name: 'a moment before its end', confirmedAt: 1_000, now: 4_999, lease: 'overdue', until: 5_000 },
    { name: 'its end', confirmedAt: 1_000, now: 5_000, lease: 'over', until: null },
    { name: 'slept through it', confirmedAt: 1_000, now: 1e9, lease: 'over', until: null },
  ])('$name: $lease', ({ confirmedAt, now, lease, until }) => {
    expect(leaseAt(confirmedAt, now)).toEqual({ lease, until })
  })
})

describe('when a service begins to leave', () => {
  test('at the end of its lease, and earlier when it takes longer than half of what lies between that and control\u2019s', () => {
    expect(leaveAt(1_000, 0)).toBe(1_000 + holderLeaseMs)
    expect(leaveAt(1_000, spareMs)).toBe(1_000 + holderLeaseMs)
    expect(leaveAt(1_000, spareMs + 1)).toBe(1_000 + holderLeaseMs - 1)
  })

  // What a router is given when its lease ends is tested with `leaveMsOf`: 1,100 ms at most.
  test.each([0, 35, 125, 525, 1_025, 1_100])('after leaving for %d ms there is time to spare', (leaveMs) => {
    expect(leaveAt(0, leaveMs) + leaveMs).toBeLessThanOrEqual(leaseMs - spareMs)
    // Two pings that are lost, and a third that is late, are borne all the same.
    expect(leaveAt(0, leaveMs)).toBeGreaterThan(3_000)
  })
})

describe('what a service does', () => {
  const now = 100_000
  const word = (says: PeerWord['says'], changes: Partial<PeerWord> = {}): PeerWord => ({
    askedAt: now - 500,
    says,
    whileActive: true,
    ...changes,
  })
  type Row = Partial<Situation> & { name: string; before?: Verdict; verdict: Verdict; until?: number | null }
  const was = (verdict: Verdict): Serving => ({ verdict, until: verdict === 'keep' ? null : now - 7 })

  for (const policy of ['release', 'failsafe'] as const satisfies OnLost[]) {
    test.each([
      { name: 'there was never one', leaveAt: null, until: null },
      { name: 'it is not over', leaveAt: now + 1, until: now + 1 },
    ])(`${policy}: it keeps its lease while $name`, ({ leaveAt: end, until }) => {
      const situation = { policy, leaveAt: end, active: true, peers: [undefined], now }
      expect(whenLost(was('keep'), situation)).toEqual({ verdict: 'keep', until })
      expect(whenLost(was('yield'), situation)).toEqual({ verdict: 'keep', until })
    })
  }

  test('failsafe: before its lease is over, peers that allow it lengthen what it may serve, and nobody shortens it', () => {
    const situation: Situation = { policy: 'failsafe', leaveAt: now + 500, active: true, peers: [word('free')], now }
    expect(whenLost(was('keep'), situation).until).toBe(now - 500 + wordGoodMs)
    expect(whenLost(was('keep'), { ...situation, peers: [word('free'), word('active')] }).until).toBe(now + 500)
  })

  test.each<Row>([
    { name: 'hold', policy: 'hold', verdict: 'keep', until: null },
    { name: 'release', policy: 'release', verdict: 'yield', until: now },
    { name: 'release, as backup: it stays out too', policy: 'release', active: false, verdict: 'yield' },
    { name: 'the only peer is free', peers: [word('free')], verdict: 'keep', until: now - 500 + wordGoodMs },
    { name: 'all peers are free', peers: [word('free'), word('free')], verdict: 'keep' },
    { name: 'one of them never answered', peers: [word('free'), undefined], verdict: 'yield' },
    { name: 'one of them does not run it', peers: [word('free'), word('absent')], verdict: 'yield' },
    { name: 'a word that is just good', peers: [word('free', { askedAt: now - wordGoodMs })], verdict: 'keep' },
    { name: 'a word that is too old', peers: [word('free', { askedAt: now - wordGoodMs - 1 })], verdict: 'yield' },
    { name: 'both are active', peers: [word('active')], verdict: 'yield' },
    { name: 'the peer is active and we are backup', active: false, peers: [word('active')], verdict: 'keep' },
    { name: 'we took over since', peers: [word('active', { whileActive: false })], verdict: 'keep' },
    {
      name: 'all answer again after it gave up',
      before: 'yield',
      peers: [word('free')],
      verdict: 'yield',
      until: now - 7,
    },
  ])('$name: $verdict', ({ name: _, before = 'keep', verdict, until, ...changes }) => {
    const situation: Situation = { policy: 'failsafe', leaveAt: now, active: true, peers: [], now, ...changes }
    const serving = whenLost(was(before), situation)
    expect(serving.verdict).toBe(verdict)
    if (until !== undefined) expect(serving.until).toBe(until)
  })
})
