/** Every frame on a node's eth0, whatever it is, and any frame sent from there; and frames to send. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '../../infra/lab/topology.ts'
import { formatMac } from '../../node-agent/wire/address.ts'
import { internetChecksum } from '../../node-agent/wire/checksum.ts'
import { encodeIpv4 } from '../../node-agent/wire/ipv4.ts'
import { until } from './agents.ts'
import { address } from './routers.ts'

export type RawFrame = {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly type: number
  /** What follows the Ethernet header. */
  readonly body: Uint8Array
}

export type Frames = {
  /** In the order of the wire; it grows. */
  readonly seen: readonly RawFrame[]
  send(...frames: readonly Uint8Array[]): void
  /** What came in the time given, from now on. */
  during(ms: number): Promise<readonly RawFrame[]>
  /** The first that fits, of those from number `from` on and those to come. */
  until(fits: (frame: RawFrame) => boolean, what: string, from?: number): Promise<RawFrame>
}

export async function startFrames(lab: Lab, node: string): Promise<Frames> {
  const seen: RawFrame[] = []
  let ready = false
  const program = await lab.spawn(process.execPath, [join(import.meta.dirname, 'frames-main.ts')], {
    in: node,
    onLine(text, stream) {
      if (stream === 'stderr') return
      const line = JSON.parse(text) as { ready?: true; at: number; hex: string }
      ready ||= line.ready === true
      if (line.ready) return
      const bytes = Uint8Array.from(Buffer.from(line.hex, 'hex'))
      const [to, from] = [formatMac(bytes.subarray(0, 6)), formatMac(bytes.subarray(6, 12))]
      seen.push({ at: line.at, from, to, type: (bytes[12]! << 8) | bytes[13]!, body: bytes.subarray(14) })
    },
  })
  await until(() => ready, `the recorder on ${node} is ready`)
  return {
    seen,
    send(...frames) {
      for (const frame of frames) program.stdin.write(`${JSON.stringify(Buffer.from(frame).toString('hex'))}\n`)
    },
    async during(ms) {
      const from = seen.length
      await sleep(ms)
      return seen.slice(from)
    },
    async until(fits, what, from = 0) {
      await until(() => seen.slice(from).some(fits), what)
      return seen.slice(from).find(fits)!
    },
  }
}

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const

export function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (octet) => Number.parseInt(octet, 16))
}

const broadcast = 'ff:ff:ff:ff:ff:ff'

export function frame(to: string, from: string, type: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([mac(to), mac(from), Uint8Array.of(type >> 8, type & 0xff), body])
}

/** A host's question for `target`. */
export function arpRequest(host: { mac: string; address: string }, target: string): Uint8Array {
  const head = Uint8Array.of(0, 1, 8, 0, 6, 4, 0, 1)
  const body = [head, mac(host.mac), address(host.address), new Uint8Array(6), address(target)]
  return frame(broadcast, host.mac, etherTypes.arp, Buffer.concat(body))
}

export type Arp = {
  readonly operation: 'request' | 'reply'
  readonly senderMac: string
  readonly sender: string
  readonly target: string
}

/** Undefined when the frame is no ARP. */
export function arpIn({ type, body }: RawFrame): Arp | undefined {
  if (type !== etherTypes.arp) return undefined
  return {
    operation: body[7] === 1 ? 'request' : 'reply',
    senderMac: formatMac(body.subarray(8, 14)),
    sender: body.subarray(14, 18).join('.'),
    target: body.subarray(24, 28).join('.'),
  }
}

/** An ICMP echo request in a frame, with another next hop than its destination where `to` says so. */
export function echoRequest(ends: { to: string; from: string; source: string; destination: string }): Uint8Array {
  const message = Uint8Array.of(8, 0, 0, 0, 0x77, 0x77, 0, 1)
  const sum = internetChecksum(message)
  message.set([sum >> 8, sum & 0xff], 2)
  const { source, destination } = ends
  const datagram = encodeIpv4({
    source: address(source),
    destination: address(destination),
    ttl: 64,
    protocol: 1,
    payload: message,
  })
  return frame(ends.to, ends.from, etherTypes.ipv4, datagram)
}
