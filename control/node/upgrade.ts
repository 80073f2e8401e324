/** A node's link on Node: the WebSocket of `ws`, by way of Hono's server. */
import { upgradeWebSocket } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { callerOf, type Env } from '../access/auth.ts'
import type { AgentLink } from '../link/agent-link.ts'
import type { Socket } from '../link/links.ts'

export function upgradeOn(link: AgentLink): MiddlewareHandler<Env> {
  return upgradeWebSocket((context) => {
    const { id, node } = callerOf(context)
    const owner = { node: node!, token: id }
    let socket: Socket | undefined
    const end = (): void => {
      if (socket !== undefined) link.ended(owner, socket)
    }
    return {
      onOpen: (_, opened) => {
        socket = { send: (text) => opened.send(text), close: (code, reason) => opened.close(code, reason) }
        link.opened(owner, socket)
      },
      onMessage: ({ data }) => {
        if (socket !== undefined) void link.heard(owner, socket, data)
      },
      onClose: end,
      onError: end,
    }
  })
}
