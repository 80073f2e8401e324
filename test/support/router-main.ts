/**
 * Virtual routers as the real-time process runs them, without supervisor and configuration file: the process behind
 * router-lab.ts. The first line on standard input says which; its end means resign.
 */
import { writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { goRealtime } from '../../node-agent/linux/realtime.ts'
import { openVrrpPorts } from '../../node-agent/linux/vrrp-ports.ts'
import { openMachine } from '../../node-agent/machine.ts'
import { turn } from '../../node-agent/perform.ts'
import type { FromVrrp } from '../../node-agent/ports.ts'
import { createEngine } from '../../node-agent/vrrp/engine.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'

function main(): void {
  goRealtime()
  const stdin = openPipe(0)
  const decode = createLineDecoder<readonly VirtualRouter[]>()
  const said: VirtualRouter[] = []
  const machine = openMachine(join(tmpdir(), `holdfast-router-${process.pid}.sysctls`))
  const ports = openVrrpPorts({
    virtualMacs: machine.virtualMacs,
    keepSiblings: machine.keepSiblings,
    pipe: {
      fd: stdin.fd,
      drain: () => {
        const text = stdin.drain()
        if (text === undefined) return undefined
        said.push(...decode(text).flat())
        return []
      },
    },
    publish: (message: FromVrrp) => {
      if (message.kind !== 'status') writeSync(1, encodeLine(message))
    },
  })
  while (said.length === 0) {
    ports.wait(undefined)
    ports.drain()
  }
  const engine = createEngine({ routers: said })
  for (const input of ports.carry(said)) engine.handle(input, ports.now())
  for (;;) {
    turn(engine, ports)
    if (engine.finished()) break
    ports.wait(engine.nextDeadline())
  }
  machine.release()
}

main()
