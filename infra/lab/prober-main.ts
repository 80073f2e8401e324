/**
 * The client that measures: ICMP echo of either family at a fixed rate, as a process in the client's namespace (see prober.ts).
 *
 * One synchronous loop: send what is due, sleep in ppoll until the next is due or a reply comes, take all replies.
 * The schedule is absolute, so a late probe does not delay those after it. Commands come as lines on standard input;
 * events leave as JSON lines on standard output.
 */
import { writeSync } from 'node:fs'
import { AF_INET, AF_INET6, IPPROTO_ICMP, SOCK_CLOEXEC, SOCK_RAW } from '../../node-agent/linux/constants.ts'
import {
  pollSetOf,
  ppoll,
  read,
  receive,
  scheduleRealtime,
  sendto,
  setNonBlocking,
  setsockopt,
  socket,
} from '../../node-agent/linux/libc.ts'
import { internetAddress } from '../../node-agent/linux/socket-address.ts'
import { parseAddress } from '../../node-agent/wire/address.ts'
import { internetChecksum } from '../../node-agent/wire/checksum.ts'
import { nowMs } from './clock.ts'
import { createProbeRecord, type ProbeRecord } from './probe-record.ts'
import type { ProbeSettings } from './prober.ts'

function main(settings: ProbeSettings): void {
  try {
    // Below the routers under test: measuring must not delay what it measures, but ordinary load must not delay it.
    scheduleRealtime(0, 10)
  } catch {
    // Refused in a user namespace. `worstLatenessMs` in the report tells what that costs.
  }
  const target = parseAddress(settings.target)!
  const kind = target.length === 4 ? icmpv4 : icmpv6
  const fd = openIcmp(kind)
  const address = internetAddress(target, 0)
  const identifier = process.pid & 0xffff
  const record = createProbeRecord(settings, (event) => writeSync(1, `${JSON.stringify(event)}\n`))
  const commands = createCommandReader(record)
  const pollSet = pollSetOf([fd, 0])
  const packet = echoRequest(kind, identifier)
  const reply = Buffer.alloc(2048)
  let dueAt = nowMs()

  while (commands.read()) {
    let now = nowMs()
    for (let burst = 0; dueAt <= now && burst < mostAtOnce; burst += 1) {
      stamp(packet, record.sent(now, now - dueAt))
      // False (no route, queue full) is an unanswered probe like any other.
      sendto(fd, packet, address)
      dueAt += settings.intervalMs
      now = nowMs()
    }
    if (now - dueAt > settings.intervalMs * mostAtOnce) {
      const missed = Math.floor((now - dueAt) / settings.intervalMs)
      record.skipped(missed)
      dueAt += missed * settings.intervalMs
    }
    ppoll(pollSet, (dueAt - nowMs()) * 1000)
    for (let length = receive(fd, reply); length !== undefined; length = receive(fd, reply)) {
      const sequence = sequenceOf(reply, { kind, length, identifier, target })
      if (sequence !== undefined) record.answered(sequence, nowMs())
    }
    record.settle(nowMs())
  }
}

/** How many probes may leave together after a delay; more would be a burst that no client sends. */
const mostAtOnce = 5

/** What differs between the families; an IPv6 socket gives no IP header, and does the checksum. */
const icmpv4 = {
  domain: AF_INET,
  protocol: IPPROTO_ICMP,
  request: 8,
  reply: 0,
  filter: { level: 255, name: 1, value: Buffer.from('feffffff', 'hex') },
}
const icmpv6 = {
  domain: AF_INET6,
  protocol: 58,
  request: 128,
  reply: 129,
  filter: {
    level: 58,
    name: 1,
    value: Buffer.concat([Buffer.alloc(16, 0xff), Buffer.from('fdffffff', 'hex'), Buffer.alloc(12, 0xff)]),
  },
}
type Icmp = typeof icmpv4

/** Replies only: the kernel filters the rest. Never blocks, not even while the neighbour's address is looked for. */
function openIcmp({ domain, protocol, filter }: Icmp): number {
  const fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC, protocol)
  setNonBlocking(fd)
  setsockopt(fd, { ...filter, what: 'ICMP_FILTER' }, filter.value)
  return fd
}

const ipSourceAt = 12
const icmp = { type: 0, checksum: 2, identifier: 4, sequence: 6, payload: 8, length: 16 } as const

function echoRequest({ request }: Icmp, identifier: number): Buffer {
  const packet = Buffer.alloc(icmp.length)
  packet[icmp.type] = request
  packet.writeUInt16BE(identifier, icmp.identifier)
  return packet
}

/** The header's number has 16 bits and comes round each minute; the payload's never does. */
function stamp(packet: Buffer, sequence: number): void {
  packet.writeUInt16BE(sequence & 0xffff, icmp.sequence)
  packet.writeUInt32BE(Math.floor(sequence / 2 ** 32), icmp.payload)
  packet.writeUInt32BE(sequence % 2 ** 32, icmp.payload + 4)
  packet.writeUInt16BE(0, icmp.checksum)
  packet.writeUInt16BE(internetChecksum(packet), icmp.checksum)
}

type Expected = {
  readonly kind: Icmp
  readonly length: number
  readonly identifier: number
  readonly target: Uint8Array
}

/** The probe that a packet answers, if it answers one of ours. The kernel has checked its checksums. */
function sequenceOf(packet: Buffer, { kind, length, identifier, target }: Expected): number | undefined {
  const body = kind === icmpv4 ? (packet[0]! & 0x0f) * 4 : 0
  if (length < body + icmp.length || packet[body + icmp.type] !== kind.reply) return undefined
  if (packet.readUInt16BE(body + icmp.identifier) !== identifier) return undefined
  if (kind === icmpv4 && packet.compare(target, 0, 4, ipSourceAt, ipSourceAt + 4) !== 0) return undefined
  return packet.readUInt32BE(body + icmp.payload) * 2 ** 32 + packet.readUInt32BE(body + icmp.payload + 4)
}

/** `read` performs what has come in; false when it is time to stop, which the end of the input says too. */
function createCommandReader(record: ProbeRecord): { read(): boolean } {
  setNonBlocking(0)
  const buffer = Buffer.alloc(4096)
  let rest = ''
  return {
    read: () => {
      const length = read(0, buffer)
      if (length === undefined) return true
      const lines = (rest + buffer.toString('utf8', 0, length)).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const [word, id] = line.split(' ')
        if (word === 'mark') record.mark()
        if (word === 'report') record.report(Number(id))
        if (word === 'stop') return false
      }
      return length > 0
    },
  }
}

main(JSON.parse(process.argv[2] ?? '') as ProbeSettings)
