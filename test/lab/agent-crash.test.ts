/** What is left of an agent that is killed, frozen or interrupted: exactly one holder, and nobody deposed by the dead. */
import { expect, test } from 'vitest'
import { isRunning } from '../../infra/lab/program.ts'
import {
  agentPair,
  expectAtRest,
  labFor,
  startWeb,
  statusOf,
  transitionsOf,
  until,
  vip,
  vrrpPid,
} from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { type Frame, startTap } from '../support/tap.ts'

const vrrpFrom = (source: string) => (frame: Frame) => frame.kind === 'vrrp' && frame.source === source
const diedEvents = (agent: Awaited<ReturnType<typeof startWeb>>) =>
  agent.events().filter(({ event }) => event === 'vrrp-died')

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'the VRRP process hangs when it is to leave', () => {
  test('it is killed, and another one removes the addresses that it held', async () => {
    const { made, n1, n2 } = await agentPair()
    process.kill(vrrpPid(n1), 'SIGSTOP')
    await n2.untilState('active')
    expect(await n1.stop()).toBe(1)
    await made.untilHeldBy(vip, ['n2'])
    await expectAtRest(made, { holder: 'n2', agents: [n2] })
  })
})

describeWith(timedLab, 'the VRRP process is killed while active', () => {
  test('its supervisor starts it again at once; the service moves there and back, and the client hardly notices', async () => {
    const { made, n1, n2, since } = await agentPair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    n1.killVrrp()
    const died = await n1.untilEvent(({ event }) => event === 'vrrp-died')
    expect(died).toMatchObject({ level: 'error', how: 'SIGKILL', restartInMs: 0 })
    await n2.untilState('active')
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    // The kernel went on answering for the address; the new process hands over instead of dropping it.
    expect((await prober.report()).lost).toBeLessThanOrEqual(5)
    expect(since(n1)).toContain('initialize to initialize (process restarted while active)')
    expect((await statusOf(n1)).vrrp.restarts).toBe(1)
  })

  test('three times in a row: each pause is longer than the one before, and it recovers', async () => {
    const { made, n1, n2 } = await agentPair()
    for (let kills = 1; kills <= 3; kills += 1) {
      const started = n1.events().filter(({ event }) => event === 'vrrp-started').length
      n1.killVrrp()
      await until(() => diedEvents(n1).length === kills, 'the supervisor notices')
      await until(
        () => n1.events().filter(({ event }) => event === 'vrrp-started').length > started,
        'the VRRP process runs again',
      )
    }
    expect(diedEvents(n1).map(({ restartInMs }) => restartInMs)).toEqual([0, 250, 500])
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(await n1.stop()).toBe(0)
    await expectAtRest(made, { holder: 'n2', agents: [n2] })
  })

  test('of the backup: the active one goes on, and no probe is lost', async () => {
    const { made, n1, n2, since } = await agentPair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    n2.killVrrp()
    await n2.untilEvent(({ event }) => event === 'vrrp-died')
    await until(() => since(n2).length === 1, 'the backup is back')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await prober.report()).lost).toBe(0)
    expect(since(n1)).toEqual([])
  })

  test('SIGTERM while it waits to be started again: its addresses go all the same', async () => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    n1.killVrrp()
    await n1.untilState('initialize')
    await n1.untilState('active')
    // The next restart pauses for 250 ms, in which no process is there to be told.
    n1.killVrrp()
    const died = await n1.untilEvent(({ event, restartInMs }) => event === 'vrrp-died' && restartInMs !== 0)
    expect(died.restartInMs).toBe(250)
    expect(await n1.stop()).toBe(0)
    expect(await made.holdersOf(vip)).toEqual([])
  })
})

describeWith(timedLab, 'the supervisor is killed while active', () => {
  test('the VRRP process resigns by itself: no probe is lost, nothing of it stays', async () => {
    const { made, n1, n2 } = await agentPair()
    const tap = await startTap(made)
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    const child = vrrpPid(n1)
    n1.killSupervisor()
    expect(await n1.program.exited).toBe(137)
    await n2.untilState('active')
    await until(() => !isRunning(child), 'the VRRP process has ended')
    await expectAtRest(made, { holder: 'n2', agents: [n2] })
    expect(tap.frames.filter((frame) => frame.kind === 'vrrp' && frame.header.priority === 0)).toHaveLength(1)
    expect((await prober.report()).lost).toBe(0)
  })

  test('of the backup: the VRRP process ends and says nothing', async () => {
    const { made, n1, n2 } = await agentPair()
    const tap = await startTap(made)
    const child = vrrpPid(n2)
    n2.killSupervisor()
    await until(() => !isRunning(child), 'the VRRP process has ended')
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
    expect(tap.frames.filter(vrrpFrom('10.77.0.2'))).toEqual([])
  })
})

describeWith(timedLab, 'everything of an agent is killed while active', () => {
  test('its addresses stay, for nobody was left to remove them; the next start removes them and says so', async () => {
    const { made, n1, n2 } = await agentPair()
    await n1.kill()
    await n2.untilState('active')
    expect(await made.holdersOf(vip)).toEqual(['n1', 'n2'])
    // The old socket file answers nobody and must not keep the new agent from starting.
    const again = await startWeb(made, 'n1', {}, { socket: n1.socket })
    const cleaned = await again.untilEvent(({ event }) => event === 'leftovers-removed')
    expect(cleaned).toMatchObject({ level: 'warn', addresses: [vip] })
    await again.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [again, n2] })
    expect(transitionsOf(again)).toEqual(['initialize to backup (started)', 'backup to active (active down)'])
  })
})

describeWith(timedLab, 'a frozen node', () => {
  test('that was active steps down before it sends an advertisement, and deposes nobody by waking up', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await tap.until(vrrpFrom('10.77.0.1'))
    n1.freeze()
    await n2.untilState('active')
    // Twenty advertisements of the new active one: two seconds, in which n1 would have sent as many.
    const from = tap.frames.length
    while (tap.frames.slice(from).filter(vrrpFrom('10.77.0.2')).length < 20) {
      await tap.until(vrrpFrom('10.77.0.2'), { from: tap.frames.length })
    }
    expect(tap.frames.slice(from).filter(vrrpFrom('10.77.0.1'))).toEqual([])
    const thawedAt = performance.now()
    const thawed = tap.frames.length
    const lastBefore = tap.frames.at(-1)!.at
    n1.thaw()
    const stepped = await n1.untilEvent(({ event, reason }) => event === 'state' && reason === 'overslept')
    expect(stepped).toMatchObject({ from: 'active', to: 'backup' })
    expect(performance.now() - thawedAt).toBeLessThan(5_000)
    // It preempts as any router of higher priority does: after an Active_Down_Interval of 322 ms, and not at once.
    const first = await tap.until(vrrpFrom('10.77.0.1'), { from: thawed })
    expect(first.at - lastBefore).toBeGreaterThan(300)
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(since(n2)).toEqual(['backup to active (active down)', 'active to backup (outranked)'])
  })

  test('that was backup does not take over from a healthy active one', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    n2.freeze()
    const from = tap.frames.length
    while (tap.frames.slice(from).filter(vrrpFrom('10.77.0.1')).length < 20) {
      await tap.until(vrrpFrom('10.77.0.1'), { from: tap.frames.length })
    }
    n2.thaw()
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(tap.frames.filter(vrrpFrom('10.77.0.2'))).toEqual([])
    expect(since(n1)).toEqual([])
    expect(since(n2)).toEqual([])
  })
})
