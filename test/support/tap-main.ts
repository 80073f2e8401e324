/**
 * Hears and sends whole Ethernet frames on eth0: the process behind tap.ts, in a namespace of the lab.
 *
 * Each ARP, neighbour advertisement and VRRP frame that comes in leaves as a JSON line on standard output, in the order
 * of the wire. Orders to send come as JSON lines on standard input. One AF_PACKET socket does both, so that a frame may
 * be as wrong as a test likes: no kernel fills in or refuses a length, a checksum or a source address.
 */
import { writeSync } from 'node:fs'
import { nowMs } from '../../infra/lab/clock.ts'
import { createLineDecoder } from '../../node-agent/lines.ts'
import { AF_PACKET, SOCK_CLOEXEC, SOCK_RAW } from '../../node-agent/linux/constants.ts'
import {
  bind,
  interfaceIndex,
  pollSetOf,
  ppoll,
  receive,
  scheduleRealtime,
  sendto,
  socket,
} from '../../node-agent/linux/libc.ts'
import { setBuffers } from '../../node-agent/linux/packet-socket.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { linkLayerAddress } from '../../node-agent/linux/socket-address.ts'
import { arrivedAt, stampArrivals } from './arrival.ts'
import {
  ethernet,
  etherType,
  type Injection,
  icmpv6,
  injectorMac,
  neighbourAdvertisement,
  type TapLine,
} from './tap.ts'

/** Sends the frames in turn until `count` have left, one each `gapMs`. */
type Sending = Injection & { sent: number; dueAt: number }

function main(): void {
  try {
    // Below routers and prober: an instant is only worth as much as our own punctuality.
    scheduleRealtime(0, 5)
  } catch {
    // Refused in a user namespace; the order of frames is right all the same.
  }
  const everyProtocol = 3
  const index = interfaceIndex('eth0')!
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, everyProtocol << 8)
  stampArrivals(fd)
  setBuffers(fd)
  bind(fd, linkLayerAddress(index, everyProtocol))
  const destination = linkLayerAddress(index, etherType.ipv4)
  const stdin = openPipe(0)
  const orders = createLineDecoder<Injection>()
  const pollSet = pollSetOf([fd, stdin.fd])
  const buffer = Buffer.alloc(2048)
  const sendings: Sending[] = []
  tell({ kind: 'ready' })

  for (;;) {
    const text = stdin.drain()
    if (text === undefined) return
    for (const order of orders(text)) sendings.push({ ...order, sent: 0, dueAt: nowMs() })
    for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
      if (isWanted(buffer, length)) tell({ kind: 'frame', at: arrivedAt(fd), hex: buffer.toString('hex', 0, length) })
    }
    const sending = sendings[0]
    if (sending !== undefined && nowMs() >= sending.dueAt) {
      sendto(fd, Buffer.from(sending.frames[sending.sent % sending.frames.length]!, 'hex'), destination)
      sending.sent += 1
      sending.dueAt += sending.gapMs
      if (sending.sent === sending.count) {
        sendings.shift()
        tell({ kind: 'sent', id: sending.id })
      }
    }
    const next = sendings[0]
    ppoll(pollSet, next === undefined ? undefined : (next.dueAt - nowMs()) * 1000)
  }
}

/** An AF_PACKET socket hears its own frames too; they are known by their source. */
function isWanted(frame: Buffer, length: number): boolean {
  if (length < ethernet.headerLength + 20) return false
  if (frame.compare(injectorMac, 0, 6, ethernet.sourceAt, ethernet.sourceAt + 6) === 0) return false
  const type = frame.readUInt16BE(ethernet.typeAt)
  if (type === etherType.arp) return true
  const at = ethernet.headerLength
  if (type === etherType.ipv4) return frame[at + 9] === 112
  if (type !== etherType.ipv6) return false
  return frame[at + 6] === 112 || (frame[at + 6] === icmpv6 && frame[at + 40] === neighbourAdvertisement)
}

function tell(line: TapLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

main()
