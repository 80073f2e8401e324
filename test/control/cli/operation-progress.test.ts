/** What is said of moves while they are under way. */
import { expect, test } from 'vitest'
import { interrupted, refuseFailed, stepLines, waitingFor } from '../../../control/cli/operation-progress.ts'
import type { Operation } from '../../../control/operation.ts'

function operation(steps: readonly string[], more: Partial<Operation> = {}): Operation {
  return {
    id: 'op-1',
    kind: 'switchover',
    service: 'web',
    from: 'n1',
    to: 'n2',
    epoch: null,
    priority: 201,
    reason: null,
    by: 'ops',
    status: 'running',
    steps: steps.map((name, i) => ({ name, at: '2026-11-22T09:00:00.000Z', afterMs: i * 100.4 })),
    failure: null,
    report: null,
    ...more,
  }
}

test('steps have the time since the first one, and are told once', () => {
  const move = operation(['requested', 'told', 'target active'])
  expect(stepLines(move, 0)).toEqual(['     0 ms  requested', '   100 ms  told', '   201 ms  target active'])
  expect(stepLines(move, 2)).toEqual(['   201 ms  target active'])
})

test.each([
  { steps: ['requested'], awaits: 'the target to be told' },
  { steps: ['requested', 'told'], awaits: 'the target to become active' },
  { steps: ['detected'], awaits: 'the owner to change' },
  { steps: ['requested', 'told', 'target active', 'owner moved', 'accepted eip'], awaits: 'the bindings to follow' },
  { steps: ['owner moved', 'settled'], awaits: 'the probe through its own address' },
])('after $steps it waits for $awaits', ({ steps, awaits }) => {
  expect(waitingFor([operation(steps)], 1_234)).toBe(`   … 1.2 s  web waits for ${awaits} (Ctrl-C leaves it running)`)
})

test('several moves', () => {
  const moves = [operation(['told']), operation(['told'], { service: 'db', id: 'op-2', to: 'n3' })]
  expect(waitingFor(moves, 60_000)).toBe('   … 60.0 s  2 still move: web, db (Ctrl-C leaves them running)')
  expect(interrupted([...moves, operation([], { status: 'done' })])).toBe(
    'web goes on moving to n2; how it goes: holdfast operation op-1\n' +
      'db goes on moving to n3; how it goes: holdfast operation op-2',
  )
})

test('moves that failed are named together', () => {
  const failed = [
    operation([], { status: 'failed', failure: 'n2 refused: its check app fails' }),
    operation([], { service: 'db', status: 'done' }),
    operation([], { service: 'api', status: 'failed' }),
  ]
  expect(() => refuseFailed(failed)).toThrow(
    'web did not move: n2 refused: its check app fails; api did not move: no reason given',
  )
  expect(() => refuseFailed([operation([], { status: 'done' })])).not.toThrow()
})
