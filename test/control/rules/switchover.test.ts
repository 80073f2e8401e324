/** Rule 3 of the design's section 7: moving on purpose, what refuses it, and how it ends. */
import { describe, expect, test } from 'vitest'
import { leaseMs } from '../../../control/contract.ts'
import { decide } from '../../../control/decide.ts'
import { beginDecision, type ServiceEvent } from '../../../control/decision.ts'
import { kinds, policyOf, settledPair, type world } from '../decide-world.ts'

describe('rule 3: switchover', () => {
  const request = (to: string | null = null): ServiceEvent => ({
    kind: 'switchover',
    id: 'op-1',
    to,
    reason: 'test',
    by: 'ops',
  })

  test('the target is told to outrank everybody, and every step has its time', () => {
    const it = settledPair()
    it.hear(request())
    expect(it.effects().at(-1)).toEqual({
      kind: 'command',
      node: 'n2',
      command: { kind: 'take-over', id: 'op-1', service: 'web', priority: 201 },
    })
    it.advance(40)
    expect(kinds(it.report('n2', 'active', { priority: 201 }))).toContain('own n2 2 switchover')
    it.advance(5)
    it.report('n1', 'backup')
    it.advance(60)
    expect(it.hear({ kind: 'settled', epoch: 2 })).toBeDefined()
    const operation = it.operation()!
    expect(operation).toMatchObject({ status: 'done', failure: null, from: 'n1', to: 'n2', by: 'ops' })
    const start = Date.parse(operation.steps[0]!.at)
    expect(operation.steps.map(({ name, at }) => [name, Date.parse(at) - start])).toEqual([
      ['requested', 0],
      ['told', 0],
      ['target active', 40],
      ['owner moved', 40],
      ['old owner not active', 45],
      ['settled', 105],
    ])
  })

  test('the owner is not asked, and the relieved one is no rival, while the LAN hands over', () => {
    const it = settledPair()
    it.hear(request('n2'))
    const seen = [...it.report('n2', 'active', { priority: 201 }), ...it.report('n1', 'active'), ...it.pass(500)]
    expect(kinds(seen).filter((kind) => kind.startsWith('ask'))).toEqual([])
  })

  test.each<{ name: string; code: string; to: string | null; before(it: ReturnType<typeof world>): void }>([
    { name: 'a node that never reported', code: 'unknown-node', to: 'n9', before: () => undefined },
    { name: 'the owner itself', code: 'already-owner', to: 'n1', before: () => undefined },
    {
      name: 'a disconnected node',
      code: 'not-ready',
      to: 'n2',
      before: (it) => void it.hear({ kind: 'disconnected', node: 'n2' }),
    },
    { name: 'a silent node', code: 'not-ready', to: 'n2', before: (it) => it.advance(leaseMs + 1) },
    { name: 'a node in fault', code: 'not-ready', to: 'n2', before: (it) => void it.report('n2', 'fault') },
    {
      name: 'an unhealthy node',
      code: 'not-ready',
      to: 'n2',
      before: (it) => void it.report('n2', 'backup', { healthy: false }),
    },
    { name: 'whoever can, when nobody can', code: 'nobody', to: null, before: (it) => void it.report('n2', 'fault') },
    {
      name: 'a node that would have to outrank 254',
      code: 'outranked',
      to: 'n2',
      before: (it) => void it.report('n1', 'active', { priority: 254 }),
    },
    { name: 'another node meanwhile', code: 'in-progress', to: null, before: (it) => void it.hear(request()) },
  ])('refuses to move to $name', ({ code, to, before }) => {
    const it = settledPair()
    before(it)
    const state = it.state()
    expect(kinds(it.hear(request(to)))).toEqual([`refused ${code}`])
    expect(it.state()).toBe(state)
  })

  test('without a target the best base priority is chosen, then the first name', () => {
    const it = settledPair()
    it.report('n3', 'backup', { base: 100 })
    it.hear(request())
    expect(it.operation()!.to).toBe('n2')
  })

  test('a target that refuses ends it: the owner stays, and the target forgets the raise', () => {
    const it = settledPair()
    it.hear(request())
    it.report('n2', 'backup', { results: [{ id: 'op-1', ok: false, reason: 'check app failed' }] })
    expect(kinds(it.effects())).toEqual(['operation', 'operation', 'switchover-failed', 'lower n2'])
    expect(it.operation()).toMatchObject({ status: 'failed', failure: 'n2 refused: check app failed' })
    expect(it.owner()).toBe('n1')
  })

  test('a target that never gets there ends it after 10 s, having been told again meanwhile', () => {
    const it = settledPair()
    it.hear(request())
    const seen: string[] = []
    for (let second = 0; second < 9; second++) {
      seen.push(...kinds(it.pass(1_000)), ...kinds(it.report('n2', 'backup')))
      it.report('n1', 'active')
    }
    expect(seen).toEqual(Array(9).fill('take-over n2'))
    expect(kinds(it.pass(1_000))).toEqual(['operation', 'operation', 'switchover-failed', 'lower n2'])
    expect(it.operation()?.failure).toBe('n2 did not become active within 10 s')
  })

  test('a third node that takes over instead ends it', () => {
    const it = settledPair()
    it.report('n3', 'backup')
    it.hear(request('n2'))
    it.report('n1', 'fault')
    it.report('n3', 'active')
    expect(it.operation()?.failure).toBe('n3 became the owner instead')
    expect(kinds(it.effects())).toContain('lower n2')
  })

  test('the raise stays while it is needed, and ends when the node outranks everybody by itself', () => {
    const it = settledPair()
    it.hear(request('n2'))
    it.report('n2', 'active', { priority: 201 })
    it.report('n1', 'backup')
    it.hear({ kind: 'settled', epoch: 2 })
    expect(kinds(it.report('n2', 'active', { priority: 201 }))).toEqual([])
    expect(kinds(it.report('n1', 'backup', { priority: 90 }))).toEqual(['lower n2'])
    expect(kinds(it.report('n2', 'active', { priority: 201 }))).toEqual([])
    it.advance(5_000)
    expect(kinds(it.report('n2', 'active', { priority: 201 }))).toEqual(['lower n2'])
  })

  test('a switchover under way survives a restart of control', () => {
    const it = settledPair()
    it.hear(request('n2'))
    const operation = it.operation()!
    const now = { ms: 99_000, wall: new Date(99_000).toISOString() }
    const owner = it.state().owner
    const again = beginDecision({
      owner,
      epoch: 1,
      operation,
      members: Object.values(it.state().members),
      run: 'run2',
      now,
    })
    const event = {
      kind: 'report',
      node: 'n2',
      site: 'dc1',
      incarnation: 'n2-first-start',
      sequence: 90,
      via: 'link',
    } as const
    const said = { state: 'backup', priority: 100, basePriority: 100, healthy: true, since: now.wall } as const
    const step = decide(policyOf(), again, { ...event, report: said, answers: [], results: [] }, now)
    expect(kinds(step.effects)).toEqual(['take-over n2'])
  })
})
