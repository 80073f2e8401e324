/**
 * Virtual routers as the real-time process runs them, without supervisor and configuration file: the process behind
 * router-lab.ts. The first line on standard input says which; its end means resign.
 */
import { writeSync } from 'node:fs'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { goRealtime } from '../../node-agent/linux/realtime.ts'
import { openVrrpPorts } from '../../node-agent/linux/vrrp-ports.ts'
import { turn } from '../../node-agent/perform.ts'
import type { FromVrrp } from '../../node-agent/ports.ts'
import { createEngine } from '../../node-agent/vrrp/engine.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'

function main(): void {
  goRealtime()
  const stdin = openPipe(0)
  const decode = createLineDecoder<readonly VirtualRouter[]>()
  const said: VirtualRouter[] = []
  const ports = openVrrpPorts({
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
    if (engine.finished()) return
    ports.wait(engine.nextDeadline())
  }
}

main()
