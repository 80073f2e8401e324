/**
 * A client of many addresses, as a process in its namespace: when each was first announced, and when it first answered.
 *
 * `begin` on standard input: from now on all addresses are asked every few milliseconds, each until it answers. `report`
 * asks for what has been seen since, which leaves as a JSON line on standard output. Instants are the kernel's stamps.
 */
import { writeSync } from 'node:fs'
import { nowMs } from '../../infra/lab/clock.ts'
import { AF_INET, AF_PACKET, IPPROTO_ICMP, SOCK_CLOEXEC, SOCK_RAW } from '../../node-agent/linux/constants.ts'
import {
  bind,
  interfaceIndex,
  pollSetOf,
  ppoll,
  receive,
  scheduleRealtime,
  sendto,
  setNonBlocking,
  setsockopt,
  socket,
} from '../../node-agent/linux/libc.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { internetAddress, linkLayerAddress } from '../../node-agent/linux/socket-address.ts'
import { parseIpv4 } from '../../node-agent/wire/address.ts'
import { internetChecksum } from '../../node-agent/wire/checksum.ts'
import { arrivedAt, stampArrivals } from '../support/arrival.ts'

/** Of each address, in milliseconds of the lab's clock; null while it has not happened. */
export type Mass = { readonly announcedAt: (number | null)[]; readonly answeredAt: (number | null)[] }

const sweepMs = 10
const arp = { type: 0x0806, senderAt: 14 + 14, targetAt: 14 + 24 } as const

function main(addresses: readonly string[]): void {
  try {
    // Below the routers, whose punctuality is measured; the stamps are the kernel's.
    scheduleRealtime(0, 5)
  } catch {
    // Refused in a user namespace.
  }
  const icmp = openIcmp()
  const frames = openArp()
  const stdin = openPipe(0)
  const pollSet = pollSetOf([icmp, frames, stdin.fd])
  const targets = addresses.map((address) => internetAddress(parseIpv4(address)!, 0))
  const indexOf = new Map(addresses.map((address, i) => [Buffer.from(parseIpv4(address)!).readUInt32BE(), i]))
  const request = echoRequest()
  const buffer = Buffer.alloc(2048)
  const nothing = (): Mass => ({ announcedAt: addresses.map(() => null), answeredAt: addresses.map(() => null) })
  let seen = nothing()
  let sweepAt = Number.POSITIVE_INFINITY
  writeSync(1, '{"ready":true}\n')

  for (;;) {
    for (let length = receive(frames, buffer); length !== undefined; length = receive(frames, buffer)) {
      const sender = buffer.readUInt32BE(arp.senderAt)
      if (sender === buffer.readUInt32BE(arp.targetAt)) note(seen.announcedAt, indexOf.get(sender), frames)
    }
    for (let length = receive(icmp, buffer); length !== undefined; length = receive(icmp, buffer)) {
      note(seen.answeredAt, indexOf.get(buffer.readUInt32BE(12)), icmp)
    }
    const asked = stdin.drain()
    if (asked === undefined) return
    if (asked.includes('begin')) {
      seen = nothing()
      sweepAt = nowMs()
    }
    if (asked.includes('report')) process.stdout.write(`${JSON.stringify(seen)}\n`)
    if (nowMs() >= sweepAt) {
      for (const [i, target] of targets.entries()) if (seen.answeredAt[i] === null) sendto(icmp, request, target)
      sweepAt = Math.max(sweepAt + sweepMs, nowMs())
    }
    const left = sweepAt - nowMs()
    ppoll(pollSet, Number.isFinite(left) ? left * 1000 : undefined)
  }
}

function note(instants: (number | null)[], index: number | undefined, fd: number): void {
  if (index !== undefined) instants[index] ??= arrivedAt(fd)
}

/** Replies only. Never blocks, not even while a neighbour is looked for. */
function openIcmp(): number {
  const SOL_RAW = 255
  const ICMP_FILTER = 1
  const allButEchoReply = Buffer.alloc(4)
  allButEchoReply.writeUInt32LE(~1 >>> 0)
  const fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)
  setNonBlocking(fd)
  setsockopt(fd, { level: SOL_RAW, name: ICMP_FILTER, what: 'ICMP_FILTER' }, allButEchoReply)
  stampArrivals(fd)
  return fd
}

function openArp(): number {
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  stampArrivals(fd)
  bind(fd, linkLayerAddress(interfaceIndex('eth0')!, arp.type))
  return fd
}

function echoRequest(): Buffer {
  const packet = Buffer.alloc(8)
  packet[0] = 8
  packet.writeUInt16BE(process.pid & 0xffff, 4)
  packet.writeUInt16BE(internetChecksum(packet), 2)
  return packet
}

main(JSON.parse(process.argv[2] ?? '[]') as string[])
