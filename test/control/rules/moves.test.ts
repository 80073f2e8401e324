/** What a move leaves behind: steps with times, the failover report, the reasons, and what nodes are told. */
import { describe, expect, test } from 'vitest'
import { settledPair, world } from '../decide-world.ts'

const operationsOf = (effects: ReturnType<ReturnType<typeof world>['effects']>) =>
  effects.flatMap((effect) => (effect.kind === 'operation' ? [effect.operation] : []))

describe('the failover report', () => {
  test('counts from the first sign, and detection from the last good word', () => {
    const it = settledPair()
    it.advance(400)
    it.report('n2', 'active')
    it.pass(150)
    expect(it.owner()).toBe('n2')
    it.advance(20)
    it.hear({ kind: 'accepted', binding: 'eip', epoch: 2 })
    it.advance(30)
    it.hear({ kind: 'visible', binding: 'eip', epoch: 2 })
    const [done] = operationsOf(it.hear({ kind: 'settled', epoch: 2 })).toReversed()
    expect(done).toMatchObject({
      kind: 'failover',
      from: 'n1',
      to: 'n2',
      epoch: 2,
      by: null,
      reason: 'no-answer',
      status: 'done',
      report: {
        detectMs: 400,
        decideMs: 150,
        acceptedMs: 170,
        visibleMs: 200,
        seenMs: null,
        bindings: [{ name: 'eip', acceptedMs: 170, visibleMs: 200 }],
      },
    })
    expect(done?.steps.map(({ name, afterMs }) => `${name} ${afterMs}`)).toEqual([
      'detected 0',
      'owner moved 150',
      'accepted eip 170',
      'visible eip 200',
      'settled 200',
    ])
  })

  test('the event of a move that has ended carries it', () => {
    const it = settledPair()
    it.report('n1', 'backup')
    it.report('n2', 'active')
    it.hear({ kind: 'visible', binding: 'eip', epoch: 2 })
    const events = it
      .hear({ kind: 'settled', epoch: 2 })
      .flatMap((effect) => (effect.kind === 'event' ? [effect.event] : []))
    expect(events).toMatchObject([
      { kind: 'failover-done', node: 'n2', epoch: 2, detail: { report: { visibleMs: 0 } } },
    ])
  })

  test('scenario 23: with a probe through the address, done is when clients reach it, told apart from what the API says', () => {
    const it = settledPair({ policy: { probed: true } })
    it.report('n1', 'backup')
    it.report('n2', 'active')
    it.hear({ kind: 'visible', binding: 'eip', epoch: 2 })
    expect(it.hear({ kind: 'settled', epoch: 2 }).some(({ kind }) => kind === 'event')).toBe(false)
    it.advance(700)
    const [done] = operationsOf(it.hear({ kind: 'seen', reachable: true })).toReversed()
    expect(done).toMatchObject({ status: 'done', report: { visibleMs: 0, seenMs: 700 } })
  })

  test('a move that another overtakes has failed, and says who came', () => {
    const it = settledPair()
    it.report('n1', 'backup')
    it.report('n2', 'active')
    it.report('n2', 'backup')
    const ended = operationsOf(it.report('n1', 'active'))
    expect(ended.filter(({ status }) => status === 'failed')).toMatchObject([
      { to: 'n2', failure: 'n1 became the owner before the bindings had settled' },
    ])
    expect(it.operation()).toMatchObject({ kind: 'failover', to: 'n1', from: 'n2', status: 'running' })
  })

  test('the first owner ever is no failover', () => {
    const it = world(null)
    expect(operationsOf(it.report('n1', 'active'))).toEqual([])
  })
})

test('the reasons are data: what was decided, from which reports, and what else could have been', () => {
  const it = settledPair()
  it.advance(300)
  it.report('n1', 'backup')
  const effects = it.report('n2', 'active')
  const changed = effects.find((effect) => effect.kind === 'event' && effect.event.kind === 'owner-changed')
  expect(changed).toMatchObject({
    event: {
      detail: {
        reason: 'owner-not-active',
        from: 'n1',
        fromState: 'backup',
        alternative: expect.stringContaining('would have stayed'),
        reports: [
          { node: 'n1', state: 'backup', priority: 200, fresh: true, link: 'open', heardMsAgo: 0 },
          { node: 'n2', state: 'active', priority: 100, fresh: true, link: 'open', heardMsAgo: 0 },
        ],
      },
    },
  })
})

describe('nodes that remember epochs are told who owns', () => {
  const told = (effects: ReturnType<ReturnType<typeof world>['effects']>) =>
    effects.flatMap((effect) =>
      effect.kind === 'command' && effect.command.kind === 'owner'
        ? [
            `${effect.node}: ${effect.command.node} at ${effect.command.epoch}${effect.command.contested ? ', contested' : ''}`,
          ]
        : [],
    )

  test('all of them, when the owner changes', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active', { epochSeen: 1 })
    it.report('n2', 'backup', { epochSeen: 1 })
    it.report('n1', 'backup', { epochSeen: 1 })
    expect(told(it.report('n2', 'active', { epochSeen: 1 }))).toEqual(['n1: n2 at 2', 'n2: n2 at 2'])
  })

  test('one that has missed it, with its next report, and not more often than it can have heard', () => {
    const it = settledPair()
    expect(told(it.report('n2', 'backup', { epochSeen: 0 }))).toEqual(['n2: n1 at 1'])
    it.advance(1_000)
    expect(told(it.report('n2', 'backup', { epochSeen: 0 }))).toEqual([])
    it.advance(1_000)
    expect(told(it.report('n2', 'backup', { epochSeen: 0 }))).toEqual(['n2: n1 at 1'])
    expect(told(it.report('n2', 'backup', { epochSeen: 1 }))).toEqual([])
  })

  test('scenario 1: the loser of a split hears that it is one', () => {
    const it = world({ node: 'n1', epoch: 1 })
    it.report('n1', 'active', { epochSeen: 1 })
    it.report('n2', 'active', { epochSeen: 1 })
    expect(told(it.report('n1', 'active', { epochSeen: 1, answers: [it.asked()!] }))).toEqual([
      'n2: n1 at 1, contested',
    ])
  })

  describe('the loser of a split that keeps out', () => {
    const split = () => {
      const it = world({ node: 'n1', epoch: 1 })
      it.report('n1', 'active', { epochSeen: 1 })
      it.report('n2', 'active', { epochSeen: 1 })
      it.report('n1', 'active', { epochSeen: 1, answers: [it.asked()!] })
      it.report('n2', 'backup', { epochSeen: 1 })
      return it
    }

    test('is let in again at once when the owner is not well', () => {
      expect(told(split().report('n1', 'fault', { healthy: false, epochSeen: 1 }))).toEqual(['n2: n1 at 1'])
      expect(told(split().hear({ kind: 'disconnected', node: 'n1' }))).toEqual(['n2: n1 at 1'])
    })

    test('and after a while, since only by trying it can be known whether the LAN has healed', () => {
      const it = split()
      const seen: string[] = []
      for (let second = 0; second < 61; second++) {
        seen.push(...told(it.pass(1_000)), ...told(it.report('n1', 'active', { epochSeen: 1 })))
      }
      expect(seen).toEqual(['n2: n1 at 1'])
    })
  })
})
