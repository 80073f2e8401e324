/** The state machine, requirement by requirement (F- numbers of the conformance list; sections of RFC 9568). */
import { describe, expect, test } from 'vitest'
import { nextAnnouncement } from '../../../node-agent/vrrp/announce.ts'
import type { Active, State } from '../../../node-agent/vrrp/router.ts'
import { activeDownInterval, nextDeadline, skewTime, step } from '../../../node-agent/vrrp/step.ts'
import type { Centiseconds } from '../../../node-agent/vrrp/time.ts'
import { advertisement, at, play, router } from '../../support/routers.ts'

const startup = { kind: 'startup' } as const
const tick = { kind: 'tick' } as const
const shutdown = { kind: 'shutdown' } as const

const ours = router()
const backup = play(ours, [[0, startup]]).state
const active = play(ours, [
  [0, startup],
  [3_610, tick],
]).state as Active

describe('timers (§6.1)', () => {
  test.each([
    { priority: 1, skewMs: 996, downMs: 3996 },
    { priority: 90, skewMs: 648, downMs: 3648 },
    { priority: 100, skewMs: 609, downMs: 3609 },
    { priority: 200, skewMs: 219, downMs: 3219 },
    { priority: 254, skewMs: 8, downMs: 3008 },
  ])('P-30, P-31: priority $priority: skew $skewMs ms, active down $downMs ms', ({ priority, skewMs, downMs }) => {
    const second = 100 as Centiseconds
    expect(skewTime(router({ priority }), second) / 1_000).toBeCloseTo(skewMs, 0)
    expect(activeDownInterval(router({ priority }), second) / 1_000).toBeCloseTo(downMs, 0)
  })

  test('P-33: fractions survive at 10 ms: 30 + 2.1875 ms for priority 200', () => {
    expect(activeDownInterval(router({ priority: 200 }), 1 as Centiseconds)).toBe(32_187.5)
  })
})

describe('initialize (§6.4.1)', () => {
  test('F-01: the address owner is active at once, advertisement before announcement', () => {
    const { state, effects } = play(router({ priority: 255 }), [[0, startup]])
    expect(state.kind).toBe('active')
    expect(effects).toEqual(['send 255', 'install-addresses', 'announce-addresses'])
  })

  test('F-02: any other waits a whole active down interval, and sends nothing', () => {
    expect(play(ours, [[0, startup]])).toMatchObject({ state: { kind: 'backup' }, effects: [] })
    expect(nextDeadline(ours, backup)).toBe(at(3_609.375))
  })

  test('F-03: packets and timers are ignored', () => {
    expect(play(ours, [[0, advertisement()]])).toMatchObject({ state: { kind: 'initialize' }, effects: [] })
    expect(play(ours, [[0, tick]])).toMatchObject({ state: { kind: 'initialize' }, effects: [] })
  })
})

describe('backup (§6.4.2)', () => {
  test('F-10: shutdown sends nothing', () => {
    expect(play(ours, [[1, shutdown]], backup)).toMatchObject({ state: { kind: 'initialize' }, effects: [] })
  })

  test('F-11: the silence of the active router makes us active', () => {
    expect(play(ours, [[3_609.374, tick]], backup).state.kind).toBe('backup')
    const { state, effects } = play(ours, [[3_610, tick]], backup)
    expect(effects).toEqual(['send 100', 'install-addresses', 'announce-addresses'])
    expect(state).toMatchObject({ kind: 'active', adverAt: at(4_610) })
  })

  test('F-12: priority 0 shortens the wait to the skew of the learned interval, not of the one in the packet', () => {
    const { state } = play(ours, [[1_000, advertisement({ priority: 0, interval: 4_095 })]], backup)
    expect(state).toMatchObject({ kind: 'backup', activeDownAt: at(1_609.375) })
  })

  test.each([
    { name: 'higher', priority: 150 },
    { name: 'F-15: equal, whatever the address', priority: 100 },
  ])('F-13: an advertisement of $name priority starts the wait anew and teaches its interval', ({ priority }) => {
    const { state } = play(ours, [[1_000, advertisement({ priority, interval: 300 })]], backup)
    expect(state).toMatchObject({
      kind: 'backup',
      activeAdverInterval: 300,
      activeDownAt: at(1_000 + 9_000 + 1_828.125),
    })
  })

  test('F-14: a lower one is discarded: the wait goes on and nothing is learned', () => {
    expect(play(ours, [[1_000, advertisement({ priority: 99, interval: 4_095 })]], backup).state).toEqual(backup)
  })

  test('F-13: without preemption a lower one is followed', () => {
    const { state } = play(router({ preemptMode: false }), [[1_000, advertisement({ priority: 1 })]], backup)
    expect(state).toMatchObject({ activeDownAt: at(1_000 + 3_609.375) })
  })

  test('F-16: the active router that comes back after priority 0 is followed again', () => {
    const { state } = play(
      ours,
      [
        [0, advertisement({ priority: 0 })],
        [300, advertisement()],
      ],
      backup,
    )
    expect(state).toMatchObject({ activeDownAt: at(300 + 3_609.375) })
  })

  test('F-36: a preempt delay holds back from a lower active, and then no longer', () => {
    const patient = router({ preemptDelay: 30_000_000 as never })
    const started = play(patient, [[0, startup]]).state
    const followed = play(patient, [[29_000, advertisement({ priority: 50 })]], started).state
    expect(followed).toMatchObject({ activeDownAt: at(29_000 + 3_609.375) })
    expect(play(patient, [[31_000, advertisement({ priority: 50 })]], followed).state).toEqual(followed)
  })

  test('a preempt delay begins anew when we are outranked', () => {
    const patient = router({ preemptDelay: 30_000_000 as never })
    const outranked = play(patient, [[3_700, advertisement({ priority: 101 })]], active).state
    expect(outranked).toMatchObject({ kind: 'backup', preemptAt: at(33_700) })
  })

  test('a take-over outranks the active router at once', () => {
    const { state, effects } = play(ours, [[10, { kind: 'take-over', priority: 201 }]], backup)
    expect(effects).toEqual(['send 201', 'install-addresses', 'announce-addresses'])
    expect(state).toMatchObject({ kind: 'active', raisedTo: 201 })
  })
})

describe('active (§6.4.3)', () => {
  const lastSent = 3_610

  test('F-21: advertises on a period that lateness does not stretch', () => {
    const { state, effects } = play(ours, [[lastSent + 1_003, tick]], { ...active, announced: 99 })
    expect(effects).toEqual(['send 100'])
    expect(state).toMatchObject({ adverAt: at(lastSent + 2_000) })
  })

  test('F-22: priority 0 is answered at once, and the period starts anew', () => {
    const { state, effects } = play(ours, [[lastSent + 400, advertisement({ priority: 0 })]], active)
    expect(effects).toEqual(['send 100'])
    expect(state).toMatchObject({ kind: 'active', adverAt: at(lastSent + 1_400) })
  })

  test.each([
    { name: 'higher priority', heard: advertisement({ priority: 101 }) },
    { name: 'equal priority, greater address', heard: advertisement({ priority: 100, source: '203.0.113.9' }) },
  ])('F-23: $name ends our time: nothing is sent, the addresses go within 50 ms', ({ heard }) => {
    const { state, effects } = play(ours, [[lastSent + 100, heard]], active)
    expect(effects).toEqual([])
    expect(state).toMatchObject({ kind: 'backup', activeDownAt: at(lastSent + 100 + 3_609.375) })
    const deadline = nextDeadline(ours, state)!
    expect(deadline).toBeLessThan(at(lastSent + 150))
    const gone = step(ours, state, tick, deadline)
    expect(gone.effects).toEqual([{ kind: 'remove-addresses' }])
    expect(nextDeadline(ours, gone.state)).toBe(at(lastSent + 100 + 3_609.375))
  })

  test.each([
    { name: 'lower priority', heard: advertisement({ priority: 99 }) },
    { name: 'equal priority, smaller address', heard: advertisement({ priority: 100, source: '192.0.2.1' }) },
  ])('F-24, D5: $name is answered, and the period stays', ({ heard }) => {
    const { state, effects } = play(ours, [[lastSent + 100, heard]], active)
    expect(effects).toEqual(['send 100', 'announce-addresses'])
    expect(state).toMatchObject({ kind: 'active', adverAt: active.adverAt })
  })

  test('F-32: losing advertisements are answered at most every 10 ms', () => {
    const answered = play(ours, [[lastSent + 100, advertisement({ priority: 1 })]], active).state
    expect(play(ours, [[lastSent + 109, advertisement({ priority: 1 })]], answered).effects).toEqual([])
    expect(play(ours, [[lastSent + 110, advertisement({ priority: 1 })]], answered).effects).not.toEqual([])
  })

  test('F-27: a fault removes the addresses at once', () => {
    expect(play(ours, [[lastSent + 1, { kind: 'fault' }]], active)).toMatchObject({
      state: { kind: 'initialize' },
      effects: ['remove-addresses'],
    })
  })

  test('F-35: silent for three intervals, it steps down before it sends anything', () => {
    for (const event of [tick, advertisement({ priority: 1 })]) {
      const { effects, reason, state } = play(ours, [[lastSent + 3_000, event]], active)
      expect({ effects, reason }).toEqual({ effects: ['remove-addresses'], reason: 'overslept' })
      expect(state.kind).toBe('backup')
    }
    expect(play(ours, [[lastSent + 2_990, tick]], active).state.kind).toBe('active')
  })

  test('F-35: asked to leave after a freeze, it leaves without a word', () => {
    expect(play(ours, [[lastSent + 9_000, shutdown]], active)).toMatchObject({
      state: { kind: 'initialize' },
      effects: ['remove-addresses'],
    })
  })

  test('an address that somebody removed is put back and announced', () => {
    expect(play(ours, [[lastSent + 1, { kind: 'address-lost' }]], active).effects).toEqual([
      'install-addresses',
      'announce-addresses',
    ])
  })

  test('a raised priority is lowered on demand, and forgotten when outranked', () => {
    const raised: State = { ...active, raisedTo: 201 }
    expect(play(ours, [[lastSent + 10, { kind: 'lower' }]], raised).effects).toEqual(['send 100'])
    expect(play(ours, [[lastSent + 10, advertisement({ priority: 200 })]], raised).state.kind).toBe('active')
    expect(play(ours, [[lastSent + 10, advertisement({ priority: 202 })]], raised).state).not.toHaveProperty('raisedTo')
  })

  test('D8: announcements: a burst with doubling gaps, a second one, then a refresh', () => {
    const times: number[] = []
    for (let announced = 1; announced < 13; announced += 1) {
      times.push(
        nextAnnouncement(ours.announce, { ...active, announced, announcedFrom: at(0) })! / 1_000 - at(0) / 1_000,
      )
    }
    expect(times).toEqual([10, 30, 70, 150, 5_000, 5_010, 5_030, 5_070, 5_150, 65_000, 125_000, 185_000])
    const once = { repeat: 1, again: 0, refresh: 0 } as never
    expect(nextAnnouncement(once, { ...active, announced: 1 })).toBeUndefined()
  })
})

describe('leaving politely (§6.4.3 Shutdown, and what it leaves open)', () => {
  const leaving = play(ours, [[3_700, shutdown]], active)

  test('F-20: priority 0, and still answering', () => {
    expect(leaving.effects).toEqual(['send 0'])
    expect(leaving.state).toMatchObject({ kind: 'resigning', successorHeard: false })
  })

  test('the addresses go within 50 ms after the successor was heard', () => {
    const heard = step(ours, leaving.state, advertisement({ priority: 90 }), at(4_300))
    expect(heard.effects).toEqual([])
    const deadline = nextDeadline(ours, heard.state)!
    expect(deadline).toBeLessThan(at(4_350))
    expect(step(ours, heard.state, tick, deadline)).toMatchObject({
      state: { kind: 'initialize' },
      effects: [{ kind: 'remove-addresses' }],
    })
  })

  test('without a successor they go after the longest skew', () => {
    const deadline = nextDeadline(ours, leaving.state)!
    expect(deadline).toBeGreaterThan(at(3_700 + 996))
    expect(deadline).toBeLessThan(at(3_700 + 1_100))
    expect(step(ours, leaving.state, tick, deadline)).toMatchObject({ state: { kind: 'initialize' } })
  })

  test('another one that leaves too is no successor', () => {
    expect(step(ours, leaving.state, advertisement({ priority: 0 }), at(3_800)).state).toEqual(leaving.state)
  })

  test('F-20: resign: now is the letter of the RFC', () => {
    const strict = router({ resign: 'now' })
    expect(play(strict, [[3_700, shutdown]], active)).toMatchObject({
      state: { kind: 'initialize' },
      effects: ['send 0', 'remove-addresses'],
    })
  })

  test('a process that crashed while active hands over, and takes part again as backup', () => {
    const restarted = play(ours, [[0, { kind: 'startup', holding: true }]])
    expect(restarted.effects).toEqual(['send 0'])
    const over = play(
      ours,
      [
        [100, advertisement({ priority: 90 })],
        [130, tick],
      ],
      restarted.state,
    )
    expect(over).toMatchObject({ state: { kind: 'backup' }, effects: ['remove-addresses'] })
  })
})

describe('told to yield', () => {
  const yielder = router({ yielding: true })

  test('active: it says priority 0 and goes on answering until the successor is heard, then it is backup', () => {
    const leaving = play(yielder, [[3_700, { kind: 'yield' }]], active)
    expect(leaving).toMatchObject({ state: { kind: 'resigning' }, effects: ['send 0'], reason: 'yield' })
    const heard = play(yielder, [[3_900, advertisement({ priority: 90 })]], leaving.state)
    expect(heard.effects).toEqual([])
    expect(play(yielder, [[3_930, tick]], heard.state)).toMatchObject({
      state: { kind: 'backup' },
      effects: ['remove-addresses'],
    })
  })

  test('active, and nobody succeeds: it is backup after the longest skew', () => {
    const leaving = play(yielder, [[3_700, { kind: 'yield' }]], active).state
    const deadline = nextDeadline(yielder, leaving)!
    expect(deadline).toBeGreaterThan(at(3_700 + 996))
    expect(deadline).toBeLessThan(at(3_700 + 1_100))
    expect(step(yielder, leaving, tick, deadline).state.kind).toBe('backup')
  })

  test.each([
    { name: 'silence', events: [] },
    { name: 'a farewell', events: [[3_000, advertisement({ priority: 0 })]] as const },
    { name: 'a lower priority', events: [[3_000, advertisement({ priority: 1 })]] as const },
  ])('backup: $name does not make it active, however long', ({ events }) => {
    let { state } = play(yielder, events, backup)
    for (let round = 0; round < 10; round += 1) {
      const deadline = nextDeadline(yielder, state)!
      const stepped = step(yielder, state, tick, deadline)
      expect(stepped.effects).toEqual([])
      expect(nextDeadline(yielder, stepped.state)).toBeGreaterThan(deadline)
      state = stepped.state
    }
    expect(state.kind).toBe('backup')
  })

  test('twice is once', () => {
    const once = play(yielder, [[3_700, { kind: 'yield' }]], active).state
    expect(play(yielder, [[3_800, { kind: 'yield' }]], once)).toMatchObject({ state: once, effects: [] })
    expect(play(yielder, [[100, { kind: 'yield' }]], backup)).toMatchObject({ state: backup, effects: [] })
  })

  test('and no longer: it waits a whole active down interval, as after a start', () => {
    const { state } = play(ours, [[20_000, { kind: 'yield' }]], backup)
    expect(state).toMatchObject({ kind: 'backup', activeDownAt: at(20_000 + 3_609.375) })
  })

  test('leaving for good while it yields ends in initialize', () => {
    const events = [
      [3_700, { kind: 'yield' }],
      [3_800, shutdown],
      [5_000, tick],
    ] as const
    expect(play(yielder, events, active).state.kind).toBe('initialize')
  })
})

describe('a priority that changes', () => {
  test('F-28: is advertised at once while active', () => {
    const lowered = router({ priority: 80 })
    expect(play(lowered, [[3_700, { kind: 'priority', was: 100 }]], active).effects).toEqual(['send 80'])
  })

  test('moves what a take-over has raised by as much, within 1..254', () => {
    const event = { kind: 'priority', was: 100 } as const
    const raised: State = { ...active, raisedTo: 201 }
    expect(play(router({ priority: 80 }), [[3_700, event]], raised).effects).toEqual(['send 181'])
    expect(play(router({ priority: 250 }), [[3_700, event]], raised).effects).toEqual(['send 254'])
  })

  test('of a backup moves the end of its wait by the difference of the skews', () => {
    const event = { kind: 'priority', was: 100 } as const
    const { state, effects } = play(router({ priority: 200 }), [[1_000, event]], backup)
    expect(effects).toEqual([])
    expect(state).toMatchObject({ activeDownAt: at(3_218.75) })
  })
})
