/**
 * Goes wrong in the place of a real server behind it: what cannot be imitated is run as it is, and this stands in front.
 *
 *   request ──▶ trouble (faults) ──▶ the server ──▶ answer ──▶ lost, late or never
 *
 * It has the faults of the strict clouds. A read that shall be stale is answered with what `look` said before the last
 * change; a write that shall be late is sent on later, as it is, and its answer is always lost: nobody knows it yet.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createFaults, type Faults, type Trouble } from './faults.ts'
import type { Asked, Reply, Timers } from './strict-cloud.ts'

export type FaultProxyOptions = {
  /** The server behind. */
  readonly to: URL
  /** The action under which faults meet a request. */
  actionOf(asked: Asked): { readonly action: string; readonly kind: 'read' | 'write' }
  /** What a read would be answered now. */
  look(): Promise<Reply>
  /** An error, by its code, as the server or what is in front of it would write it. */
  refuse(code: string): Reply
  readonly timers: Timers
}

export type FaultProxy = {
  readonly url: string
  readonly faults: Faults
  /** Each call's action, and what became of it: a status, or `reset`, `late`, `not answered`. */
  readonly requests: readonly { readonly action: string; outcome: string }[]
  /** To be called before somebody changes the resource behind its back, so that stale reads know what was. */
  changing(): Promise<void>
  /** Resolves when nothing that came late is still on its way. */
  quiet(): Promise<void>
  close(): Promise<void>
}

type Past = { readonly reply: Reply; readonly endedAt: number }

type Proxy = FaultProxyOptions & {
  readonly agent: Agent
  readonly faults: Faults
  readonly requests: { readonly action: string; outcome: string }[]
  readonly past: Past[]
  readonly late: Set<Promise<unknown>>
}

export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true })
  const proxy: Proxy = { ...options, agent, faults: faultsOf(), requests: [], past: [], late: new Set() }
  const server = createServer((incoming, response) => {
    serve(proxy, incoming, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    faults: proxy.faults,
    requests: proxy.requests,
    changing: () => remember(proxy),
    quiet: async () => {
      await Promise.all(proxy.late)
    },
    close: () =>
      new Promise((resolve) => {
        agent.destroy()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function faultsOf(): Faults {
  const faults = createFaults()
  return {
    ...faults,
    add: (fault) => {
      const isAnswered = fault.kind === 'late-write' && fault.answer === 'success'
      if (isAnswered) throw new Error('a proxy cannot answer a late-write before its server has: leave answer out')
      faults.add(fault)
    },
  }
}

async function serve(proxy: Proxy, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '/', headers } = incoming
  const asked: Asked = { method, target: url, headers, body: await textOf(incoming) }
  const { action, kind } = proxy.actionOf(asked)
  const made = { action, outcome: 'pending' }
  proxy.requests.push(made)
  const trouble = proxy.faults.meet({ action, params: {} })
  const reset = (outcome: string): void => {
    made.outcome = outcome
    response.socket?.resetAndDestroy()
  }
  await pause(proxy, trouble.latencyMs / 2)
  if (trouble.resetBefore) return reset('reset')
  if (trouble.refusal !== undefined) {
    const reply = proxy.refuse(trouble.refusal.code)
    made.outcome = String(reply.status)
    return send(response, reply)
  }
  if (kind === 'write' && trouble.lateWrite !== undefined) {
    sendLater(proxy, asked, trouble.lateWrite.ms)
    return reset('late')
  }
  const reply = await effectOf(proxy, asked, { kind, trouble })
  made.outcome = String(reply.status)
  await pause(proxy, trouble.latencyMs / 2)
  if (trouble.resetAfter) return reset(`${reply.status}, then reset`)
  if (trouble.hangAfter) made.outcome += ', not answered'
  else send(response, reply)
}

type Kind = { readonly kind: 'read' | 'write'; readonly trouble: Trouble }

async function effectOf(proxy: Proxy, asked: Asked, { kind, trouble }: Kind): Promise<Reply> {
  const { past, timers } = proxy
  if (kind === 'write') await remember(proxy)
  else if (trouble.staleMs > 0) {
    const then = past.find(({ endedAt }) => endedAt > timers.now() - trouble.staleMs)
    if (then !== undefined) return then.reply
  }
  return forward(proxy, asked)
}

async function remember(proxy: Proxy): Promise<void> {
  const reply = await proxy.look()
  proxy.past.push({ reply, endedAt: proxy.timers.now() })
}

/** Whoever sent it hears nothing of it any more. */
function sendLater(proxy: Proxy, asked: Asked, ms: number): void {
  proxy.timers.after(ms, () => {
    const sent = effectOf(proxy, asked, { kind: 'write', trouble: noTrouble }).catch(() => undefined)
    proxy.late.add(sent)
    void sent.then(() => proxy.late.delete(sent))
  })
}

const noTrouble = createFaults().meet({ action: '', params: {} })

function forward({ to, agent }: Proxy, { method, target, headers, body }: Asked): Promise<Reply> {
  return new Promise((resolve, reject) => {
    // Not compressed, since it is read here.
    const passed = { ...headers, host: to.host, 'accept-encoding': 'identity' }
    const sent = request(new URL(target, to), { method, agent, headers: passed }, (answer) => {
      textOf(answer).then((text) => {
        const { 'content-type': type = 'text/plain', etag } = answer.headers
        const kept = { 'content-type': type, ...(etag === undefined ? {} : { etag }) }
        resolve({ status: answer.statusCode ?? 502, headers: kept, body: text, outcome: 'ok' })
      }, reject)
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

function pause({ timers }: Proxy, ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => timers.after(ms, resolve)) : Promise.resolve()
}

function send(response: ServerResponse, { status, headers = {}, body }: Reply): void {
  response.writeHead(status, headers).end(body)
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of message.setEncoding('utf8')) text += part
  return text
}
