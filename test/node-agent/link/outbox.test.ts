import { describe, expect, test } from 'vitest'
import { reportSchema, type ServiceReport } from '../../../control/contract.ts'
import {
  createOutbox,
  nextRetry,
  type Outbox,
  type OutboxEffect,
  type OutboxEvent,
  stepOutbox,
} from '../../../node-agent/link/outbox.ts'

const identity = { node: 'n1', site: 'dc1', incarnation: 'incarnation-1' }
const web = (state: ServiceReport['state']): Record<string, ServiceReport> => ({
  web: { state, priority: 100, healthy: true, since: '2026-11-22T09:00:00.000Z' },
})
const state = (word: ServiceReport['state'], ...answers: string[]): OutboxEvent => ({
  kind: 'state',
  services: web(word),
  answers,
})

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
    const { outbox, effects } = play([...connected, state('active', 'ask-1'), state('active')])
    expect(sent(effects).map(({ answers }) => answers)).toEqual([['ask-1'], undefined])
    const later = play(
      [{ kind: 'closed', random: 0 }, state('active', 'ask-2'), { kind: 'closed', random: 0 }, ...connected],
      outbox,
      9e9,
    )
    expect(sent(later.effects).every(({ answers }) => answers === undefined)).toBe(true)
  })

  test('results wait for the connection', () => {
    const result = { id: 'op-1', ok: false, reason: 'interface eth0 is down' }
    const { effects } = play([state('fault'), { kind: 'result', result }, ...connected])
    expect(sent(effects)[0]).toMatchObject({ results: [result] })
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
