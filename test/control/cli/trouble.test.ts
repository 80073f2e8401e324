/** What is wrong with a service and what to do about it: a row for everything that can be wrong. */
import { describe, expect, test } from 'vitest'
import { needsSomebody, troublesOf } from '../../../control/cli/trouble.ts'
import type { ServiceView } from '../../../control/core/view.ts'
import { before, binding, member, nowMs, service } from '../../support/service-views.ts'

const n1 = member('n1', { state: 'active', priority: 200 })
const hold = { by: 'ops', reason: 'switch replacement', since: '2026-11-19T03:12:00.000Z' }

/** `urgent: what -> remedy`, as people read it. */
const told = (view: ServiceView): string[] =>
  troublesOf(view, nowMs).map(({ severity, what, remedy }) => `${severity}: ${what} -> ${remedy}`)

test('a service that is as it should be has no trouble', () => {
  expect(told(service())).toEqual([])
})

const rows: { name: string; view: ServiceView; says: string[] }[] = [
  {
    name: 'no node has ever reported it',
    view: service({
      owner: null,
      phase: 'unowned',
      members: [],
      bindings: [binding({ state: 'pending', node: null })],
    }),
    says: [
      'urgent: nobody owns it: no node has reported it -> give an agent the service web and this control, start it, ' +
        'and see holdfast status on its node',
    ],
  },
  {
    name: 'nobody is active',
    view: service({
      owner: null,
      phase: 'unowned',
      members: [
        member('n1', { state: 'fault', healthy: false, fault: 'check app fails' }),
        member('n2', { connected: false, lastReport: before(600) }),
        member('n3', { drained: true }),
      ],
    }),
    says: [
      'urgent: nobody owns it: n1 is fault, n2 is gone, n3 is drained -> the first of them to become active owns it; ' +
        'on its node: holdfast status',
      'warning: n1 is not healthy: check app fails -> put right on n1 what that names; it takes part again by itself',
      'warning: n2 is not connected, it was last heard 10m ago -> on n2: holdfast status, and the agent’s log; is the ' +
        'machine up, and does it reach control?',
      'note: n3 is drained -> when its maintenance is over: holdfast undrain n3',
    ],
  },
  {
    name: 'two are active',
    view: service({ dualActive: true, members: [n1, member('n2', { state: 'active' })] }),
    says: [
      'urgent: n2 is active beside the owner n1: the LAN between them is split, or healing -> check cables, switch ports ' +
        'and VLAN between n1 and n2; the outside stays at n1',
    ],
  },
  {
    name: 'active in another site, or solo, is no rival',
    view: service({
      members: [n1, member('n2', { state: 'active', site: 'aws' }), member('n3', { state: 'active', solo: true })],
    }),
    says: [],
  },
  {
    name: 'a higher epoch, which its binding need not say again',
    view: service({
      higherEpoch: 9,
      phase: 'degraded',
      bindings: [binding({ state: 'failed', lastError: 'carries the epoch 9, which this control never minted' })],
    }),
    says: [
      'urgent: epoch 9 was found, and this control has minted 7: nothing moves -> stop the other control; if there is none ' +
        '(a restored database): holdfast acknowledge web',
    ],
  },
  {
    name: 'a binding that is not permitted',
    view: service({
      phase: 'degraded',
      bindings: [
        binding({
          state: 'failed',
          lastError: 'UnauthorizedOperation: You are not authorized to perform this operation.',
        }),
      ],
    }),
    says: [
      'urgent: binding eip (aws-eip) cannot follow: UnauthorizedOperation: You are not authorized to perform this ' +
        'operation. -> give control’s credentials the right to do this; control then goes on within a minute',
    ],
  },
  {
    name: 'a binding without a target for the owner',
    view: service({
      bindings: [binding({ state: 'failed', lastError: 'has no target for n1: add one under targets' })],
    }),
    says: [
      'urgent: binding eip (aws-eip) cannot follow: has no target for n1: add one under targets -> add the target to the ' +
        'service: holdfast apply, or control’s configuration; control then goes on within a minute',
    ],
  },
  {
    name: 'a binding that is retried',
    view: service({
      bindings: [
        binding({ state: 'retrying', attempts: 4, lastError: 'RequestLimitExceeded: Request limit exceeded.' }),
      ],
    }),
    says: [
      'warning: binding eip (aws-eip) does not follow yet, 4 attempts: RequestLimitExceeded: Request limit exceeded. -> ' +
        'control tries again by itself; if it lasts: find out who else uses up the provider’s limit',
    ],
  },
  {
    name: 'a binding that somebody else has changed',
    view: service({ bindings: [binding({ state: 'drifted', observed: 'n2' })] }),
    says: [
      'warning: binding eip (aws-eip) was changed by somebody else, and points at n2 -> control puts it back to n1; find ' +
        'out who else writes it',
    ],
  },
  {
    name: 'a binding of which nobody knows',
    view: service({ bindings: [binding({ state: 'verifying', lastError: 'timeout: no answer within 5 s' })] }),
    says: [
      'note: binding eip (aws-eip) is being read back after a call of unknown outcome: timeout: no answer within 5 s -> ' +
        'nothing yet: control looks before it writes again',
    ],
  },
  {
    name: 'a backup that is gone',
    view: service({ members: [n1, member('n2', { connected: false, lastReport: before(7_200) })] }),
    says: [
      'warning: n2 is not connected, it was last heard 2h ago -> on n2: holdfast status, and the agent’s log; is the machine ' +
        'up, and does it reach control?',
    ],
  },
  {
    name: 'the owner is gone, and nobody could take over',
    view: service({ members: [member('n1', { state: 'active', connected: false, lastReport: null })] }),
    says: [
      'urgent: the owner n1 is not connected, it was never heard -> on n1: holdfast status, and the agent’s log; is the ' +
        'machine up, and does it reach control?',
    ],
  },
  {
    name: 'a node that posts its reports has no link, and is there',
    view: service({ members: [n1, member('n2', { connected: false, lastReport: before(1) })] }),
    says: [],
  },
  {
    name: 'a node that has fallen silent',
    view: service({ members: [n1, member('n2', { lastReport: before(4) })] }),
    says: [
      'warning: n2 is silent: it was last heard 4s ago -> on n2: is the agent stopped or starved, or its network cut? its ' +
        'lease ends after 5 s',
    ],
  },
  {
    name: 'an owner in fault, without a reason',
    view: service({ members: [member('n1', { state: 'fault', healthy: false })] }),
    says: [
      'urgent: the owner n1 is not healthy: its agent gives no reason -> put right on n1 what that names; it takes part ' +
        'again by itself',
    ],
  },
  {
    name: 'a probed origin of the owner’s site, and of another',
    view: service({ origins: { dc1: 'unhealthy', aws: 'unhealthy', gcp: 'healthy', edge: 'unknown' } }),
    says: [
      'urgent: the origin of site dc1 does not answer to control’s probe -> look at what serves in dc1, and at control’s way ' +
        'to it',
      'warning: the origin of site aws does not answer to control’s probe -> look at what serves in aws, and at control’s ' +
        'way to it',
    ],
  },
  {
    name: 'not reached at its own address',
    view: service({ reachable: false }),
    says: [
      'urgent: it does not answer at its own address -> look at what serves on n1, then at DNS, routes and firewalls ' +
        'before it; holdfast events --service web',
    ],
  },
  {
    name: 'suppressed',
    view: service({ phase: 'suppressed', suppressedUntil: '2026-11-22T09:01:00.000Z' }),
    says: [
      'warning: it has moved too often, and stays at n1 until 09:01:00Z -> see what flaps: holdfast events --service web; ' +
        'to move it before: holdfast switchover web',
    ],
  },
  {
    name: 'held',
    view: service({ phase: 'held', hold }),
    says: [
      'note: held by ops since 2026-11-19 03:12Z (switch replacement): whatever fails, it does not move -> when that is ' +
        'over: holdfast release web',
    ],
  },
  {
    name: 'held at an owner that is not active any more',
    view: service({
      phase: 'held',
      hold: { ...hold, reason: null },
      members: [
        member('n1', { state: 'fault', healthy: false, fault: 'eth0 is down' }),
        member('n2', { state: 'active' }),
      ],
    }),
    says: [
      'urgent: its owner n1 is fault, and the hold keeps it there -> holdfast release web',
      'urgent: the owner n1 is not healthy: eth0 is down -> put right on n1 what that names; it takes part again by itself',
      'note: held by ops since 2026-11-19 03:12Z: whatever fails, it does not move -> when that is over: holdfast release web',
    ],
  },
  {
    name: 'held without an owner',
    view: service({ phase: 'held', hold: { ...hold, reason: null }, owner: null }),
    says: [
      'urgent: nobody owns it, and the hold keeps it so -> holdfast release web',
      'note: held by ops since 2026-11-19 03:12Z: whatever fails, it does not move -> when that is over: holdfast release web',
    ],
  },
  {
    name: 'a drained backup',
    view: service({ members: [n1, member('n2', { drained: true })] }),
    says: ['note: n2 is drained -> when its maintenance is over: holdfast undrain n2'],
  },
  {
    name: 'a drained owner that nobody can replace',
    view: service({ members: [{ ...n1, drained: true }] }),
    says: [
      'warning: n1 is being emptied and owns it still: nobody can take over -> bring another node to backup, or holdfast ' +
        'undrain n1',
    ],
  },
  {
    name: 'a drained owner that is being moved',
    view: service({ members: [{ ...n1, drained: true }, member('n2')], operation: 'op-1' }),
    says: ['note: a move is under way: op-1 -> holdfast operation op-1'],
  },
]

describe('troubles and remedies, the worst first', () => {
  test.each(rows)('$name', ({ view, says }) => {
    expect(told(view)).toEqual(says)
  })
})

test.each([
  {
    error: 'AuthFailure: credentials could not be validated',
    remedy: 'give control’s credentials the right to do this',
  },
  {
    error: 'InvalidAllocationID.NotFound: eipalloc-1 does not exist',
    remedy: 'check the ids in the binding’s config and targets',
  },
  { error: 'ECONNREFUSED: connect 127.0.0.1:5000', remedy: 'check control’s way to the provider' },
  { error: 'ENOTFOUND: getaddrinfo api.example.com', remedy: 'check control’s way to the provider' },
  { error: 'Throttling: Rate exceeded', remedy: 'find out who else uses up the provider’s limit' },
  {
    error: 'InternalError: an error has occurred',
    remedy: 'ask the provider’s console or status page what this means',
  },
])('what $error means', ({ error, remedy }) => {
  const [trouble] = troublesOf(service({ bindings: [binding({ state: 'retrying', lastError: error })] }), nowMs)
  expect(trouble?.remedy).toBe(`control tries again by itself; if it lasts: ${remedy}`)
})

test('what somebody wants so, or is on its way, needs nobody', () => {
  expect(needsSomebody(troublesOf(service({ hold, operation: 'op-1' }), nowMs))).toBe(false)
  expect(needsSomebody(troublesOf(service({ suppressedUntil: before(-60) }), nowMs))).toBe(true)
})
