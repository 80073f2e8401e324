/** The open WebSocket of each node. A node has one: a newer one takes the older one's place. */
import type { Command } from './contract.ts'

export type Socket = { send(text: string): void; close(code: number, reason: string): void }

export type Links = {
  /** False when the node has no link, or its link cannot take any more. */
  send(node: string, commands: readonly Command[]): boolean
  open(node: string, socket: Socket): void
  /** Whether this was the node's present link; the end of a replaced one means nothing. */
  close(node: string, socket: Socket): boolean
  isPresent(node: string, socket: Socket): boolean
  /** The node's present link has just carried something to us. */
  carried(node: string): void
  /** When the node's link last carried anything, by the clock that was handed in; null while it has none. */
  aliveAt(node: string): number | null
  closeAll(reason: string): void
}

/** `now`: milliseconds that never jump. */
export function createLinks(now: () => number): Links {
  const sockets = new Map<string, Socket>()
  const aliveAt = new Map<string, number>()
  return {
    send: (node, commands) => {
      const socket = sockets.get(node)
      if (socket === undefined) return false
      try {
        socket.send(JSON.stringify({ commands }))
        return true
      } catch {
        // It is closing; its end will be heard of.
        return false
      }
    },
    open: (node, socket) => {
      const former = sockets.get(node)
      sockets.set(node, socket)
      aliveAt.set(node, now())
      former?.close(4000, 'replaced by a newer link of this node')
    },
    close: (node, socket) => {
      if (sockets.get(node) !== socket) return false
      aliveAt.delete(node)
      return sockets.delete(node)
    },
    isPresent: (node, socket) => sockets.get(node) === socket,
    carried: (node) => {
      if (sockets.has(node)) aliveAt.set(node, now())
    },
    aliveAt: (node) => aliveAt.get(node) ?? null,
    closeAll: (reason) => {
      for (const socket of sockets.values()) socket.close(1001, reason)
    },
  }
}
