/** The Worker under test as its callers see it, and a node's link to it. */
import { exports } from 'cloudflare:workers'
import type { Report, RouterState } from '../../../control/contract.ts'
import { serviceReport } from '../world.ts'

const worker = (exports as unknown as { default: Fetcher }).default

export function call(path: string, options: { host?: string; token?: string; method?: string; body?: unknown } = {}) {
  const { host = 'control.example.com', token = 'admin-token', method = 'GET', body } = options
  const headers: Record<string, string> = { authorization: `Bearer ${token}` }
  if (body !== undefined) headers['content-type'] = 'application/json'
  return worker.fetch(`https://${host}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

export async function answerOf<T>(path: string, options: Parameters<typeof call>[1] = {}): Promise<T> {
  return (await (await call(path, options)).json()) as T
}

export type Link = {
  readonly received: string[]
  /** Why the link ended; null while it is open. */
  closed(): { code: number; reason: string } | null
  send(text: string): void
  report(state: RouterState, more?: Partial<Report>): void
  close(): void
}

let sequence = 0

/** `token`: default that of the configuration. */
export async function connect(node: string, token = `node-token-${node.slice(1)}`): Promise<Link> {
  const response = await worker.fetch('https://control.example.com/v1/agent', {
    headers: { upgrade: 'websocket', authorization: `Bearer ${token}` },
  })
  const socket = response.webSocket
  if (socket === null) throw new Error(`no link: ${response.status} ${await response.text()}`)
  const received: string[] = []
  let closed: { code: number; reason: string } | null = null
  socket.addEventListener('message', ({ data }) => void received.push(String(data)))
  socket.addEventListener('close', ({ code, reason }) => {
    closed = { code, reason }
  })
  socket.accept()
  return {
    received,
    closed: () => closed,
    send: (text) => socket.send(text),
    report: (state, more = {}) => {
      sequence += 1
      const services = { web: { ...serviceReport(node, state), epochSeen: 0 } }
      const said: Report = { node, site: 'dc1', incarnation: `${node}-incarnation`, sequence, services, ...more }
      socket.send(JSON.stringify(said))
    },
    close: () => socket.close(1000, 'done'),
  }
}
