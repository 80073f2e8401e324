/**
 * A strict EC2 on this machine: the few actions that move an Elastic IP, with AWS's rules and AWS's wire format, and
 * every way of going wrong at the turn of a switch.
 *
 *   POST / ──▶ signature ──▶ trouble (ec2-faults) ──▶ rules (ec2-rules) ──▶ XML (ec2-wire)
 *   /_lab/ ──▶ what the world is, and how it shall misbehave (for programs that only have its URL)
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createFaults, type Faults } from './ec2-faults.ts'
import { serveLab } from './ec2-lab.ts'
import {
  type Association,
  associate,
  type Ec2Request,
  type Ec2Result,
  type Ec2State,
  type NetworkInterface,
  perform,
} from './ec2-rules.ts'
import { answerXml, apiVersion, errorXml, parseRequest, statusOf } from './ec2-wire.ts'
import { type Credentials, signatureProblem } from './sigv4.ts'

export type Ec2Options = {
  readonly addresses: readonly { readonly allocationId: string; readonly publicIp: string }[]
  readonly interfaces: readonly NetworkInterface[]
  /** Who may call. Default: `labCredentials`. */
  readonly credentials?: readonly Credentials[]
  /** Wall time, for signatures. Default: this machine's. */
  readonly clock?: () => Date
  /** Time for latencies, late writes and stale reads, in milliseconds. Default: this machine's. */
  readonly timers?: Timers
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: { readonly host: string; readonly port: number }
  readonly onChange?: (change: Ec2Change) => void
}

export type Timers = { now(): number; after(ms: number, call: () => void): void }

export const labCredentials: Credentials = { accessKeyId: 'AKIALABLABLABLABLAB0', secretAccessKey: 'lab-secret-key' }

/** One address that changed its place, or lost it. */
export type Ec2Change = {
  readonly at: string
  readonly event: 'associated' | 'disassociated'
  readonly allocationId: string
  readonly networkInterfaceId: string
  readonly privateIpAddress: string
  readonly associationId: string
}

/** A call that was made. `outcome`: `ok`, an error code, or what became of the connection. */
export type Ec2Call = Ec2Request & { readonly at: string; outcome: string }

export type Ec2 = {
  readonly url: string
  readonly faults: Faults
  /** The newest thousand calls, oldest first. */
  readonly requests: readonly Ec2Call[]
  state(): Ec2State
  /** How many connections were ever made. */
  connections(): number
  /** Somebody else moves an address, or takes it away. */
  setOutOfBand(allocationId: string, place: Omit<Association, 'associationId'> | null): void
  close(): Promise<void>
}

const keptCalls = 1000
const longestBody = 64 * 1024

export async function createEc2(options: Ec2Options): Promise<Ec2> {
  const world = createWorld(options)
  const faults = createFaults()
  const requests: Ec2Call[] = []
  const clock = options.clock ?? (() => new Date())
  const credentials = options.credentials ?? [labCredentials]

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Clients correct their own clock by it.
    response.setHeader('date', clock().toUTCString())
    const body = await readBody(request)
    const target = request.url ?? '/'
    if (target.startsWith('/_lab/')) return serveLab({ method: request.method ?? '', target, body }, response, lab)
    const asked = parseRequest(body)
    const refuse = (code: string, message: string) => reply(response, { kind: 'error', code, message }, '')
    if (request.method !== 'POST' || asked === undefined) return refuse('MissingAction', 'No action was named')
    const call: Ec2Call = { at: clock().toISOString(), action: asked.action, params: asked.params, outcome: 'pending' }
    requests.push(call)
    if (requests.length > keptCalls) requests.shift()
    const signed = { method: 'POST', target, headers: request.headers, body }
    const problem = signatureProblem(signed, { service: 'ec2', credentials, now: clock() })
    if (problem !== undefined || asked.version !== apiVersion) {
      call.outcome = problem ?? 'NoSuchVersion'
      refuse(call.outcome, problem === undefined ? `Unknown version ${asked.version}` : authMessages[problem])
      return
    }
    await answer(call, { world, trouble: faults.meet(asked), response })
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
    const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 }
    server.listen(port, host, () => resolve())
  })
  const { address, port, family } = server.address() as AddressInfo
  const lab: Ec2 = {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    faults,
    requests,
    state: world.state,
    connections: () => connections,
    setOutOfBand: world.setOutOfBand,
    close: () =>
      new Promise((resolve) => {
        world.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return lab
}

const authMessages = {
  AuthFailure: 'AWS was not able to validate the provided access credentials',
  MissingAuthenticationToken: 'Request is missing Authentication Token',
  RequestExpired: 'Request has expired.',
} as const

/** What is, and what was: reads may be asked to lag, and writes to come late. */
type World = {
  state(): Ec2State
  stateBefore(ms: number): Ec2State
  newAssociationId(): string
  commit(next: Ec2State): void
  after(ms: number, call: () => void): void
  setOutOfBand: Ec2['setOutOfBand']
  close(): void
}

function createWorld({ addresses, interfaces, onChange, clock = () => new Date(), timers }: Ec2Options): World {
  const ownTimers = createTimers()
  const { now, after } = timers ?? ownTimers
  let state: Ec2State = { addresses: addresses.map((entry) => ({ ...entry, association: null })), interfaces }
  let history: readonly { readonly state: Ec2State; readonly endedAt: number }[] = []
  let associations = 0
  const world: World = {
    state: () => state,
    stateBefore: (ms) => history.find(({ endedAt }) => endedAt > now() - ms)?.state ?? state,
    newAssociationId: () => {
      associations += 1
      return `eipassoc-${associations.toString(16).padStart(17, '0')}`
    },
    commit: (next) => {
      if (next === state) return
      const changes = changesBetween(state, next, clock().toISOString())
      history = [...history.slice(-63), { state, endedAt: now() }]
      state = next
      for (const change of changes) onChange?.(change)
    },
    after,
    setOutOfBand: (allocationId, place) => {
      if (!addresses.some((entry) => entry.allocationId === allocationId)) throw new Error(`no address ${allocationId}`)
      const association = place === null ? null : { associationId: world.newAssociationId(), ...place }
      world.commit(associate(state, { allocationId, association }))
    },
    close: ownTimers.close,
  }
  return world
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

function changesBetween(before: Ec2State, after: Ec2State, at: string): Ec2Change[] {
  return after.addresses.flatMap(({ allocationId, association }, i) => {
    const old = before.addresses[i]?.association ?? null
    if (association?.associationId === old?.associationId) return []
    const place = association ?? old
    if (place === null) return []
    const event = association === null ? 'disassociated' : 'associated'
    return [{ at, event, allocationId, ...place } as const]
  })
}

type Serving = {
  readonly world: World
  readonly trouble: ReturnType<Faults['meet']>
  readonly response: ServerResponse
}

/** The way of one authenticated call: latency, refusal, effect, latency, and an answer that comes or not. */
async function answer(call: Ec2Call, { world, trouble, response }: Serving): Promise<void> {
  await pause(world, trouble.latencyMs / 2)
  if (trouble.resetBefore) return reset(call, response)
  const { refusal } = trouble
  if (refusal !== undefined) {
    call.outcome = refusal.code
    if (refusal.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(refusal.retryAfterSeconds))
    const message = refusal.message ?? `${refusal.code}, as the lab was told to say`
    return reply(response, { kind: 'error', code: refusal.code, message }, call.action)
  }
  const result = takeEffect(call, { world, trouble })
  call.outcome = result.kind === 'answer' ? 'ok' : result.code
  await pause(world, trouble.latencyMs / 2)
  const lost = trouble.resetAfter || trouble.lateWrite?.answer === 'lost'
  if (lost) return reset(call, response)
  if (trouble.hangAfter) call.outcome += ', not answered'
  else reply(response, result, call.action)
}

function takeEffect(call: Ec2Call, { world, trouble }: Omit<Serving, 'response'>): Ec2Result {
  const associationId = world.newAssociationId()
  if (call.action.startsWith('Describe')) return perform(world.stateBefore(trouble.staleMs), call, associationId)
  const result = perform(world.state(), call, associationId)
  if (result.kind === 'error') return result
  if (trouble.lateWrite === undefined) world.commit(result.state)
  else {
    world.after(trouble.lateWrite.ms, () => {
      const late = perform(world.state(), call, associationId)
      if (late.kind === 'answer') world.commit(late.state)
    })
  }
  return result
}

function pause(world: World, ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => world.after(ms, resolve)) : Promise.resolve()
}

/** A reset as a client sees it when the other machine dies: RST, no FIN. */
function reset(call: Ec2Call, response: ServerResponse): void {
  call.outcome = call.outcome === 'pending' ? 'reset' : `${call.outcome}, then reset`
  response.socket?.resetAndDestroy()
}

function reply(response: ServerResponse, result: Ec2Result, action: string): void {
  const requestId = randomUUID()
  response.statusCode = result.kind === 'answer' ? 200 : statusOf(result.code)
  response.setHeader('content-type', 'text/xml;charset=UTF-8')
  response.setHeader('x-amzn-requestid', requestId)
  response.end(
    result.kind === 'answer'
      ? answerXml(action, result.answer, requestId)
      : errorXml(result.code, result.message, requestId),
  )
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
