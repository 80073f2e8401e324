/** The link of a node: a WebSocket that carries reports up and commands down. It is refused before it is opened. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { allowNode, type Env } from '../auth.ts'
import { reportSchema } from '../contract.ts'
import type { Socket } from '../links.ts'
import { invalid, ProblemError } from '../problem.ts'
import type { LinkEvents, RouteInput } from './context.ts'

export function agentRoutes(input: RouteInput): OpenAPIHono<Env> {
  const router = new OpenAPIHono<Env>()
  const { upgrade, authenticate } = input
  if (upgrade !== undefined) {
    router.get(
      '/v1/agent',
      allowNode(authenticate),
      upgrade((context) => link(input, context.get('identity').node!)),
    )
  }
  router.get('/v1/agent', allowNode(authenticate), () => {
    const detail = 'this is a WebSocket: connect with one, or post reports to /v1/nodes/{node}/report'
    throw new ProblemError({ status: 426, code: 'upgrade-required', detail })
  })
  return router
}

function link(input: RouteInput, node: string): LinkEvents {
  const { cluster, links, ports } = input
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
      links.open(node, socket)
      cluster.connected(node)
    },
    onMessage: ({ data }) => {
      if (socket === undefined || !links.isPresent(node, socket)) return
      links.carried(node)
      // As in its last report; the answer is what the node's own lease on control counts by.
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
