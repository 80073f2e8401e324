/** A node's link on Node: the WebSocket of `ws`, by way of Hono's server. */
import { upgradeWebSocket } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import type { AgentLink } from '../agent-link.ts'
import type { Env } from '../auth.ts'
import type { Socket } from '../links.ts'

export function upgradeOn(link: AgentLink): MiddlewareHandler<Env> {
  return upgradeWebSocket((context) => {
    const node = (context.get('identity') as Env['Variables']['identity']).node!
    let socket: Socket | undefined
    const end = (): void => {
      if (socket !== undefined) link.ended(node, socket)
    }
    return {
      onOpen: (_, opened) => {
        socket = { send: (text) => opened.send(text), close: (code, reason) => opened.close(code, reason) }
        link.opened(node, socket)
      },
      onMessage: ({ data }) => {
        if (socket !== undefined) void link.heard(node, socket, data)
      },
      onClose: end,
      onError: end,
    }
  })
}
