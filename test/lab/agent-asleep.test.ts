/** Agents that were asleep, whole or in part: what they send when they wake, and what control hears of a process that hangs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { holderLeaseMs, leaseMs } from '../../control/contract.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import { expectAtRest, labFor, startWeb, statusOf, until, vip, vrrpPid } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { startLabControl } from '../support/lab-control.ts'
import { describeWith } from '../support/peers.ts'
import { startTap } from '../support/tap.ts'

const timedLab = repeatedWhenHeldUp(lab)

/** One node alone, so that nobody else’s advertisements make it step back. */
async function world(service: object) {
  const made = await labFor()
  const control = await startLabControl(made)
  const n1 = await startWeb(made, 'n1', { onLost: 'release', ...service }, { control: control.config })
  await control.untilReported('n1', 'web', { state: 'active' })
  await until(async () => (await statusOf(n1)).control!.lease === 'held', 'a lease on control')
  return { made, control, n1 }
}

/** When control heard it last, by the test's clock; and then control answers no more. */
async function afterAPing(control: Awaited<ReturnType<typeof startLabControl>>): Promise<number> {
  const before = control.heard('n1').length
  await until(() => control.heard('n1').length > before, 'a heartbeat')
  control.freeze()
  return nowMs()
}

describeWith(timedLab, 'the holder\u2019s lease', () => {
  test.each([
    { name: 'the most common interval', service: { interval: '1s' } },
    { name: 'an interval that is longer than the lease leaves', service: { interval: '3s' } },
    { name: 'addresses that are removed at once', service: { interval: '1s', resign: 'now' } },
  ])('ends, addresses and all, before control\u2019s: $name', async ({ service }) => {
    const { made, control } = await world(service)
    const heardAt = await afterAPing(control)
    await made.untilHeldBy(vip, [])
    expect(nowMs() - heardAt).toBeLessThan(leaseMs)
    // It is borne that control does not answer for a while.
    expect(nowMs() - heardAt).toBeGreaterThan(holderLeaseMs - 2_000)
  })

  test('needs no supervisor that is awake', async () => {
    const { made, control, n1 } = await world({})
    const heardAt = await afterAPing(control)
    n1.program.signal('SIGSTOP')
    await made.untilHeldBy(vip, [])
    expect(nowMs() - heardAt).toBeLessThan(leaseMs)
    n1.program.signal('SIGCONT')
    control.thaw()
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
  })
})

describeWith(timedLab, 'a machine that slept through its lease', () => {
  // Short: its wait for another active router is over long before its supervisor looks at the clock. Long: it may miss
  // as much of its own advertisements without stepping back.
  test.each(['10ms', '3s'])('advertises nothing when it wakes, and holds nothing: interval %s', async (interval) => {
    const { made, control, n1 } = await world({ interval })
    const tap = await startTap(made)
    await afterAPing(control)
    n1.freeze()
    await sleep(leaseMs + 500)
    expect(await made.holdersOf(vip)).toEqual(['n1'])
    const wokenAt = nowMs()
    n1.thaw()
    await made.untilHeldBy(vip, [])
    expect(nowMs() - wokenAt).toBeLessThan(500)
    await sleep(1_000)
    expect(await made.holdersOf(vip)).toEqual([])
    const sent = tap.frames.filter((frame) => frame.at >= wokenAt && frame.kind === 'vrrp')
    expect(sent.filter((frame) => frame.kind === 'vrrp' && frame.header.priority > 0)).toEqual([])
    control.thaw()
    await until(async () => (await made.holdersOf(vip)).length === 1, 'n1 takes part again')
  })
})

describeWith(timedLab, 'a VRRP process that hangs', () => {
  test('is not reported from memory on another link, until it answers', async () => {
    const { control, n1 } = await world({ onLost: 'hold' })
    process.kill(vrrpPid(n1), 'SIGSTOP')
    await sleep(3_000)
    const heard = control.heard('n1').length
    control.dropLinks()
    await n1.untilEvent(({ event }) => event === 'control-lost')
    await until(() => n1.events().filter(({ event }) => event === 'control-connected').length === 2, 'another link')
    await sleep(1_500)
    expect(control.heard('n1').slice(heard)).toEqual([])
    process.kill(vrrpPid(n1), 'SIGCONT')
    await until(() => control.heard('n1').length > heard, 'a report of the process that goes on')
    expect(control.heard('n1')[heard]).toMatchObject({ kind: 'report' })
  })
})
