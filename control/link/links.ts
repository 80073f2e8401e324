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
  /** What the node last reported over its present link still held then: now, if nothing else is said. */
  heard(node: string, at?: number): void
  /**
   * When that was last so, on the clock. Null without a link, and on one that no report has come over yet: that it was
   * opened shows that somebody is there, and not that what was reported over a former one still holds.
   */
  aliveAt(node: string): number | null
  /** Ends what was opened with this token. */
  closeOf(token: string, reason: string): void
  closeAll(reason: string): void
}

/** False when there is no link, or it cannot take any more. */
export function sendOver(socket: Pick<Socket, 'send'> | undefined, commands: readonly Command[]): boolean {
  if (socket === undefined) return false
  try {
    socket.send(JSON.stringify({ commands }))
    return true
  } catch {
    // It is closing; its end will be heard of.
    return false
  }
}

export function createLinks(clock: { now(): number }): Links {
  const sockets = new Map<string, Socket>()
  const tokens = new WeakMap<Socket, string>()
  const alive = new Map<string, number>()
  return {
    send: (node, commands) => sendOver(sockets.get(node), commands),
    open: (node, socket, token) => {
      const former = sockets.get(node)
      tokens.set(socket, token)
      sockets.set(node, socket)
      alive.delete(node)
      former?.close(4000, 'replaced by a newer link of this node')
    },
    close: (node, socket) => {
      if (sockets.get(node) !== socket) return false
      alive.delete(node)
      return sockets.delete(node)
    },
    isPresent: (node, socket) => sockets.get(node) === socket,
    heard: (node, at = clock.now()) => {
      if (sockets.has(node)) alive.set(node, Math.max(at, alive.get(node) ?? at))
    },
    aliveAt: (node) => alive.get(node) ?? null,
    closeOf: (token, reason) => {
      for (const socket of sockets.values()) if (tokens.get(socket) === token) socket.close(1008, reason)
    },
    closeAll: (reason) => {
      for (const socket of sockets.values()) socket.close(1001, reason)
    },
  }
}
