/** The simulated LAN: every datagram reaches every other node a little later, or is lost. */
import type { Random } from '../support/prng.ts'
import type { Simulated } from './time.ts'

export type Lan = {
  readonly join: (node: string, receive: (datagram: Uint8Array) => void) => void
  readonly send: (from: string, datagram: Uint8Array) => void
  /** The share of datagrams that is lost, 0..1. */
  loss: number
  /** Directions that carry nothing, as `n1>n2`. */
  readonly cut: Set<string>
}

export function createLan(time: Simulated, random: Random): Lan {
  const members = new Map<string, (datagram: Uint8Array) => void>()
  const lan: Lan = {
    join: (node, receive) => void members.set(node, receive),
    send(from, datagram) {
      for (const [to, receive] of members) {
        if (to === from || lan.cut.has(`${from}>${to}`) || random.chance(lan.loss)) continue
        time.after(random.between(30, 400), () => receive(datagram))
      }
    },
    loss: 0,
    cut: new Set(),
  }
  return lan
}
