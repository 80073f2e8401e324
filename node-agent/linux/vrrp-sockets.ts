/**
 * The raw sockets of all routers: one for each interface and family in use, as long as the interface is there.
 *
 * An interface may come later, go, or come back under another index; its sockets follow.
 */
import type { Input } from '../vrrp/engine.ts'
import type { Family } from '../wire/address.ts'
import type { Interfaces } from './interfaces.ts'
import { SystemError } from './libc.ts'
import { type Listening, openVrrpSocket, type VrrpSocket } from './packet-socket.ts'

/** Of a virtual router, what decides which sockets it needs. */
export type Carried = {
  readonly interface: string
  readonly family: Family
  readonly transport: { readonly kind: 'multicast' | 'unicast' }
}

export type VrrpSockets = {
  /** The interfaces in use, whether they are there or not. */
  readonly names: () => readonly string[]
  readonly isUsed: (name: string) => boolean
  /** Of the sockets that are open, in a fixed order until the next `carry` or `follow`. */
  readonly fds: () => number[]
  readonly find: (name: string, family: Family) => VrrpSocket | undefined
  /** What is queued on those that are ready, by their number in `fds`. */
  readonly drain: (isReady: (nth: number) => boolean) => Input[]
  /** These routers from now on. */
  readonly carry: (routers: readonly Carried[]) => void
  /** The table of interfaces has changed. The names that mean another interface now than they did. */
  readonly follow: () => string[]
}

type Opened = { readonly listening: Listening; readonly index: number; readonly socket: VrrpSocket }

/** `prepare` is called with the interfaces in use that are there, before they are used, whenever that has changed. */
export function openVrrpSockets(
  interfaces: Interfaces,
  prepare: (interfaceNames: readonly string[]) => void,
): VrrpSockets {
  let wanted = new Map<string, Listening>()
  let names: readonly string[] = []
  const opened = new Map<string, Opened>()
  const indexes = new Map<string, number>()
  let prepared = ''

  const closeUnfit = (): void => {
    for (const [key, { listening, index, socket }] of opened) {
      const now = wanted.get(key)
      if (now?.multicast === listening.multicast && interfaces.get(listening.interface)?.index === index) continue
      socket.close()
      opened.delete(key)
    }
  }
  const prepareNew = (): void => {
    const there = names.map((name) => interfaces.get(name)).filter((found) => found !== undefined)
    const key = there.map(({ index, name }) => `${index} ${name}`).join()
    if (key !== prepared) prepare(there.map(({ name }) => name))
    prepared = key
  }
  const settle = (): string[] => {
    closeUnfit()
    prepareNew()
    for (const [key, listening] of wanted) {
      const index = interfaces.get(listening.interface)?.index
      if (index === undefined || opened.has(key)) continue
      const socket = openIfThere(listening, index)
      if (socket !== undefined) opened.set(key, { listening, index, socket })
    }
    return names.filter((name) => {
      const before = indexes.get(name)
      const index = interfaces.get(name)?.index
      if (index !== undefined) indexes.set(name, index)
      return before !== undefined && index !== undefined && before !== index
    })
  }

  return {
    names: () => names,
    isUsed: (name) => names.includes(name),
    fds: () => [...opened.values()].map(({ socket }) => socket.fd),
    find: (name, family) => opened.get(keyOf(name, family))?.socket,
    drain(isReady) {
      const inputs: Input[] = []
      let nth = 0
      for (const { listening, socket } of opened.values()) {
        nth += 1
        if (!isReady(nth - 1)) continue
        for (const bytes of socket.drain()) inputs.push({ kind: 'datagram', interface: listening.interface, bytes })
      }
      return inputs
    },
    carry(routers) {
      wanted = listeningOf(routers)
      names = [...new Set(routers.map((router) => router.interface))]
      for (const name of indexes.keys()) if (!names.includes(name)) indexes.delete(name)
      settle()
    },
    follow: settle,
  }
}

const keyOf = (name: string, family: Family): string => `${family} ${name}`

function listeningOf(routers: readonly Carried[]): Map<string, Listening> {
  const wanted = new Map<string, Listening>()
  for (const { interface: name, family, transport } of routers) {
    const key = keyOf(name, family)
    const multicast = transport.kind === 'multicast' || (wanted.get(key)?.multicast ?? false)
    wanted.set(key, { interface: name, family, multicast })
  }
  return wanted
}

/** Undefined when the interface has gone, or lost the name, before we could: news of that are on the way. */
function openIfThere(listening: Listening, index: number): VrrpSocket | undefined {
  try {
    return openVrrpSocket(listening, index)
  } catch (error) {
    if (error instanceof SystemError && ['ENODEV', 'ENXIO', 'EADDRNOTAVAIL'].includes(error.code)) return undefined
    throw error
  }
}
