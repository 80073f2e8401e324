/**
 * Calm under stress: bad packets, losing rivals, busy loops, freezes and mutated packets move no timer and depose nobody.
 *
 * `npm run bench:jitter` measures the same for as long as one likes, next to keepalived.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type AgentProcess, startAgent } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { agentPair, expectAtRest, labFor, startWeb, statusOf, until, vip, vrrpPid } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { mutatedDatagrams } from '../support/mutations.ts'
import { describeWith } from '../support/peers.ts'
import { type Frame, startTap } from '../support/tap.ts'
import { cpuNanoseconds, memoryOf, startHogs } from '../support/usage.ts'
import { datagramOf } from '../support/vrrp.ts'

const stranger = { source: '10.77.0.77', addresses: [vip], interval: 10 }

/** One for each kind of sender that keepalived lets re-arm its timer: forwarded, damaged, of another version. */
const badPackets = [
  datagramOf({ ...stranger, priority: 254, ttl: 64 }),
  withoutChecksum(datagramOf({ ...stranger, priority: 254 })),
  datagramOf({ ...stranger, priority: 254, version: 2, interval: 1 }),
  datagramOf({ ...stranger, priority: 254, interval: 0 }),
]

function withoutChecksum(datagram: Uint8Array): Uint8Array {
  const checksumAt = 20 + 6
  return datagram.with(checksumAt, datagram[checksumAt]! ^ 0xff)
}

const from = (source: string) => (frame: Frame) => frame.kind === 'vrrp' && frame.source === source
const [fromN1, fromN2] = [from('10.77.0.1'), from('10.77.0.2')]

function gapsOf(frames: readonly Frame[]): number[] {
  return frames.slice(1).map((frame, i) => frame.at - frames[i]!.at)
}

/** An advertisement each 100 ms, none missing and none beside the pace, as far as a shared machine lets it. */
function expectPace(frames: readonly Frame[], seconds: number): void {
  const gaps = gapsOf(frames)
  expect(Math.abs(frames.length - seconds * 10)).toBeLessThanOrEqual(3)
  expect(Math.max(...gaps)).toBeLessThan(200)
  expect(Math.min(...gaps)).toBeGreaterThan(20)
}

async function discardsOf(agent: AgentProcess): Promise<number> {
  const counters: Record<string, number> = { ...(await statusOf(agent)).discards.eth0 }
  return Object.values(counters).reduce((sum, each) => sum + each, 0)
}

/** Whoever's process it is and whatever it is told, it is in memory: not what its heap says of itself. */
const residentMiB = (agent: AgentProcess): number => memoryOf(vrrpPid(agent)).rss

/** Of all services of all of them, so far. */
const changesOf = (agents: readonly AgentProcess[]): number =>
  agents.flatMap((agent) => agent.events()).filter(({ event }) => event === 'state').length

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, '2000 bad packets a second', () => {
  test('move no advertisement in ten seconds, and the takeover after them is not late (R-00, T-44)', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    const seconds = 10
    const flood = tap.inject(badPackets, { count: 2_000 * (seconds + 3), gapMs: 0.5 })
    await until(async () => (await discardsOf(n2)) > 100, 'the flood has begun')
    const first = tap.frames.length
    await sleep(seconds * 1_000)
    const heard = tap.frames.slice(first)
    expectPace(heard.filter(fromN1), seconds)
    expect(heard.filter(fromN2)).toEqual([])
    expect([since(n1), since(n2)]).toEqual([[], []])

    await n1.kill()
    const taken = await tap.until(fromN2, { from: first })
    const last = tap.frames.filter(fromN1).at(-1)!
    // T-10: three intervals and the skew of priority 100, which is 61 ms.
    expect(taken.at - last.at).toBeGreaterThan(355)
    expect(taken.at - last.at).toBeLessThan(460)
    await flood
    expect(await discardsOf(n2)).toBeGreaterThan(2_000 * seconds)
    expect(since(n2)).toEqual(['backup to active (active down)'])
  })
})

describeWith(timedLab, '200 losing advertisements a second', () => {
  test('get a bounded number of answers for less than half a processor; the active one stays so (T-27)', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await tap.until(fromN1)
    const [first, startedAt, cpu] = [tap.frames.length, nowMs(), cpuNanoseconds(vrrpPid(n1))]
    await tap.inject([datagramOf({ ...stranger, priority: 1 })], { count: 400, gapMs: 5 })
    await tap.until(fromN1, { from: tap.frames.length })
    const tookMs = nowMs() - startedAt
    const used = (cpuNanoseconds(vrrpPid(n1)) - cpu) / 1e6
    const answers = tap.frames.slice(first).filter(fromN1).length
    // One each 10 ms (F-32) beside its own pace of one each 100 ms; every other losing one comes too soon after an answer.
    expect(answers).toBeLessThanOrEqual(tookMs / 10 + tookMs / 100 + 5)
    expect(answers).toBeGreaterThan(tookMs / 100 + 50)
    expect(used / tookMs).toBeLessThan(0.5)
    expect([since(n1), since(n2)]).toEqual([[], []])
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })
})

/** n1 with priority 100 is active; n2 with 200 lets it be, and keeps what it takes over. */
async function keptPair(): Promise<{ made: Lab; n1: AgentProcess; n2: AgentProcess }> {
  const made = await labFor()
  const n1 = await startWeb(made, 'n1', { priority: 100 })
  await n1.untilState('active')
  const n2 = await startWeb(made, 'n2', { priority: 200, preempt: false })
  await n2.untilState('backup')
  return { made, n1, n2 }
}

describeWith(timedLab, 'an active router that is stopped', () => {
  test.each([2, 6])(
    'for %i s and thaws sends nothing that deposes anybody, and removes its address (T-58)',
    async (s) => {
      const { made, n1, n2 } = await keptPair()
      const tap = await startTap(made)
      n1.freeze()
      await n2.untilState('active')
      await sleep(s * 1_000)
      const first = tap.frames.length
      n1.thaw()
      const thawedAt = nowMs()
      await n1.untilState('backup')
      expect(nowMs() - thawedAt).toBeLessThan(1_000)
      await made.untilHeldBy(vip, ['n2'], 1_000)
      await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
      // The requirement allows one; a router that knows that it overslept needs none.
      expect(tap.frames.slice(first).filter(fromN1).length).toBeLessThanOrEqual(1)
      expect((await statusOf(n2)).services.web!.transitions).toBe(2)
    },
  )
})

describeWith(timedLab, 'a link that is lost for five seconds', () => {
  test('takes the address away; when it is back nothing stale is sent, and a whole wait goes before (T-57)', async () => {
    const { made, n1, n2 } = await agentPair()
    const tap = await startTap(made)
    await made.cableOut('n1')
    await made.untilHeldBy(vip, ['n2'])
    await sleep(5_000)
    const [first, upAt] = [tap.frames.length, nowMs()]
    await made.cableIn('n1')
    const back = await tap.until(fromN1, { from: first })
    // Three intervals and the skew of priority 200, which is 22 ms.
    expect(back.at - upAt).toBeGreaterThan(320)
    expect(back.kind === 'vrrp' && back.header.priority).toBe(200)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(await made.holdersOf(vip)).toEqual(['n1'])
  })
})

describeWith(timedLab, 'four busy loops', () => {
  test('cause no takeover, and no gap that a backup would notice', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await startHogs(made, 4)
    const [first, seconds] = [tap.frames.length, 20]
    await sleep(seconds * 1_000)
    expectPace(tap.frames.slice(first).filter(fromN1), seconds)
    expect(tap.frames.filter(fromN2)).toEqual([])
    expect([since(n1), since(n2)]).toEqual([[], []])
  })
})

describeWith(timedLab, 'a hundred routers with an advertisement each 10 ms', () => {
  test('need no more memory after twenty-five seconds than after ten', async () => {
    const made = await labFor({ nodes: ['n1', 'n2'], client: false })
    const many = (priority: number) =>
      Object.fromEntries(
        Array.from({ length: 100 }, (_, i) => {
          const addresses = [`10.77.1.${i + 1}/32`]
          return [`r${i}`, { interface: 'eth0', vrid: i + 1, priority, addresses, interval: '10ms' }]
        }),
      )
    const start = (node: string, priority: number) => startAgent(made, node, { services: many(priority) })
    const n1 = await start('n1', 200)
    await made.untilHeldBy('10.77.1.100', ['n1'])
    const n2 = await start('n2', 100)
    // Compiled code, caches and the second burst of announcements are in by then.
    await sleep(10_000)
    const [active, backup, changes] = [residentMiB(n1), residentMiB(n2), changesOf([n1, n2])]
    await sleep(15_000)
    expect(changesOf([n1, n2])).toBe(changes)
    expect(residentMiB(n1) - active).toBeLessThan(10)
    expect(residentMiB(n2) - backup).toBeLessThan(10)
  })
})

describeWith(timedLab, 'ten thousand mutated packets, 500 a second', () => {
  test('crash nothing, change nothing and cost no memory; a good one after them counts (T-74)', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    // The first ones have their code compiled.
    await tap.inject(mutatedDatagrams(1_000, 1), { count: 1_000, gapMs: 1 })
    const before = [residentMiB(n1), residentMiB(n2)]
    await tap.inject(mutatedDatagrams(10_000, 2), { count: 10_000, gapMs: 2 })
    const grown = [residentMiB(n1) - before[0]!, residentMiB(n2) - before[1]!]
    expect(Math.max(...grown)).toBeLessThan(10)
    expect([since(n1), since(n2)]).toEqual([[], []])
    expect([(await statusOf(n1)).vrrp.restarts, (await statusOf(n2)).vrrp.restarts]).toEqual([0, 0])
    expect(await discardsOf(n1)).toBeGreaterThan(5_000)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    await tap.inject([datagramOf({ ...stranger, priority: 254, interval: 100 })], { count: 1, gapMs: 1 })
    await n1.untilState('backup')
  })
})
