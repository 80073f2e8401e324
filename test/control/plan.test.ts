/** The comparison of one observation with what is wanted, row by row. */
import { expect, test } from 'vitest'
import type { Observation } from '../../adapters/adapter.ts'
import { fingerprint, type Known, plan, type Recent } from '../../control/plan.ts'

const at = (node: string, token: string | null = null, epochSeen?: number): Known => ({
  kind: 'node',
  node,
  token,
  raw: {},
  ...(epochSeen === undefined ? {} : { epochSeen }),
})
const none: Known = { kind: 'none', token: null, raw: {} }
const foreign: Known = { kind: 'foreign', what: 'eni-9', token: 'a9', raw: {} }
const unknown: Observation = { kind: 'unknown', failure: { kind: 'retry', code: 'E', message: 'm' } }
const wrote = (node: string, epoch: number, before: Known): Recent => ({
  node,
  epoch,
  before: fingerprint(before),
  at: 0,
})

type Row = { name: string; observation: Observation; recent?: Recent; hasTarget?: boolean; verdict: object }

test.each<Row>([
  { name: 'it points there', observation: at('n2'), verdict: { kind: 'holds' } },
  { name: 'it points there and carries the epoch', observation: at('n2', null, 7), verdict: { kind: 'holds' } },
  {
    name: 'it points there with an older epoch',
    observation: at('n2', 'a', 6),
    verdict: { kind: 'write', token: 'a' },
  },
  { name: 'it points elsewhere', observation: at('n1', 'a1'), verdict: { kind: 'write', token: 'a1' } },
  { name: 'it points at nothing', observation: none, verdict: { kind: 'write', token: null } },
  { name: 'it points at something foreign', observation: foreign, verdict: { kind: 'write', token: 'a9' } },
  { name: 'it could not be read', observation: unknown, verdict: { kind: 'unknown', failure: { kind: 'retry' } } },
  { name: 'a higher epoch, elsewhere', observation: at('n1', null, 8), verdict: { kind: 'superseded', epochSeen: 8 } },
  { name: 'a higher epoch, even where we want it', observation: at('n2', null, 8), verdict: { kind: 'superseded' } },
  { name: 'no target', observation: at('n1'), hasTarget: false, verdict: { kind: 'no-target' } },
  {
    name: 'just written, and read as before: a lag',
    observation: at('n1', 'a1'),
    recent: wrote('n2', 7, at('n1', 'a1')),
    verdict: { kind: 'stale' },
  },
  {
    name: 'just written, and read at the old node with a new token: somebody else wrote',
    observation: at('n1', 'a3'),
    recent: wrote('n2', 7, at('n1', 'a1')),
    verdict: { kind: 'write', token: 'a3' },
  },
  {
    name: 'it points there, but an older write elsewhere may be invisible yet',
    observation: at('n2', 'a1'),
    recent: wrote('n1', 6, at('n2', 'a1')),
    verdict: { kind: 'write', token: 'a1' },
  },
])('$name', ({ observation, recent = null, hasTarget = true, verdict }) => {
  expect(plan({ wanted: { node: 'n2', epoch: 7 }, hasTarget, observation, recent })).toMatchObject(verdict)
})
