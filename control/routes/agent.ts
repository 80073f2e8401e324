/** The link of a node: a WebSocket that carries reports up and commands down. It is refused before it is opened. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { allowNode, callerOf, type Env, type Identity } from '../auth.ts'
import { reportSchema } from '../contract.ts'
import type { Socket } from '../links.ts'
import { invalid, ProblemError } from '../problem.ts'
import type { LinkEvents, RouteInput } from './context.ts'

export function agentRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = new OpenAPIHono<Env>()
  const { upgrade } = input
  if (upgrade !== undefined) {
    router.get(
      '/v1/agent',
      allowNode(),
      upgrade((context) => link(input, callerOf(context))),
    )
  }
  router.get('/v1/agent', allowNode(), () => {
    const detail = 'this is a WebSocket: connect with one, or post reports to /v1/nodes/{node}/report'
    throw new ProblemError({ status: 426, code: 'upgrade-required', detail })
  })
  return router
}

export function link(input: Pick<RouteInput, 'cluster' | 'links' | 'ports' | 'tokens'>, caller: Identity): LinkEvents {
  const { cluster, links, ports, tokens } = input
  const node = caller.node!
  let socket: Socket | undefined
  const end = (): void => {
    if (socket !== undefined && links.close(node, socket)) cluster.disconnected(node)
  }
  /** Ended before the close has made its way there and back, so that nothing that still arrives is heard. */
  const refuse = (why: string): void => {
    end()
    // A close reason holds 123 bytes at most.
    socket?.close(1008, why.slice(0, 100).replace(/[^\x20-\x7e]/g, '?'))
  }
  return {
    onOpen: (_, opened) => {
      socket = { send: (text) => opened.send(text), close: (code, reason) => opened.close(code, reason) }
      links.open(node, socket, caller.id)
      cluster.connected(node)
    },
    onMessage: ({ data }) => {
      if (socket === undefined || !links.isPresent(node, socket)) return
      if (!tokens.isValid(caller.id)) {
        refuse('the token has expired or was revoked')
        return
      }
      links.heard(node)
      // "As in my last report on this link": answered without being looked at, as a runtime that sleeps does it.
      if (data === 'ping') {
        socket.send('pong')
        return
      }
      const taken = read(data, node)
      if ('wrong' in taken) {
        ports.log('warn', { event: 'bad-report', node, msg: taken.wrong })
        refuse(taken.wrong)
        return
      }
      cluster.report(taken.report, 'link').then(
        (answer) => {
          if ('refusal' in answer) refuse(answer.refusal.code)
          else if (answer.refused.length > 0) socket?.send(JSON.stringify({ commands: [], refused: answer.refused }))
        },
        // Logged where it failed; the node's next report brings the same again.
        () => undefined,
      )
    },
    onClose: end,
    onError: end,
  }
}

function read(data: unknown, node: string) {
  if (typeof data !== 'string') return { wrong: 'a report is one text message of JSON' }
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return { wrong: 'the message is not JSON' }
  }
  const parsed = reportSchema.safeParse(value)
  if (!parsed.success) return { wrong: invalid('report', parsed.error.issues).detail }
  if (parsed.data.node !== node) return { wrong: `report.node: this link speaks for ${node}` }
  return { report: parsed.data }
}
