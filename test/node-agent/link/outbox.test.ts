import { describe, expect, test } from 'vitest'
import { reportSchema, type ServiceReport } from '../../../control/contract.ts'
import {
  createOutbox,
  freshForMs,
  nextRetry,
  type Outbox,
  type OutboxEffect,
  type OutboxEvent,
  stepOutbox,
  unansweredSince,
} from '../../../node-agent/link/outbox.ts'

const identity = { node: 'n1', site: 'dc1', incarnation: 'incarnation-1' }
const web = (state: ServiceReport['state']): Record<string, ServiceReport> => ({
  web: { state, priority: 100, healthy: true, since: '2026-11-22T09:00:00.000Z' },
})
const state = (word: ServiceReport['state'], ...answers: string[]): OutboxEvent => ({
  kind: 'state',
  services: web(word),
  answers,
  pulse: false,
})
const pulse = (word: ServiceReport['state']): OutboxEvent => ({ ...state(word), pulse: true }) as OutboxEvent

function play(
  events: readonly OutboxEvent[],
  from: Outbox = createOutbox(identity),
  now = 0,
): { outbox: Outbox; effects: OutboxEffect[] } {
  const effects: OutboxEffect[] = []
  const outbox = events.reduce((before, event) => {
    const stepped = stepOutbox(before, event, now)
    effects.push(...stepped.effects)
    return stepped.outbox
  }, from)
  return { outbox, effects }
}

const connected: OutboxEvent[] = [{ kind: 'tick' }, { kind: 'opened' }]
const sent = (effects: readonly OutboxEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'send' ? [effect.report] : []))

describe('reports', () => {
  test('only the newest state waits for the connection', () => {
    const { effects } = play([state('backup'), state('active'), ...connected])
    expect(sent(effects)).toEqual([{ ...identity, sequence: 1, services: web('active') }])
  })

  test('each has a higher sequence, and fits the contract', () => {
    const { effects } = play([...connected, state('backup'), state('active', 'ask-1')])
    expect(sent(effects).map(({ sequence }) => sequence)).toEqual([1, 2])
    for (const report of sent(effects)) expect(() => reportSchema.parse(report)).not.toThrow()
  })

  test('an answer is given once, and not on another connection than it was asked on', () => {
    const { outbox, effects } = play([...connected, state('active', 'ask-1'), state('backup')])
    expect(sent(effects).map(({ answers }) => answers)).toEqual([['ask-1'], undefined])
    const later = play(
      [{ kind: 'closed', random: 0 }, state('active', 'ask-2'), { kind: 'closed', random: 0 }, ...connected],
      outbox,
      9e9,
    )
    expect(sent(later.effects).every(({ answers }) => answers === undefined)).toBe(true)
  })

  test('what has grown old is not said, by whatever occasion; it waits for the next state, and so do results', () => {
    const result = { id: 'op-1', ok: true }
    const { outbox } = play([state('active')])
    const old = play([...connected, { kind: 'result', result }], outbox, freshForMs + 1)
    expect(sent(old.effects)).toEqual([])
    expect(sent(play([state('backup')], old.outbox, freshForMs + 2).effects)).toEqual([
      { ...identity, sequence: 1, services: web('backup'), results: [result] },
    ])
    expect(sent(play(connected, outbox, freshForMs).effects)).toHaveLength(1)
  })

  test('results wait for the connection', () => {
    const result = { id: 'op-1', ok: false, reason: 'interface eth0 is down' }
    const { effects } = play([state('fault'), { kind: 'result', result }, ...connected])
    expect(sent(effects)[0]).toMatchObject({ results: [result] })
  })
})

describe('heartbeats', () => {
  const kindsOf = (effects: readonly OutboxEffect[]): string[] => effects.map(({ kind }) => kind)
  const steady = play([...connected, pulse('active')]).outbox

  test('the first says all, the next ones that nothing has changed', () => {
    const { effects } = play([...connected, pulse('active'), pulse('active'), pulse('active')])
    expect(kindsOf(effects)).toEqual(['connect', 'send', 'ping', 'ping', 'ping'])
  })

  test.each([
    { name: 'a change is reported, and the ping follows it', events: [pulse('backup')], effects: ['send', 'ping'] },
    { name: 'a change does not wait for the next heartbeat', events: [state('backup')], effects: ['send'] },
    { name: 'what has not changed is not said between them', events: [state('active')], effects: [] },
    { name: 'an ask is answered although nothing has changed', events: [state('active', 'ask-1')], effects: ['send'] },
    {
      name: 'a result is sent although nothing has changed',
      events: [{ kind: 'result', result: { id: 'op-1', ok: true } }] as const,
      effects: ['send'],
    },
  ])('$name', ({ events, effects }) => expect(kindsOf(play(events, steady).effects)).toEqual(effects))

  test('all is said again every thirty seconds', () => {
    expect(kindsOf(play([pulse('active')], steady, 29_999).effects)).toEqual(['ping'])
    expect(kindsOf(play([pulse('active')], steady, 30_000).effects)).toEqual(['send', 'ping'])
  })

  test('another connection knows nothing of what was said on the one before', () => {
    const again: OutboxEvent[] = [{ kind: 'closed', random: 0 }, { kind: 'hurry' }, { kind: 'opened' }]
    expect(kindsOf(play([...again, pulse('active')], steady, 9e9).effects)).toEqual(['connect', 'send', 'ping'])
  })

  test('without a connection nothing is sent, and before anything is known no ping either', () => {
    expect(play([pulse('active'), pulse('active')]).effects).toEqual([])
    const empty: OutboxEvent = { kind: 'state', services: {}, answers: [], pulse: true }
    expect(kindsOf(play([...connected, empty]).effects)).toEqual(['connect'])
  })

  test('a pong confirms the oldest ping that has none, by when that was sent', () => {
    let { outbox } = play([pulse('active')], steady, 1_000)
    outbox = play([pulse('active')], outbox, 2_000).outbox
    expect(outbox.confirmedAt).toBeNull()
    expect(unansweredSince(outbox)).toBe(0)
    outbox = play([{ kind: 'pong' }, { kind: 'pong' }], outbox, 2_900).outbox
    expect(outbox.confirmedAt).toBe(1_000)
    expect(unansweredSince(outbox)).toBe(2_000)
    expect(play([{ kind: 'pong' }, { kind: 'pong' }], outbox, 3_000).outbox.confirmedAt).toBe(2_000)
  })

  test('what was confirmed outlives its connection, an unanswered ping does not', () => {
    let { outbox } = play([{ kind: 'pong' }, pulse('active')], steady, 1_000)
    outbox = play([{ kind: 'closed', random: 0 }, { kind: 'pong' }], outbox, 1_500).outbox
    expect(outbox.confirmedAt).toBe(0)
    expect(unansweredSince(outbox)).toBeUndefined()
    expect(play([...connected, { kind: 'pong' }], outbox, 9e9).outbox.confirmedAt).toBe(0)
  })
})

describe('the connection', () => {
  test('is opened at once, and again after a pause that doubles up to five seconds', () => {
    let { outbox, effects } = play([{ kind: 'tick' }])
    expect(effects).toEqual([{ kind: 'connect' }])
    const pauses: number[] = []
    for (let i = 0; i < 8; i += 1) {
      outbox = play([{ kind: 'closed', random: 1 }], outbox, 1_000).outbox
      pauses.push(nextRetry(outbox)! - 1_000)
      expect(play([{ kind: 'tick' }], outbox, nextRetry(outbox)! - 1).effects).toEqual([])
      outbox = play([{ kind: 'tick' }], outbox, nextRetry(outbox)!).outbox
    }
    expect(pauses).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
    const recovered = play([{ kind: 'opened' }, { kind: 'closed', random: 0 }], outbox, 0).outbox
    expect(nextRetry(recovered)).toBe(100)
  })

  test('that may be back is not waited for', () => {
    const waiting = play([{ kind: 'tick' }, { kind: 'closed', random: 1 }]).outbox
    expect(play([{ kind: 'hurry' }], waiting).effects).toEqual([{ kind: 'connect' }])
    expect(play([{ kind: 'hurry' }, { kind: 'hurry' }], waiting).effects).toHaveLength(1)
  })
})
