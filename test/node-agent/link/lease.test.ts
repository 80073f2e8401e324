/** When the lease on control is over, and what a service then does: by tables. */
import { describe, expect, test } from 'vitest'
import { holderLeaseMs, leaseMs } from '../../../control/contract.ts'
import {
  type Lease,
  leaseAt,
  type OnLost,
  type PeerWord,
  type Situation,
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

describe('what a service does', () => {
  const now = 100_000
  const word = (says: PeerWord['says'], changes: Partial<PeerWord> = {}): PeerWord => ({
    askedAt: now - 500,
    says,
    whileActive: true,
    ...changes,
  })
  type Row = Partial<Situation> & { name: string; before?: Verdict; verdict: Verdict }

  for (const policy of ['release', 'failsafe'] as const satisfies OnLost[]) {
    test.each(['none', 'held', 'overdue'] as const)(`${policy}: it keeps while the lease is %s`, (lease) => {
      const situation = { policy, lease, active: true, peers: [undefined], now }
      expect(whenLost('keep', situation)).toBe('keep')
      expect(whenLost('yield', situation)).toBe('keep')
    })
  }

  test.each<Row>([
    { name: 'hold', policy: 'hold', verdict: 'keep' },
    { name: 'release', policy: 'release', verdict: 'yield' },
    { name: 'release, as backup: it stays out too', policy: 'release', active: false, verdict: 'yield' },
    { name: 'the only peer is free', peers: [word('free')], verdict: 'keep' },
    { name: 'all peers are free', peers: [word('free'), word('free')], verdict: 'keep' },
    { name: 'one of them never answered', peers: [word('free'), undefined], verdict: 'yield' },
    { name: 'one of them does not run it', peers: [word('free'), word('absent')], verdict: 'yield' },
    { name: 'a word that is just good', peers: [word('free', { askedAt: now - wordGoodMs })], verdict: 'keep' },
    { name: 'a word that is too old', peers: [word('free', { askedAt: now - wordGoodMs - 1 })], verdict: 'yield' },
    { name: 'both are active', peers: [word('active')], verdict: 'yield' },
    { name: 'the peer is active and we are backup', active: false, peers: [word('active')], verdict: 'keep' },
    { name: 'we took over since', peers: [word('active', { whileActive: false })], verdict: 'keep' },
    { name: 'all answer again after it gave up', before: 'yield', peers: [word('free')], verdict: 'yield' },
  ])('$name: $verdict', ({ name: _, before = 'keep', verdict, ...changes }) => {
    const situation: Situation = { policy: 'failsafe', lease: 'over', active: true, peers: [], now, ...changes }
    expect(whenLost(before, situation)).toBe(verdict)
  })
})
