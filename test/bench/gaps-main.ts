/**
 * Notes when advertisements of one source come, as a process in the client's namespace: the gaps of each virtual router.
 *
 * The instants are the kernel's own stamps, so that neither our load nor anybody else's moves them. Each line on standard
 * input asks for what has come since the one before; the answer leaves as a JSON line on standard output.
 */
import { writeSync } from 'node:fs'
import { AF_PACKET, SOCK_CLOEXEC, SOCK_RAW } from '../../node-agent/linux/constants.ts'
import {
  bind,
  interfaceIndex,
  pollSetOf,
  ppoll,
  receive,
  scheduleRealtime,
  socket,
} from '../../node-agent/linux/libc.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { linkLayerAddress } from '../../node-agent/linux/socket-address.ts'
import { parseIpv4 } from '../../node-agent/wire/address.ts'
import { arrivedAt, stampArrivals } from '../support/arrival.ts'

/** `gapsMs`: of all its virtual routers. `strangers`: advertisements of any other source, which there should be none. */
export type Gaps = { readonly gapsMs: readonly number[]; readonly strangers: number }

const at = { etherType: 12, protocol: 14 + 9, source: 14 + 12, vrid: 14 + 20 + 1 } as const

function main(source: string): void {
  try {
    // So that its own queue never overflows while the machine is busy; below the routers, which it must not delay.
    scheduleRealtime(0, 5)
  } catch {
    // Refused in a user namespace: the stamps are right all the same.
  }
  const ipv4 = 0x0800
  const wanted = Buffer.from(parseIpv4(source)!).readUInt32BE()
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  stampArrivals(fd)
  bind(fd, linkLayerAddress(interfaceIndex('eth0')!, ipv4))
  const stdin = openPipe(0)
  const pollSet = pollSetOf([fd, stdin.fd])
  const frame = Buffer.alloc(2048)
  const last = new Map<number, number>()
  let gapsMs: number[] = []
  let strangers = 0
  writeSync(1, '{"ready":true}\n')

  for (;;) {
    const asked = stdin.drain()
    if (asked === undefined) return
    for (let length = receive(fd, frame); length !== undefined; length = receive(fd, frame)) {
      if (length <= at.vrid || frame[at.protocol] !== 112) continue
      if (frame.readUInt32BE(at.source) !== wanted) {
        strangers += 1
        continue
      }
      const now = arrivedAt(fd)
      const before = last.get(frame[at.vrid]!)
      if (before !== undefined) gapsMs.push(now - before)
      last.set(frame[at.vrid]!, now)
    }
    if (asked !== '') {
      const gaps: Gaps = { gapsMs, strangers }
      process.stdout.write(`${JSON.stringify(gaps)}\n`)
      gapsMs = []
      strangers = 0
    }
    ppoll(pollSet, undefined)
  }
}

main(process.argv[2] ?? '')
