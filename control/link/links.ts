/** The open WebSocket of each node. A node has one: a newer one takes the older one's place. */
import type { Command } from '../contract.ts'

export type Socket = { send(text: string): void; close(code: number, reason: string): void }

export type Links = {
  /** False when the node has no link, or its link cannot take any more. */
  send(node: string, commands: readonly Command[]): boolean
  /** `token`: the id of the token that it was opened with. */
  open(node: string, socket: Socket, token: string): void
  /** Whether this was the node's present link; the end of a replaced one means nothing. */
  close(node: string, socket: Socket): boolean
  isPresent(node: string, socket: Socket): boolean
  /** The node's link has carried something. */
  heard(node: string): void
  /** When it last did, on the clock; null without a link. */
  aliveAt(node: string): number | null
  /** Ends what was opened with this token. */
  closeOf(token: string, reason: string): void
  closeAll(reason: string): void
}

export function createLinks(clock: { now(): number }): Links {
  const sockets = new Map<string, Socket>()
  const tokens = new WeakMap<Socket, string>()
  const alive = new Map<string, number>()
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
    open: (node, socket, token) => {
      const former = sockets.get(node)
      tokens.set(socket, token)
      sockets.set(node, socket)
      alive.set(node, clock.now())
      former?.close(4000, 'replaced by a newer link of this node')
    },
    close: (node, socket) => {
      if (sockets.get(node) !== socket) return false
      alive.delete(node)
      return sockets.delete(node)
    },
    isPresent: (node, socket) => sockets.get(node) === socket,
    heard: (node) => void alive.set(node, clock.now()),
    aliveAt: (node) => (sockets.has(node) ? (alive.get(node) ?? null) : null),
    closeOf: (token, reason) => {
      for (const socket of sockets.values()) if (tokens.get(socket) === token) socket.close(1008, reason)
    },
    closeAll: (reason) => {
      for (const socket of sockets.values()) socket.close(1001, reason)
    },
  }
}
