/**
 * What a node's link does, on every runtime: the end of an opened WebSocket that control holds.
 *
 * Without memory of its own, so that a program which slept between two messages goes on where it was: what is open is
 * known to `links`.
 */

import type { Tokens } from '../access/tokens.ts'
import { reportSchema } from '../contract.ts'
import type { Cluster } from '../core/cluster.ts'
import type { ClusterPorts } from '../core/ports.ts'
import { invalid } from '../problem.ts'
import type { Links, Socket } from './links.ts'

/** Whose link it is: the node, and the id of the token that it was opened with. */
export type LinkOwner = { readonly node: string; readonly token: string }

export type AgentLink = {
  opened(owner: LinkOwner, socket: Socket): void
  /** Resolves when what was said is dealt with. Never rejects. */
  heard(owner: LinkOwner, socket: Socket, data: unknown): Promise<void>
  ended(owner: LinkOwner, socket: Socket): void
}

export type AgentLinkInput = {
  readonly cluster: Pick<Cluster, 'connected' | 'disconnected' | 'report'>
  readonly links: Links
  readonly tokens: Pick<Tokens, 'isValid'>
  readonly ports: Pick<ClusterPorts, 'clock' | 'log'>
}

export function createAgentLink({ cluster, links, tokens, ports }: AgentLinkInput): AgentLink {
  const ended = ({ node }: LinkOwner, socket: Socket): void => {
    if (links.close(node, socket)) cluster.disconnected(node)
  }
  /** Ended before the close has made its way there and back, so that nothing that still arrives is heard. */
  const refuse = (owner: LinkOwner, socket: Socket, why: string): void => {
    ended(owner, socket)
    // A close reason holds 123 bytes at most.
    socket.close(1008, why.slice(0, 100).replace(/[^\x20-\x7e]/g, '?'))
  }
  return {
    opened: ({ node, token }, socket) => {
      links.open(node, socket, token)
      cluster.connected(node)
    },
    heard: async (owner, socket, data) => {
      const { node, token } = owner
      if (!links.isPresent(node, socket)) return
      if (!tokens.isValid(token)) {
        refuse(owner, socket, 'the token has expired or was revoked')
        return
      }
      const at = ports.clock.now()
      // "As in my last report on this link", which says nothing before there was one.
      if (data === 'ping') {
        if (links.aliveAt(node) !== null) links.heard(node)
        socket.send('pong')
        return
      }
      const taken = read(data, node)
      if ('wrong' in taken) {
        ports.log('warn', { event: 'bad-report', node, msg: taken.wrong })
        refuse(owner, socket, taken.wrong)
        return
      }
      try {
        const answer = await cluster.report(taken.report, 'link')
        if ('refusal' in answer) {
          refuse(owner, socket, answer.refusal.code)
          return
        }
        // Only now: while it was being taken, what was known of the node was still what it had said before.
        if (links.isPresent(node, socket)) links.heard(node, at)
        if (answer.refused.length > 0) socket.send(JSON.stringify({ commands: [], refused: answer.refused }))
      } catch {
        // Logged where it failed; the node's next report brings the same again.
      }
    },
    ended,
  }
}

/** As of every other body. */
const longest = 256 * 1024

function read(data: unknown, node: string) {
  if (typeof data !== 'string') return { wrong: 'a report is one text message of JSON' }
  if (data.length > longest) return { wrong: `a report has ${longest} characters at most` }
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
