/**
 * The links of an object that sleeps while they stay open. What is known of each is attached to its socket, so that it
 * is there when the object wakes; the runtime answers pings by itself and only keeps the time of the last one.
 */

import type { Clock } from '../core/ports.ts'
import type { LinkOwner } from '../link/agent-link.ts'
import { type Links, type Socket, sendOver } from '../link/links.ts'

type Attachment = {
  readonly node: string
  /** The id of the token that it was opened with. */
  readonly token: string
  /** When a report over it was last taken; null before the first. */
  readonly heardAt: number | null
  /** Replaced or refused: it may still be closing, and is no node's link any more. */
  readonly ended: boolean
}

export type HibernatingLinks = Links & {
  /** Nodes with a link. */
  nodes(): string[]
  /** Whose link this socket is or was; undefined for a socket that is none. */
  ownerOf(socket: WebSocket): LinkOwner | undefined
}

type Context = Pick<DurableObjectState, 'getWebSockets' | 'getWebSocketAutoResponseTimestamp'>

export function createHibernatingLinks(context: Context, clock: Pick<Clock, 'now'>): HibernatingLinks {
  const presentOf = (node: string): WebSocket | undefined => context.getWebSockets(node).find(isOpen)
  return {
    nodes: () => [
      ...new Set(
        context
          .getWebSockets()
          .filter(isOpen)
          .map((socket) => attached(socket)!.node),
      ),
    ],
    ownerOf: attached,
    send: (node, commands) => sendOver(presentOf(node), commands),
    open: (node, opened, token) => {
      const formers = context.getWebSockets(node).filter(isOpen)
      attach(opened, { node, token, heardAt: null, ended: false })
      for (const former of formers) {
        end(former)
        former.close(4000, 'replaced by a newer link of this node')
      }
    },
    close: (_, socket) => {
      const wasPresent = isSocket(socket) && attached(socket)?.ended === false
      if (wasPresent) end(socket)
      return wasPresent
    },
    isPresent: (_, socket) => isSocket(socket) && attached(socket)?.ended === false,
    heard: (node, at = clock.now()) => {
      const socket = presentOf(node)
      if (socket === undefined) return
      const known = attached(socket)!
      attach(socket, { ...known, heardAt: Math.max(at, known.heardAt ?? at) })
    },
    aliveAt: (node) => {
      const socket = presentOf(node)
      const heardAt = socket && attached(socket)!.heardAt
      if (socket === undefined || heardAt == null) return null
      return Math.max(heardAt, context.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? heardAt)
    },
    closeOf: (token, reason) => {
      for (const socket of context.getWebSockets()) if (attached(socket)?.token === token) socket.close(1008, reason)
    },
    closeAll: (reason) => {
      for (const socket of context.getWebSockets()) socket.close(1001, reason)
    },
  }
}

function attached(socket: WebSocket): Attachment | undefined {
  return (socket.deserializeAttachment() as Attachment | null) ?? undefined
}

function attach(socket: Socket, attachment: Attachment): void {
  ;(socket as WebSocket).serializeAttachment(attachment)
}

function end(socket: WebSocket): void {
  attach(socket, { ...attached(socket)!, ended: true })
}

function isOpen(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.OPEN && attached(socket)?.ended === false
}

function isSocket(socket: Socket): socket is WebSocket {
  return 'serializeAttachment' in socket
}
