/**
 * Hears every Ethernet frame on eth0, and sends any: the process behind frames.ts, in a namespace of the lab.
 *
 * Each frame leaves as a JSON line on standard output, those of this namespace's own kernel too, which are told apart
 * by their source. Frames to send come as lines of hexadecimal digits on standard input.
 */
import { writeSync } from 'node:fs'
import { nowMs } from '../../infra/lab/clock.ts'
import { createLineDecoder } from '../../node-agent/lines.ts'
import { AF_PACKET, SOCK_CLOEXEC, SOCK_RAW } from '../../node-agent/linux/constants.ts'
import { bind, interfaceIndex, pollSetOf, ppoll, receive, sendto, socket } from '../../node-agent/linux/libc.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { linkLayerAddress } from '../../node-agent/linux/socket-address.ts'

function main(): void {
  const everyProtocol = 3
  const index = interfaceIndex('eth0')!
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, everyProtocol << 8)
  bind(fd, linkLayerAddress(index, everyProtocol))
  const stdin = openPipe(0)
  const orders = createLineDecoder<string>()
  const pollSet = pollSetOf([fd, stdin.fd])
  const buffer = Buffer.alloc(2048)
  writeSync(1, `${JSON.stringify({ ready: true })}\n`)
  for (;;) {
    const text = stdin.drain()
    if (text === undefined) return
    for (const hex of orders(text)) {
      const frame = Buffer.from(hex, 'hex')
      sendto(fd, frame, linkLayerAddress(index, frame.readUInt16BE(12)))
    }
    for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer)) {
      writeSync(1, `${JSON.stringify({ at: nowMs(), hex: buffer.toString('hex', 0, length) })}\n`)
    }
    ppoll(pollSet, undefined)
  }
}

main()
