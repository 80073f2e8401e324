/** What an agent makes of what it hears as backup: T-11 to T-17, T-21 and T-31 to T-45 of the conformance list. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nowMs } from '../../infra/lab/clock.ts'
import type { DiscardReason } from '../../node-agent/vrrp/admit.ts'
import { internetChecksum } from '../../node-agent/wire/checksum.ts'
import { labFor } from '../support/agents.ts'
import {
  expectWithin,
  heardBy,
  isOf,
  lifeOf,
  nameOf,
  prioritiesOf,
  type Subject,
  sentBy,
  startedAt,
  startSubjects,
  timer,
  untilCounted,
  vipsFor,
} from '../support/conformance.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { startTap } from '../support/tap.ts'

const password = (text: string): Uint8Array => new TextEncoder().encode(text)
const authentication = { type: 'pass', password: 'secret12' }
const ipv4HeaderLength = 20

/** Cut or grown behind its IP header, which says so. */
function resized(datagram: Uint8Array, payloadLength: number): Uint8Array {
  const bytes = new Uint8Array(ipv4HeaderLength + payloadLength)
  bytes.set(datagram.subarray(0, bytes.length))
  return withHeaderChecksum(bytes.with(2, bytes.length >> 8).with(3, bytes.length & 0xff))
}

function withHeaderChecksum(datagram: Uint8Array): Uint8Array {
  const header = datagram.subarray(0, 4 * (datagram[0]! & 0x0f))
  header.set([0, 0], 10)
  const sum = internetChecksum(header)
  header.set([sum >> 8, sum & 0xff], 10)
  return datagram
}

/** With the IP option that asks every router to look at it. */
function withRouterAlert(datagram: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(datagram.length + 4)
  bytes.set(datagram.subarray(0, ipv4HeaderLength))
  bytes.set([0x94, 0x04, 0, 0], ipv4HeaderLength)
  bytes.set(datagram.subarray(ipv4HeaderLength), ipv4HeaderLength + 4)
  bytes.set([0x46, bytes[1]!, 0, bytes.length])
  return withHeaderChecksum(bytes)
}

const padded = (datagram: Uint8Array): Uint8Array => Uint8Array.of(...datagram, ...new Uint8Array(14))
const flipped = (datagram: Uint8Array, at: number): Uint8Array => datagram.with(at, datagram[at]! ^ 0xff)

type Case = {
  readonly id: string
  readonly subject: Subject
  /** Each with the counter that it moves, or none where it is admitted. */
  readonly heard: readonly (readonly [Uint8Array, DiscardReason | undefined])[]
}

const v3: Subject = { vrid: 60 }
const v2 = (vrid: number, service = {}): Subject => ({ vrid, service: { version: 2, ...service } })
const v6 = (vrid: number, service = {}): Subject => ({ vrid, family: 'ipv6', service })

const all = (datagrams: readonly Uint8Array[], reason?: DiscardReason) =>
  datagrams.map((each) => [each, reason] as const)

/** Whoever hears only these takes over when its timer ends, as if nobody were there. */
const ignored: readonly Case[] = [
  {
    id: 'T-31',
    subject: v3,
    heard: all(
      [254, 64, 1].map((ttl) => heardBy(v3, { ttl })),
      'ttl',
    ),
  },
  { id: 'T-31 over IPv6', subject: v6(61), heard: all([heardBy(v6(61), { ttl: 64 })], 'ttl') },
  {
    id: 'T-32',
    subject: { vrid: 62 },
    heard: all([heardBy({ vrid: 62 }, { message: { 0: 0x41 } }), heardBy({ vrid: 62 }, { version: 2 })], 'version'),
  },
  { id: 'T-32 version 3 at version 2', subject: v2(63), heard: all([heardBy(v2(63))], 'version') },
  { id: 'T-33', subject: { vrid: 64 }, heard: all([heardBy({ vrid: 64 }, { message: { 0: 0x32 } })], 'type') },
  {
    id: 'T-33 of version 2',
    subject: v2(65),
    heard: all([heardBy(v2(65), { version: 2, message: { 0: 0x27 } })], 'type'),
  },
  {
    id: 'T-34',
    subject: { vrid: 66 },
    heard: all([flipped(heardBy({ vrid: 66 }), ipv4HeaderLength + 6)], 'checksum'),
  },
  { id: 'T-34 over IPv6', subject: v6(67), heard: all([flipped(heardBy(v6(67)), 40 + 6)], 'checksum') },
  {
    id: 'T-35 the other form, where one is asked for',
    subject: { vrid: 68, service: { acceptChecksum: 'rfc9568' } },
    heard: all([heardBy({ vrid: 68 }, { form: 'rfc5798' })], 'checksum'),
  },
  {
    id: 'T-36',
    subject: { vrid: 69 },
    heard: all(
      [
        ...[0, 1, 2, 3, 4, 5, 6, 7, 10, 20].map((octets) => resized(heardBy({ vrid: 69 }), octets)),
        heardBy({ vrid: 69 }, { message: { 3: 9 } }),
      ],
      'length',
    ),
  },
  {
    id: 'T-36 version 2 without its last eight octets',
    subject: v2(70),
    heard: all([resized(heardBy(v2(70), { version: 2 }), 12)], 'length'),
  },
  {
    id: 'T-39',
    subject: { vrid: 71 },
    heard: [
      [heardBy({ vrid: 71 }, { addresses: [] }), 'count'],
      [heardBy({ vrid: 71 }, { interval: 0 }), 'interval'],
    ],
  },
  {
    id: 'T-40',
    subject: v2(72, { authentication }),
    heard: all(
      [
        heardBy(v2(72), { version: 2, password: password('secret13') }),
        heardBy(v2(72), { version: 2 }),
        heardBy(v2(72), { version: 2, message: { 4: 3 } }),
      ],
      'auth',
    ),
  },
  { id: 'T-17', subject: v2(73), heard: all([heardBy(v2(73), { version: 2, interval: 200 })], 'interval') },
  {
    id: 'T-41 strict',
    subject: v2(74, { profile: 'strict' }),
    heard: all([heardBy(v2(74), { version: 2, addresses: ['10.77.1.9'] })], 'addr-list'),
  },
  {
    id: 'T-45 strict',
    subject: v6(75, { profile: 'strict' }),
    heard: all([heardBy(v6(75), { addresses: vipsFor(75).ipv6.toReversed() })], 'addr'),
  },
  { id: 'T-37', subject: { vrid: 76 }, heard: all([heardBy({ vrid: 52 })], 'vrid') },
  {
    id: 'T-37 on another interface',
    subject: { vrid: 77, service: { interface: 'eth1' } },
    heard: all([heardBy({ vrid: 77 })], 'vrid'),
  },
]

/** Whoever hears these stays backup. Their source MAC address is none of VRRP's. */
const followed: readonly Case[] = [
  {
    id: 'T-42 T-43 P-08',
    subject: { vrid: 90 },
    heard: all([
      heardBy({ vrid: 90 }, { message: { 4: 0xf0 } }),
      withRouterAlert(heardBy({ vrid: 90 })),
      padded(heardBy({ vrid: 90 })),
    ]),
  },
  {
    id: 'T-42 T-43 of version 2',
    subject: v2(91),
    heard: all([withRouterAlert(heardBy(v2(91), { version: 2 })), padded(heardBy(v2(91), { version: 2 }))]),
  },
  { id: 'T-43 P-08 over IPv6', subject: v6(92), heard: all([heardBy(v6(92))]) },
  { id: 'T-35 both forms', subject: { vrid: 93 }, heard: all([heardBy({ vrid: 93 }, { form: 'rfc5798' })]) },
  {
    id: 'T-41 strict, an owner’s',
    subject: v2(94, { profile: 'strict' }),
    heard: all([heardBy(v2(94), { version: 2, priority: 255, addresses: ['10.77.1.9'] })]),
  },
  {
    id: 'T-41 interop',
    subject: v2(95),
    heard: all([heardBy(v2(95), { version: 2, addresses: ['10.77.1.9'] })]),
  },
  {
    id: 'T-45 interop',
    subject: v6(96),
    heard: all([heardBy(v6(96), { addresses: vipsFor(96).ipv6.toReversed() })]),
  },
  {
    id: 'the right password',
    subject: v2(97, { authentication }),
    heard: all([heardBy(v2(97), { version: 2, password: password('secret12') })]),
  },
]

/** Active_Down_Interval of priority 100 at an interval of a second. */
const downMs = 3_609

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'what a backup hears', () => {
  test('is ignored where it should be, under its counter, and followed where it should be', async () => {
    const made = await labFor({ nodes: ['n1'], management: true })
    const tap = await startTap(made)
    const cases = [...ignored, ...followed]
    const agent = await startSubjects(
      made,
      cases.map(({ subject }) => subject),
    )
    for (const { subject } of cases) await startedAt(agent, subject)
    const heard = cases.flatMap((each) => each.heard)
    const rounds = 15
    // Four and a half seconds, so that each comes several times in every interval.
    await tap.inject(
      heard.map(([datagram]) => datagram),
      { count: rounds * heard.length, gapMs: 4_500 / (rounds * heard.length) },
    )
    for (const { id, subject } of ignored) {
      await agent.untilState('active', 5_000, nameOf(subject))
      expect(`${id}: ${lifeOf(agent, subject)}`).toBe(`${id}: backup active`)
      const [first] = sentBy(tap, subject)
      // What is sent on eth1 the tap doesn't see.
      if (subject.service?.interface === 'eth1') continue
      expectWithin(id, first!.at - (await startedAt(agent, subject)), timer(downMs))
    }
    for (const { id, subject } of followed) {
      expect(`${id}: ${lifeOf(agent, subject)}`).toBe(`${id}: backup`)
      expect(sentBy(tap, subject)).toEqual([])
    }
    const counts: Record<string, number> = {}
    for (const [, reason] of heard) if (reason !== undefined) counts[reason] = (counts[reason] ?? 0) + rounds
    await untilCounted(agent, counts)
    const odd = agent.events().filter(({ event }) => event === 'odd')
    for (const vrid of [94, 95, 96]) expect(odd.map(({ service }) => String(service)).join()).toContain(`${vrid}`)
  })
})

const [silent, leaving, returned, slow] = [
  { vrid: 51 },
  { vrid: 52 },
  { vrid: 53 },
  { vrid: 54, service: { interval: '500ms' } },
]
const preempting: Subject = { vrid: 55, service: { priority: 200 } }
const [equal, alone] = [{ vrid: 56 }, { vrid: 57 }]
const subjects: readonly Subject[] = [silent, leaving, returned, slow, preempting, equal, alone]

describeWith(timedLab, 'the timers of a backup', () => {
  test('end when they should: T-07, T-09, T-11, T-12, T-15, T-16, T-21; and it leaves as it should: T-13, T-14', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const tap = await startTap(made)
    const agent = await startSubjects(made, subjects)
    for (const subject of subjects) await startedAt(agent, subject)
    const from = nowMs()
    await tap.inject(
      [
        heardBy(silent),
        heardBy(leaving, { priority: 0 }),
        heardBy(returned, { priority: 0 }),
        heardBy(slow, { priority: 150, interval: 100 }),
      ],
      { count: 4, gapMs: 1 },
    )
    await sleep(300)
    const returnedAt = nowMs()
    await tap.inject([heardBy(returned, { priority: 150 })], { count: 1, gapMs: 1 })
    await tap.inject(
      [
        heardBy(preempting, { priority: 100, interval: 4_095 }),
        heardBy(equal, { priority: 100, source: '10.77.0.77' }),
        heardBy(equal, { priority: 100, source: '10.76.0.77' }),
      ],
      { count: 45, gapMs: 100 },
    )
    const firstOf = (subject: Subject): Promise<{ at: number }> => tap.until(isOf(subject))
    const own = async (subject: Subject): Promise<number> =>
      (await firstOf(subject)).at - (await startedAt(agent, subject))
    expectWithin('T-07', await own(alone), timer(downMs))
    expectWithin('T-09', (await firstOf(silent)).at - from, timer(downMs))
    expectWithin('T-11', (await firstOf(leaving)).at - from, timer(609))
    expectWithin('T-12', (await firstOf(returned)).at - returnedAt, timer(downMs))
    expectWithin('T-15', (await firstOf(slow)).at - from, timer(downMs))
    expectWithin('T-16', await own(preempting), timer(3_219))
    // P-32: it sends at its own interval, whatever it has learned.
    expect(await firstOf(slow)).toMatchObject({ header: { maxAdvertiseInterval: 50 } })
    expect(sentBy(tap, equal)).toEqual([])
    // T-07: it tells the hosts after that, and at once.
    const arp = await tap.until(
      (frame) => frame.kind === 'arp' && frame.gratuitous && frame.address === vipsFor(57).ipv4[0],
    )
    expectWithin('T-07', arp.at - (await firstOf(alone)).at, [0, 150])

    const left = tap.frames.length
    expect(await agent.stop()).toBe(0)
    for (const subject of subjects.filter((each) => each !== equal)) {
      expect(prioritiesOf(sentBy(tap, subject, left)).filter((priority) => priority === 0)).toEqual([0])
    }
    expect(sentBy(tap, equal)).toEqual([])
    expect((await made.addresses('n1')).filter((address) => address.startsWith('10.77.1.'))).toEqual([])
  })
})
