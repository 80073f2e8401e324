/**
 * The agent's ports in a namespace of the lab, played by hand: the process behind io.ts.
 *
 * Orders come as lines on standard input; what the ports give to an engine, and say, leaves as lines on standard output.
 */
import { writeSync } from 'node:fs'
import { createLineDecoder, encodeLine } from '../../node-agent/lines.ts'
import { openPipe } from '../../node-agent/linux/pipe.ts'
import { openVrrpPorts } from '../../node-agent/linux/vrrp-ports.ts'
import { openMachine } from '../../node-agent/machine.ts'
import type { Input } from '../../node-agent/vrrp/engine.ts'
import type { IoLine, Order } from './io.ts'

function main(): void {
  const stdin = openPipe(0)
  const decode = createLineDecoder<Order>()
  const tell = (line: IoLine): void => void writeSync(1, encodeLine(line))
  let ended = false
  const perform = (order: Order): void => {
    switch (order.kind) {
      case 'carry':
        for (const input of ports.carry(order.routers)) tell({ kind: 'input', input })
        break
      case 'send':
        ports.sendAdvertisements(order.outgoing)
        break
      case 'change':
        ports.changeAddresses(order.changes)
        break
      case 'announce':
        ports.announce(order.announcements)
        break
    }
    tell({ kind: 'done', id: order.id })
  }
  const drain = (): Input[] | undefined => {
    const text = stdin.drain()
    if (text === undefined) ended = true
    for (const order of decode(text ?? '')) perform(order)
    return []
  }
  const machine = openMachine(process.argv[2]!)
  const keepsSiblings = process.argv[3] !== 'leave-siblings'
  const ports = openVrrpPorts({
    pipe: { ...stdin, drain },
    publish: (message) => tell({ kind: 'said', message }),
    virtualMacs: machine.virtualMacs,
    keepSiblings: keepsSiblings ? machine.keepSiblings : () => [],
  })
  tell({ kind: 'done', id: 0 })
  while (!ended) {
    for (const input of ports.drain()) tell({ kind: 'input', input })
    if (!ended) ports.wait(undefined)
  }
  machine.release()
}

main()
