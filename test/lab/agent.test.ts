/** Two real agents on real sockets: who holds the address, what is on the wire, and what a client notices of a move. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startAgent } from '../../infra/lab/agent.ts'
import { decodeIpv4 } from '../../node-agent/wire/ipv4.ts'
import { checksumForm, decodeAddresses } from '../../node-agent/wire/vrrp.ts'
import {
  agentPair,
  expectAtRest,
  labFor,
  startWeb,
  statusOf,
  transitionsOf,
  vip,
  webService,
} from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { bothOf, describeWith, nftables } from '../support/peers.ts'
import { ethernet, type Frame, startTap } from '../support/tap.ts'

const fromN1 = (frame: Frame): boolean => frame.kind === 'vrrp' && frame.source === '10.77.0.1'

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'two agents', () => {
  test('elect one holder; its advertisements are those of RFC 9568, and come before it announces', async () => {
    const made = await labFor()
    const tap = await startTap(made)
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    const n2 = await startWeb(made, 'n2', { priority: 100 })
    await n2.untilState('backup')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(transitionsOf(n1)).toEqual(['initialize to backup (started)', 'backup to active (active down)'])
    expect(transitionsOf(n2)).toEqual(['initialize to backup (started)'])

    const first = await tap.until(fromN1)
    // T-01, P-01, P-02, P-04, P-06, P-09.
    expect(first.bytes[15]).toBe(0xc0)
    expect(first).toMatchObject({ kind: 'vrrp', to: '01:00:5e:00:00:12', from: '02:77:00:00:77:01', ttl: 255 })
    if (first.kind !== 'vrrp') return
    expect(first.header).toMatchObject({
      version: 3,
      type: 1,
      vrid: 51,
      priority: 200,
      addressCount: 1,
      maxAdvertiseInterval: 10,
    })
    const datagram = decodeIpv4(first.bytes.subarray(ethernet.headerLength))!
    expect(datagram.payload).toHaveLength(12)
    expect(datagram.payload[4]! >> 4).toBe(0)
    expect(datagram.destination).toEqual(Uint8Array.of(224, 0, 0, 18))
    expect(checksumForm(datagram.payload, datagram)).toBe('rfc9568')
    expect(decodeAddresses(datagram.payload, 1)).toEqual([Uint8Array.of(10, 77, 0, 50)])

    // F-33: who was active steps back before the hosts hear where to send.
    const announced = await tap.until((frame) => frame.kind === 'arp' && frame.gratuitous && frame.address === vip)
    expect(announced).toMatchObject({ from: '02:77:00:00:77:01', to: 'ff:ff:ff:ff:ff:ff' })
    expect(tap.frames.indexOf(announced)).toBeGreaterThan(tap.frames.indexOf(first))
    // The backup is silent: everything of VRRP is from n1.
    expect(tap.frames.filter((frame) => frame.kind === 'vrrp' && !fromN1(frame))).toEqual([])
  })

  test('the pace is the interval: late ones do not push back those after them', async () => {
    const { made } = await agentPair()
    const tap = await startTap(made)
    await tap.until(fromN1)
    while (tap.frames.filter(fromN1).length < 26) await tap.until(fromN1, { from: tap.frames.length })
    const [first, ...others] = tap.frames.filter(fromN1)
    // T-01: twenty-five intervals; the tap itself may read the last one late.
    const mean = (others[24]!.at - first!.at) / 25
    expect(mean).toBeGreaterThan(96)
    expect(mean).toBeLessThan(106)
  })

  test('cable out: the other takes over; cable in: the first preempts and no probe is lost', async () => {
    const { made, n1, n2, since } = await agentPair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    await made.cableOut('n1')
    expect(await n1.untilState('fault')).toBeGreaterThan(0)
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n2'])
    const crash = await prober.report()
    expect(crash.outages).toHaveLength(1)
    // Three intervals less one that may have passed already, and the skew of priority 100: 261 to 361 ms, and slack.
    expect(crash.longestOutageMs).toBeGreaterThan(200)
    expect(crash.longestOutageMs).toBeLessThan(600)

    prober.mark()
    // T-18.
    await made.cableIn('n1')
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(since(n1)).toEqual([
      'active to fault (interface eth0 is down)',
      'fault to backup (started)',
      'backup to active (active down)',
    ])
    expect(since(n2)).toEqual(['backup to active (active down)', 'active to backup (outranked)'])
    expect((await prober.report()).lost).toBe(0)
  })

  test('SIGTERM: exit 0, the address is gone, no probe is lost; nobody has it when both have left', async () => {
    const { made, n1, n2, since } = await agentPair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    expect(await n1.stop()).toBe(0)
    await made.untilHeldBy(vip, ['n2'])
    // T-13, F-20.
    expect(since(n1)).toEqual(['active to initialize (shutdown)', 'initialize to initialize (successor took over)'])
    expect(n1.events().at(-1)).toMatchObject({ event: 'agent-stopped', polite: true })
    await expectAtRest(made, { holder: 'n2', agents: [n2] })
    const report = await prober.report()
    expect(report.lost).toBe(0)
    expect(report.sent).toBeGreaterThan(300)
    await prober.stop()

    expect(await n2.stop()).toBe(0)
    expect(await made.holdersOf(vip)).toEqual([])
    expect(await made.addresses('n2')).toEqual(expect.arrayContaining(['10.77.0.2']))
  })

  test('resign: now: the address is gone with the farewell, and nobody answers until the successor is there', async () => {
    const { made, n1, n2 } = await agentPair({ n1: { resign: 'now' } })
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    expect(await n1.stop()).toBe(0)
    await n2.untilState('active')
    await expectAtRest(made, { holder: 'n2', agents: [n2] })
    // The skew of priority 100 is 61 ms; what it costs is what the handover saves.
    expect((await prober.report()).lost).toBeGreaterThan(30)
  })

  test('an address that somebody removes is put back at once, and announced; the state does not change', async () => {
    const { made, n1, n2 } = await agentPair()
    const tap = await startTap(made)
    const before = await statusOf(n1)
    for (let round = 0; round < 5; round += 1) {
      const from = tap.frames.length
      await made.run('ip', ['addr', 'del', `${vip}/24`, 'dev', 'eth0'], { in: 'n1' })
      await tap.until((frame) => frame.kind === 'arp' && frame.gratuitous && frame.address === vip, { from })
      await made.untilHeldBy(vip, ['n1'])
    }
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await statusOf(n1)).services.web!.transitions).toBe(before.services.web!.transitions)
  })

  test('an interface without its own address can carry nothing: fault, and back when it has one again', async () => {
    const { made, n1, n2 } = await agentPair()
    // The kernel removes the virtual address along with the primary one of its network.
    await made.run('ip', ['addr', 'del', '10.77.0.1/24', 'dev', 'eth0'], { in: 'n1' })
    await n1.untilState('fault')
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n2'])
    expect((await statusOf(n1)).services.web).toMatchObject({
      state: 'fault',
      fault: 'interface eth0 has no IPv4 address of its own',
    })
    expect(await made.addresses('n1')).not.toContain(vip)
    await made.run('ip', ['addr', 'add', '10.77.0.1/24', 'brd', '+', 'dev', 'eth0'], { in: 'n1' })
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await statusOf(n1)).services.web!.fault).toBeNull()
  })

  test('equal priorities: the higher address wins where both are active, and nobody preempts', async () => {
    const { made, n1, n2 } = await agentPair({ n1: { priority: 100 }, n2: { priority: 90 } })
    await n2.stop()
    const again = await startWeb(made, 'n2', { priority: 100 })
    await again.untilState('backup')
    await expectAtRest(made, { holder: 'n1', agents: [n1, again] })
  })

  test('preempt: false: who comes back stays backup', async () => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1', { preempt: false })
    await n1.untilState('active')
    const n2 = await startWeb(made, 'n2', { priority: 100 })
    await n2.untilState('backup')
    await made.cableOut('n1')
    await n2.untilState('active')
    await made.cableIn('n1')
    await n1.untilState('backup')
    // T-19, T-20: ten of its intervals: the three of an Active_Down_Interval and plenty of room.
    await sleep(1_000)
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    await n2.stop()
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
  })
})

describeWith(bothOf(timedLab, nftables), 'two agents: one-way loss', () => {
  test('of advertisements: both are active; when it heals one is, and says again where the address is', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await made.lose({ from: 'n1', to: 'n2' })
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n1', 'n2'])
    const healed = tap.frames.length
    await made.heal()
    await n2.untilState('backup')
    // n2 told the hosts to come to it, so n1's word must be the last.
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    const announcements = tap.frames.filter((frame) => frame.kind === 'arp' && frame.gratuitous)
    expect(announcements.some((frame) => frame.from === '02:77:00:00:77:02')).toBe(true)
    expect(announcements.at(-1)!.from).toBe('02:77:00:00:77:01')
    expect(tap.frames.slice(healed).some((frame) => frame.kind === 'arp' && frame.gratuitous)).toBe(true)
    expect(since(n1)).toEqual([])
    const prober = await made.probe({ target: vip })
    await prober.answered()
  })
})

describeWith(timedLab, 'many virtual routers on one interface', () => {
  const services = Array.from({ length: 20 }, (_, i) => ({
    name: `s${i}`,
    vrid: 51 + i,
    address: `10.77.0.${51 + i}`,
  }))
  const holder = (i: number): 'n1' | 'n2' => (i % 2 === 0 ? 'n1' : 'n2')
  const config = (node: 'n1' | 'n2') => ({
    services: Object.fromEntries(
      services.map(({ name, vrid, address }, i) => [
        name,
        webService({ vrid, addresses: [`${address}/24`], priority: holder(i) === node ? 200 : 100 }),
      ]),
    ),
  })

  test('each has one holder; cable out moves all, cable in moves back those that were here', async () => {
    const made = await labFor()
    const n1 = await startAgent(made, 'n1', config('n1'))
    const n2 = await startAgent(made, 'n2', config('n2'))
    for (const [i, { name }] of services.entries())
      await (holder(i) === 'n1' ? n1 : n2).untilState('active', 30_000, name)
    for (const [i, { name, address }] of services.entries()) {
      await made.untilHeldBy(address, [holder(i)])
      await (holder(i) === 'n1' ? n2 : n1).untilState('backup', 30_000, name)
    }
    await made.cableOut('n1')
    for (const { name, address } of services) {
      await n2.untilState('active', 30_000, name)
      await made.untilHeldBy(address, ['n2'])
      await n1.untilState('fault', 30_000, name)
    }
    await made.cableIn('n1')
    for (const [i, { name, address }] of services.entries()) {
      await (holder(i) === 'n1' ? n1 : n2).untilState('active', 30_000, name)
      await made.untilHeldBy(address, [holder(i)])
    }
    expect(await Promise.all([n1.stop(), n2.stop()])).toEqual([0, 0])
    for (const { address } of services) expect(await made.holdersOf(address)).toEqual([])
  })
})
