/** Packets that no router should have sent: each is counted under its reason, and changes nothing else. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AgentProcess } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import type { DiscardReason } from '../../node-agent/vrrp/admit.ts'
import { internetChecksum } from '../../node-agent/wire/checksum.ts'
import { encodeIpv4 } from '../../node-agent/wire/ipv4.ts'
import {
  type Advertisement,
  encodeAdvertisement,
  vrrpMulticastGroup,
  vrrpProtocol,
} from '../../node-agent/wire/vrrp.ts'
import { agentPair, expectAtRest, statusOf, until, vip } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'
import { type Frame, startTap } from '../support/tap.ts'

const stranger = Uint8Array.of(10, 77, 0, 77)
const ipv4HeaderLength = 20

type Packet = { readonly ttl?: number; readonly source?: Uint8Array; readonly destination?: Uint8Array }

function datagram(payload: Uint8Array, packet: Packet = {}): Uint8Array {
  const { ttl = 255, source = stranger, destination = vrrpMulticastGroup } = packet
  return encodeIpv4({ source, destination, ttl, protocol: vrrpProtocol, payload })
}

/** A good advertisement of a priority that would depose anybody, unless something is wrong with it. */
function message(fields: Partial<Omit<Advertisement, 'version' | 'password'>> = {}): Uint8Array {
  const addresses = [Uint8Array.of(10, 77, 0, 50)]
  const advertisement = { version: 3, vrid: 51, priority: 254, maxAdvertiseInterval: 10, addresses } as const
  const envelope = { source: stranger, destination: vrrpMulticastGroup }
  return encodeAdvertisement({ ...advertisement, ...fields }, envelope, 'rfc9568')
}

/** With octets changed, and the checksum made right again unless it is what should be wrong. */
function altered(at: number, value: number, { checksum = true } = {}): Uint8Array {
  const bytes = message()
  bytes[at] = value
  if (checksum) bytes.set([0, 0], 6)
  const sum = internetChecksum(bytes)
  if (checksum) bytes.set([sum >> 8, sum & 0xff], 6)
  return bytes
}

const malformed: { name: string; reason: DiscardReason; bytes: Uint8Array }[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((octets) => ({
    name: `${octets} octets of payload`,
    reason: 'length' as const,
    bytes: datagram(message().subarray(0, octets)),
  })),
  { name: 'a truncated list of addresses', reason: 'length', bytes: datagram(message().subarray(0, 10)) },
  { name: 'more octets than the count says', reason: 'length', bytes: datagram(Buffer.concat([message(), stranger])) },
  { name: 'TTL 254', reason: 'ttl', bytes: datagram(message(), { ttl: 254 }) },
  { name: 'TTL 64', reason: 'ttl', bytes: datagram(message(), { ttl: 64 }) },
  { name: 'TTL 1', reason: 'ttl', bytes: datagram(message(), { ttl: 1 }) },
  { name: 'version 4', reason: 'version', bytes: datagram(altered(0, 0x41)) },
  { name: 'version 2', reason: 'version', bytes: datagram(altered(0, 0x21)) },
  { name: 'type 2', reason: 'type', bytes: datagram(altered(0, 0x32)) },
  { name: 'a VRID of nobody here', reason: 'vrid', bytes: datagram(message({ vrid: 52 })) },
  {
    name: 'a wrong priority under an old checksum',
    reason: 'checksum',
    bytes: datagram(altered(2, 99, { checksum: false })),
  },
  { name: 'a checksum of zero', reason: 'checksum', bytes: datagram(altered(6, 0, { checksum: false })) },
  { name: 'no address', reason: 'count', bytes: datagram(message({ addresses: [] })) },
  { name: 'an interval of zero', reason: 'interval', bytes: datagram(message({ maxAdvertiseInterval: 0 })) },
]

/** The recorded packets that strict receivers discard for what the datagram itself says, from the stranger's address. */
function recorded(): Uint8Array[] {
  type Vector = { name: string; layer: string; hex: string; expect: { verdict: string }; params: { ttl?: number } }
  const file = join(import.meta.dirname, '../node-agent/vrrp-vectors.json')
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[]
  return (
    vectors
      .filter(({ name, layer, hex }) => layer === 'vrrp' && name.startsWith('v3-ipv4') && hex.startsWith('45'))
      // From the stranger, the one with our own source address is like any other.
      .filter(({ name, expect: { verdict } }) => verdict === 'discard' && name !== 'v3-ipv4-own-source')
      .map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex')))
      .map((bytes) => datagram(bytes.subarray(ipv4HeaderLength), { ttl: bytes[8]! }))
  )
}

async function countersOf(agent: AgentProcess): Promise<Record<string, number>> {
  return { ...(await statusOf(agent)).discards.eth0 }
}

const sumOf = (counters: Record<string, number>): number => Object.values(counters).reduce((sum, n) => sum + n, 0)
/** Counters are up to a second old. When they do not get there, what they are and whether the process died says more than a time-out. */
async function expectCounted(agent: AgentProcess, total: number): Promise<void> {
  const enough = async (): Promise<boolean> => sumOf(await countersOf(agent)) >= total
  await until(enough, 'counted').catch(() => {})
  const { vrrp, discards } = await statusOf(agent)
  const counted = sumOf({ ...discards.eth0 })
  expect({ restarts: vrrp.restarts, counted, discards }).toEqual({ restarts: 0, counted: total, discards })
}

const fromN1 = (frame: Frame): boolean => frame.kind === 'vrrp' && frame.source === '10.77.0.1'

/** The longest time between two frames that follow each other. */
const longestGapMs = (frames: readonly Frame[]): number =>
  Math.max(...frames.slice(1).map((frame, i) => frame.at - frames[i]!.at))

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'packets that no router should have sent', () => {
  test('2000 of them: each counted under its reason by active and backup, no state and no pace changed', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await tap.until(fromN1)
    const before = [await countersOf(n1), await countersOf(n2)]
    const count = 2000 - (2000 % malformed.length)
    const each = count / malformed.length
    const from = tap.frames.length
    const startedAt = tap.frames.at(-1)!.at
    await tap.inject(
      malformed.map(({ bytes }) => bytes),
      { count, gapMs: 1 },
    )
    const last = await tap.until(fromN1, { from: tap.frames.length })

    const expected = (counters: Record<string, number>): Record<string, number> => {
      const sums = { ...counters }
      for (const { reason } of malformed) sums[reason] = (sums[reason] ?? 0) + each
      return sums
    }
    for (const [i, agent] of [n1, n2].entries()) {
      const wanted = expected(before[i]!)
      await expectCounted(agent, sumOf(wanted))
      expect(await countersOf(agent)).toEqual(wanted)
    }
    // Two seconds of them, through which n1 advertises as if there were none, and n2 hears it.
    const heard = tap.frames.slice(from, tap.frames.indexOf(last) + 1).filter(fromN1)
    expect(heard.length).toBeGreaterThan(15)
    expect(Math.abs(heard.length - (last.at - startedAt) / 100)).toBeLessThan(3)
    expect(longestGapMs(heard)).toBeLessThan(250)
    expect(tap.frames.filter((frame) => frame.kind === 'vrrp' && !fromN1(frame))).toEqual([])
    expect(since(n1)).toEqual([])
    expect(since(n2)).toEqual([])
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })

  test('recorded ones, and random octets: nothing changes and nothing crashes', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    const before = await countersOf(n2)
    const vectors = recorded()
    expect(vectors.length).toBeGreaterThanOrEqual(8)
    // Every octet of the header in turn, each with a few values, under the checksum of the good message.
    const mutated = Array.from({ length: 12 * 16 }, (_, i) =>
      altered(i % 12, (i * 37 + 13) & 0xff, { checksum: false }),
    )
      .filter((bytes) => Buffer.compare(bytes, message()) !== 0)
      .map((bytes) => datagram(bytes))
    const packets = [...vectors, ...mutated]
    await tap.inject(packets, { count: packets.length, gapMs: 1 })
    await expectCounted(n2, sumOf(before) + packets.length)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await statusOf(n1)).vrrp.restarts + (await statusOf(n2)).vrrp.restarts).toBe(0)
    expect(since(n2)).toEqual([])
  })

  test('a storm of losing advertisements gets a bounded number of answers, and the active one stays so', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await tap.until(fromN1)
    const from = tap.frames.length
    const startedAt = tap.frames.at(-1)!.at
    await tap.inject([datagram(message({ priority: 1 }))], { count: 800, gapMs: 2.5 })
    const last = await tap.until(fromN1, { from: tap.frames.length })
    const answers = tap.frames.slice(from, tap.frames.indexOf(last) + 1).filter(fromN1).length
    const tookMs = last.at - startedAt
    // One answer each 10 ms at most (F-32), and its own pace of one each 100 ms.
    expect(answers).toBeLessThanOrEqual(tookMs / 10 + tookMs / 100 + 5)
    expect(answers).toBeGreaterThan(tookMs / 100 + 20)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(since(n1)).toEqual([])
    expect(since(n2)).toEqual([])
  })

  test('a better router that then falls silent is followed, and succeeded after its own interval', async () => {
    const { made, n1, n2 } = await agentPair()
    const tap = await startTap(made)
    // Interval 50 cs: silent for 3 of them and the skew of priority 200, which is 1.6 s.
    const better = datagram(message({ maxAdvertiseInterval: 50 }))
    const injectedAt = nowMs()
    await tap.inject([better], { count: 1, gapMs: 1 })
    const from = tap.frames.length
    await n1.untilEvent(({ event, reason }) => event === 'state' && reason === 'outranked')
    await until(async () => (await made.holdersOf(vip)).length === 0, 'n1 has removed the address')
    await n1.untilState('active')
    const first = await tap.until(fromN1, { from })
    expect(first.at - injectedAt).toBeGreaterThan(1_600)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await statusOf(n1)).discards.eth0).toMatchObject({ ttl: 0, length: 0, checksum: 0 })
  })
})

describeWith(timedLab, 'local status', () => {
  test('says what the node does, and counts what it sends and hears', async () => {
    const { n1, n2 } = await agentPair()
    const first = await statusOf(n1)
    expect(first).toMatchObject({
      node: 'n1',
      site: 'default',
      control: null,
      vrrp: { restarts: 0 },
      services: {
        web: {
          state: 'active',
          priority: 200,
          basePriority: 200,
          interface: 'eth0',
          vrid: 51,
          fault: null,
          transitions: 2,
        },
      },
    })
    expect(first.services.web!.addresses).toEqual([`${vip}/24`])
    expect(Date.parse(first.services.web!.since)).toBeLessThanOrEqual(Date.now())
    const heard = (await statusOf(n2)).services.web!.received
    await until(async () => (await statusOf(n1)).services.web!.sent > first.services.web!.sent + 5, 'n1 counts on')
    await until(async () => (await statusOf(n2)).services.web!.received > heard + 5, 'n2 counts on')
    const [active, backup] = [await statusOf(n1), await statusOf(n2)]
    expect(backup.services.web!).toMatchObject({ state: 'backup', priority: 100, late: 0 })
    expect(sumOf({ ...active.discards.eth0 })).toBe(0)
    expect(active.incarnation).not.toBe(backup.incarnation)
    expect(statSync(n1.socket).mode & 0o777).toBe(0o660)
  })
})
