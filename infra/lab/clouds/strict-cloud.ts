/**
 * What all strict clouds of the lab are: an HTTP server with a state, the cloud's own protocol and rules, and every way
 * of going wrong at the turn of a switch.
 *
 *   request ──▶ who and what (protocol) ──▶ trouble (faults) ──▶ rules (protocol) ──▶ answer ──▶ lost, late or never
 *   /_lab/ ──▶ what the world is, and how it shall misbehave (for programs that only have its URL)
 *
 * A cloud brings its `Protocol`; state is immutable, so that reads can lag behind it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createFaults, type Faults, type Trouble } from './faults.ts'
import { serveLab } from './strict-cloud-lab.ts'

/** A request as it came: `target` is path and query. */
export type Asked = {
  readonly method: string
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What a request wants. A read may be shown the past; the effect of a write may come late. */
export type Call = {
  readonly action: string
  readonly params: Readonly<Record<string, string>>
  readonly kind: 'read' | 'write'
}

export type Reply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
  /** For the log of calls: `ok`, or an error code. */
  readonly outcome: string
}

export type Protocol<State> = {
  /** A reply instead of a call: the request is malformed, or whoever asks may not. */
  read(asked: Asked, now: Date): Call | Reply
  /** Carries out a call; `state` is left out when nothing changes. `asked` is there for its body. */
  perform(state: State, call: Call, context: { readonly asked: Asked; readonly now: Date }): Performed<State>
  /** An error, by the cloud's own code, as the cloud would write it. */
  refuse(code: string, message: string): Reply
}

export type Performed<State> = { readonly reply: Reply; readonly state?: State }

export type Timers = { now(): number; after(ms: number, call: () => void): void }

export type CloudOptions = {
  /** Wall time. Default: this machine's. */
  readonly clock?: () => Date
  /** Time for latencies, late writes and stale reads, in milliseconds. Default: this machine's. */
  readonly timers?: Timers
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: { readonly host: string; readonly port: number }
}

/** A call that was made, and what became of it: an outcome, and what became of the connection. */
export type CallMade = Omit<Call, 'kind'> & { readonly at: string; outcome: string }

export type StrictCloud<State> = {
  readonly url: string
  readonly faults: Faults
  /** The newest thousand calls, oldest first. */
  readonly requests: readonly CallMade[]
  state(): State
  /** Somebody else changes it. */
  setOutOfBand(change: (state: State) => State): void
  /** How many connections were ever made. */
  connections(): number
  close(): Promise<void>
}

export type CloudInput<State> = CloudOptions & {
  readonly initial: State
  readonly protocol: Protocol<State>
  readonly onCommit?: (before: State, after: State, at: Date) => void
  /** A `/_lab/` request of the cloud's own. Undefined: not one. */
  readonly lab?: (asked: Asked) => unknown
}

const keptCalls = 1000
const longestBody = 256 * 1024

export async function createStrictCloud<State>(input: CloudInput<State>): Promise<StrictCloud<State>> {
  const { protocol, clock = () => new Date() } = input
  const world = createWorld(input)
  const faults = createFaults()
  const requests: CallMade[] = []

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Clients correct their own clock by it.
    response.setHeader('date', clock().toUTCString())
    const { method = '', url = '/', headers } = request
    const asked: Asked = { method, target: url, headers, body: await readBody(request) }
    if (url.startsWith('/_lab/')) return serveLab(asked, response, { cloud, route: input.lab })
    const call = protocol.read(asked, clock())
    const isCall = 'action' in call
    const made: CallMade = {
      at: clock().toISOString(),
      action: isCall ? call.action : `${method} ${url}`,
      params: isCall ? call.params : {},
      outcome: isCall ? 'pending' : call.outcome,
    }
    requests.push(made)
    if (requests.length > keptCalls) requests.shift()
    if (!isCall) return send(response, call)
    const trouble = faults.meet(call)
    const perform = (state: State) => protocol.perform(state, call, { asked, now: clock() })
    await answer({ world, call, made, trouble, response, perform, refuse: protocol.refuse })
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  // A connection is kept as long as a client likes; closing is left to close().
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const { host, port } = input.listen ?? { host: '127.0.0.1', port: 0 }
    server.listen(port, host, () => resolve())
  })
  const { address, port, family } = server.address() as AddressInfo
  const cloud: StrictCloud<State> = {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    faults,
    requests,
    state: world.state,
    setOutOfBand: (change) => world.commit(change(world.state())),
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        world.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return cloud
}

/** What is, and what was: reads may be asked to lag, and writes to come late. */
type World<State> = {
  state(): State
  stateBefore(ms: number): State
  commit(next: State): void
  after(ms: number, call: () => void): void
  close(): void
}

function createWorld<State>(input: CloudInput<State>): World<State> {
  const { initial, onCommit, clock = () => new Date(), timers } = input
  const ownTimers = createTimers()
  const { now, after } = timers ?? ownTimers
  let state = initial
  let history: readonly { readonly state: State; readonly endedAt: number }[] = []
  return {
    state: () => state,
    stateBefore: (ms) => history.find(({ endedAt }) => endedAt > now() - ms)?.state ?? state,
    commit: (next) => {
      if (next === state) return
      const before = state
      history = [...history.slice(-63), { state, endedAt: now() }]
      state = next
      onCommit?.(before, next, clock())
    },
    after,
    close: ownTimers.close,
  }
}

/** Real time. `close` forgets what is still to come. */
function createTimers(): Timers & { close(): void } {
  const waiting = new Set<NodeJS.Timeout>()
  return {
    now: () => performance.now(),
    after: (ms, call) => {
      const timer = setTimeout(() => {
        waiting.delete(timer)
        call()
      }, ms)
      waiting.add(timer)
    },
    close: () => {
      for (const timer of waiting) clearTimeout(timer)
    },
  }
}

type Serving<State> = {
  readonly world: World<State>
  readonly call: Call
  readonly made: CallMade
  readonly trouble: Trouble
  readonly response: ServerResponse
  perform(state: State): Performed<State>
  refuse(code: string, message: string): Reply
}

/** The way of one permitted call: latency, refusal, effect, latency, and an answer that comes or not. */
async function answer<State>(serving: Serving<State>): Promise<void> {
  const { world, made, trouble, response, refuse } = serving
  await pause(world, trouble.latencyMs / 2)
  if (trouble.resetBefore) return reset(made, response)
  const { refusal } = trouble
  if (refusal !== undefined) {
    const reply = refuse(refusal.code, refusal.message ?? `${refusal.code}, as the lab was told to say`)
    made.outcome = refusal.code
    if (refusal.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(refusal.retryAfterSeconds))
    return send(response, reply)
  }
  const reply = takeEffect(serving)
  made.outcome = reply.outcome
  await pause(world, trouble.latencyMs / 2)
  const lost = trouble.resetAfter || trouble.lateWrite?.answer === 'lost'
  if (lost) return reset(made, response)
  if (trouble.hangAfter) made.outcome += ', not answered'
  else send(response, reply)
}

function takeEffect<State>({ world, call, trouble, perform }: Serving<State>): Reply {
  if (call.kind === 'read') return perform(world.stateBefore(trouble.staleMs)).reply
  const { reply, state } = perform(world.state())
  if (state === undefined) return reply
  if (trouble.lateWrite === undefined) world.commit(state)
  else {
    world.after(trouble.lateWrite.ms, () => {
      const late = perform(world.state())
      if (late.state !== undefined) world.commit(late.state)
    })
  }
  return reply
}

function pause<State>(world: World<State>, ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => world.after(ms, resolve)) : Promise.resolve()
}

/** A reset as a client sees it when the other machine dies: RST, no FIN. */
function reset(made: CallMade, response: ServerResponse): void {
  made.outcome = made.outcome === 'pending' ? 'reset' : `${made.outcome}, then reset`
  response.socket?.resetAndDestroy()
}

function send(response: ServerResponse, { status, headers = {}, body }: Reply): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(body)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > longestBody) throw new Error('the body is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
