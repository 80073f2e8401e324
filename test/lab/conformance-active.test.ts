/** What an active router makes of rivals, and what it sends: T-02 to T-06, T-08, T-22 to T-30, T-59 and T-60. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startAgent } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import { watchHolding } from '../../infra/lab/holding.ts'
import { formatAddress } from '../../node-agent/wire/address.ts'
import { decodeIp } from '../../node-agent/wire/ip.ts'
import { checksumForm } from '../../node-agent/wire/vrrp.ts'
import { labFor, webService } from '../support/agents.ts'
import {
  expectWithin,
  heardBy,
  isOf,
  lifeOf,
  nameOf,
  own,
  prioritiesOf,
  type Subject,
  sentBy,
  slackMs,
  startSubjects,
  timer,
  untilCounted,
  vipsFor,
} from '../support/conformance.ts'
import { arpIn, arpRequest, startFrames } from '../support/frames.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { ethernet, type Frame, startTap } from '../support/tap.ts'
import { decodeAdvertisement } from '../support/vrrp.ts'

const priority = 250
const active = (vrid: number, family: 'ipv4' | 'ipv6' = 'ipv4'): Subject => ({ vrid, family, service: { priority } })
/** Active_Down_Interval of that priority at an interval of a second. */
const downMs = 3_023

const [greater, lesser, unsigned, greater6] = [active(51), active(52), active(53), active(54, 'ipv6')]
const [lower, higher, leaving, looped] = [active(55), active(56), active(57), active(58)]
const [four, six] = [active(59), active(59, 'ipv6')]
const owner = { vrid: 60, service: { priority: 255 } }
const owner2 = { vrid: 61, service: { priority: 255, version: 2 } }
const subjects = [greater, lesser, unsigned, greater6, lower, higher, leaving, looped, four, six, owner, owner2]
const deposed = [greater, unsigned, greater6, higher, four]

const host = { mac: '02:77:ff:00:00:02', address: '10.77.0.90' }
const timedLab = repeatedWhenHeldUp(lab)

const decoded = (frame: Frame) => decodeIp(frame.bytes.subarray(ethernet.headerLength))!
const gapsOf = (frames: readonly Frame[]): number[] => frames.slice(1).map(({ at }, i) => at - frames[i]!.at)

describeWith(timedLab, 'an active router', () => {
  test('heeds or answers its rivals: T-22 to T-26, T-28 to T-30, T-38, T-59', async () => {
    const made = await labFor({ nodes: ['n1'] })
    for (const name of ['all', 'eth0'])
      await made.run('sh', ['-c', `cd /proc/sys/net/ipv4/conf/${name}; echo 0 >rp_filter; echo 1 >accept_local`], {
        in: 'n1',
      })
    for (const { vrid } of [owner, owner2])
      await made.run('ip', ['-n', 'n1', 'addr', 'add', `${vipsFor(vrid).ipv4[0]}/32`, 'dev', 'eth0'])
    const holding = await watchHolding(made, vipsFor(greater.vrid).ipv4[0])
    const [tap, frames] = [await startTap(made), await startFrames(made, 'client')]
    const agent = await startSubjects(made, subjects)
    for (const subject of subjects) await agent.untilState('active', 30_000, nameOf(subject))
    // All advertise within a moment, and the middle of the next second is far from that.
    const periodic = await tap.until(isOf(lesser), { from: tap.frames.length })
    await sleep(400)
    const from = tap.frames.length
    const at = nowMs()
    await tap.inject(
      [
        heardBy(greater, { priority }),
        heardBy(lesser, { priority, source: '10.76.0.77' }),
        heardBy(unsigned, { priority, source: '203.0.113.9' }),
        heardBy(greater6, { priority }),
        heardBy(lower, { priority: 100 }),
        heardBy(higher, { priority: 254 }),
        heardBy(leaving, { priority: 0 }),
        ...[priority, 255].map((said) => heardBy(looped, { priority: said, source: own })),
        heardBy(four, { priority: 254 }),
        heardBy(owner, { priority: 255 }),
        heardBy(owner2, { priority: 255, version: 2 }),
      ],
      { count: 12, gapMs: 1 },
    )
    expectWithin('T-22 its address is gone', (await holding.until([])) - at, [0, slackMs.atOnce])
    frames.send(arpRequest(host, vipsFor(greater.vrid).ipv4[0]))
    expect((await frames.during(300)).filter((each) => arpIn(each)?.operation === 'reply')).toEqual([])
    for (const subject of deposed) {
      const back = await tap.until(isOf(subject), { from })
      expectWithin(`T-22 T-24 T-25 T-28 ${nameOf(subject)}`, back.at - at, timer(downMs))
      await agent.untilState('active', 5_000, nameOf(subject))
      expect(lifeOf(agent, subject)).toBe('backup active backup active')
      expect(prioritiesOf([back])).toEqual([priority])
    }

    const sent = (subject: Subject): number[] => sentBy(tap, subject, from).map((frame) => frame.at - at)
    // T-23, T-26: one answer, and the period as it was.
    for (const subject of [lesser, lower]) {
      const [answer, next] = sent(subject)
      expectWithin(`T-23 T-26 ${nameOf(subject)}`, answer!, [0, slackMs.atOnce])
      expectWithin(`T-23 T-26 ${nameOf(subject)}, the next`, next! - (periodic.at - at), [985, 1_000 + slackMs.late])
    }
    // T-29: priority 0 is answered, and the period begins anew.
    const [answer, next] = sent(leaving)
    expectWithin('T-29', answer!, [0, slackMs.atOnce])
    expectWithin('T-29, the next', next! - answer!, [985, 1_000 + slackMs.late])
    // T-30, F-25, T-59: no answer at all, and the period as it was.
    for (const subject of [looped, six]) {
      expectWithin(`T-30 T-59 ${nameOf(subject)}`, sent(subject)[0]! - (periodic.at - at), [950, 1_000 + slackMs.late])
      expect(Math.max(...gapsOf(sentBy(tap, subject, from)))).toBeLessThan(1_000 + slackMs.late)
      expect(lifeOf(agent, subject)).toBe('backup active')
    }
    // T-38: version 3 yields to the greater address and says so, version 2 does not hear it.
    await agent.untilState('active', 5_000, nameOf(owner))
    expect([lifeOf(agent, owner), lifeOf(agent, owner2)]).toEqual(['active backup active', 'active'])
    const odd = agent.events().find(({ event, service }) => event === 'odd' && service === nameOf(owner))
    expect(JSON.stringify(odd)).toContain('second-owner')
    await untilCounted(agent, { self: 2, owner: 1 })
  })
})

describeWith(timedLab, 'what is sent', () => {
  const first = { priority: 254 }
  const authentication = { type: 'pass', password: 'longpassword' }
  const [plain, secret] = [
    { vrid: 61, service: { ...first, version: 2 } },
    { vrid: 62, service: { ...first, version: 2, authentication } },
  ]
  const vips = ['10.77.1.200', '10.77.1.198', '10.77.1.199']
  const three = { vrid: 63, service: { ...first, addresses: vips.map((vip) => `${vip}/32`) } }
  const tenth = { vrid: 64, service: { ...first, interval: '100ms' } }
  const hundredth = { vrid: 65, service: { ...first, interval: '10ms' } }
  const owner = { vrid: 66, service: { priority: 255, interval: '40.95s' } }
  const virtual: Subject = { vrid: 67, family: 'ipv6', service: { ...first, interval: '100ms', virtualMac: true } }

  test('is what the RFCs say, at the pace that it says: T-02 to T-06, T-08', async () => {
    const made = await labFor({ nodes: ['n1'] })
    await made.run('ip', ['-n', 'n1', 'addr', 'add', `${vipsFor(owner.vrid).ipv4[0]}/32`, 'dev', 'eth0'])
    const tap = await startTap(made)
    const subjects: readonly Subject[] = [plain, secret, three, tenth, hundredth, owner, virtual]
    const agent = await startSubjects(made, subjects)

    // T-08: the owner waits for nobody.
    const { at } = await agent.untilEvent(({ event, service, to }) => {
      return event === 'state' && service === nameOf(owner) && to === 'active'
    })
    const advertised = await tap.until(isOf(owner))
    const told = await tap.until((frame) => frame.kind === 'arp' && frame.address === vipsFor(owner.vrid).ipv4[0])
    expect(tap.frames.indexOf(advertised)).toBeLessThan(tap.frames.indexOf(told))
    expectWithin('T-08', told.at - advertised.at, [0, slackMs.atOnce])
    expect(advertised.at - at).toBeLessThan(slackMs.atOnce)
    expect(lifeOf(agent, owner)).toBe('active')

    while (sentBy(tap, plain).length < 10) await tap.until(isOf(plain), { from: tap.frames.length })
    for (const [subject, password] of [
      [plain, ''],
      [secret, 'longpass'],
    ] as const) {
      const messages = sentBy(tap, subject).map(decoded)
      for (const { payload, ...envelope } of messages) {
        expect(payload).toHaveLength(20)
        expect([...payload.subarray(0, 6)]).toEqual([0x21, subject.vrid, 254, 1, password === '' ? 0 : 1, 1])
        expect(Buffer.from(payload.subarray(12)).toString()).toBe(password.padEnd(8, '\0'))
        expect(checksumForm(payload, envelope)).toBeDefined()
        expect(envelope).toMatchObject({ ttl: 255, source: Uint8Array.of(10, 77, 0, 1) })
      }
    }
    const listed = decoded(sentBy(tap, three)[0]!)
    expect(listed.payload).toHaveLength(20)
    expect(decodeAdvertisement(listed)!.addresses.map(formatAddress)).toEqual(vips)

    const [six] = sentBy(tap, virtual)
    expect(six).toMatchObject({ from: '00:00:5e:00:02:43', to: '33:33:00:00:00:12', ttl: 255 })
    expect(decodeAdvertisement(decoded(six!))!.addresses.map(formatAddress)).toEqual(vipsFor(67).ipv6)
    expect(checksumForm(decoded(six!).payload, decoded(six!))).toBeDefined()

    for (const [subject, interval, ms] of [
      [plain, 100, 1_000],
      [tenth, 10, 100],
      [hundredth, 1, 10],
    ] as const) {
      const sent = sentBy(tap, subject)
      expect(sent[0]).toMatchObject({ header: { maxAdvertiseInterval: interval } })
      // The first half second has the code compiled.
      const gaps = gapsOf(sent.filter((frame) => frame.at > sent[0]!.at + 500))
      const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
      expectWithin(`T-02 T-06 ${nameOf(subject)}, the mean`, mean, [0.96 * ms, 1.06 * ms])
      expect(Math.max(...gaps)).toBeLessThan(ms + 100)
    }
    expect(sentBy(tap, owner)).toHaveLength(1)
    expect(advertised).toMatchObject({ header: { maxAdvertiseInterval: 4_095 } })
  })
})

describeWith(timedLab, 'two virtual routers with virtual MAC addresses', () => {
  test('T-60: each node has one; killed, the other has both, each with its own MAC address', async () => {
    const made = await labFor()
    const services = (web: number, api: number) => ({
      services: {
        web: webService({ vrid: 51, priority: web, virtualMac: true }),
        api: webService({ vrid: 52, priority: api, virtualMac: true, addresses: ['10.77.0.51/24'] }),
      },
    })
    const [n1, n2] = await Promise.all([
      startAgent(made, 'n1', services(200, 100)),
      startAgent(made, 'n2', services(100, 200)),
    ])
    await made.untilHeldBy('10.77.0.50', ['n1'])
    await made.untilHeldBy('10.77.0.51', ['n2'])
    const tap = await startTap(made)
    const of = (vrid: number) => (frame: Frame) =>
      frame.kind === 'vrrp' && frame.header.vrid === vrid && frame.source === '10.77.0.2'
    const before = n2.events().length
    const from = tap.frames.length
    n1.freeze()
    await made.cableOut('n1')
    await n1.kill()
    const taken = await tap.until(of(51), { from })
    const kept = await tap.until(of(52), { from })
    expect([taken.from, kept.from]).toEqual(['00:00:5e:00:01:33', '00:00:5e:00:01:34'])
    await n2.untilState('active', 5_000, 'web')
    const changed = n2.events().slice(before)
    expect(changed.filter(({ event, service }) => event === 'state' && service === 'api')).toEqual([])
    const gaps = gapsOf(tap.frames.filter(of(52)))
    expect(Math.max(...gaps)).toBeLessThan(100 + slackMs.late)
  })
})
