/**
 * A DNS server that goes wrong when it is told to: it stands before a real one, passes on every message as it is, and
 * has the faults of the lab's clouds (`clouds/faults.ts`). DNS over TCP only.
 *
 *   client ──▶ front ──▶ real server      latency, connections that are reset before or after, answers that never come
 *                │
 *                ├── refuses itself       an error is a code of DNS: SERVFAIL, REFUSED
 *                ├── shows the past       what the real server answered a while ago, signed anew by the lab's key
 *                └── holds an update      and delivers it late, after a newer one
 *
 * What a fault's `action` names: UPDATE, SOA (a question for the zone), or QUERY (any other question).
 */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  classes,
  type Decoded,
  decodeMessage,
  encodeMessage,
  type Message,
  opcodes,
  type Question,
  type ResourceRecord,
  types,
} from '../../../adapters/rfc2136/message.ts'
import { exchange } from '../../../adapters/rfc2136/node/transport.ts'
import { type Key, macIn, sign } from '../../../adapters/rfc2136/tsig.ts'
import { createFaults, type Faults, type Trouble } from '../clouds/faults.ts'
import type { Timers } from '../clouds/strict-cloud.ts'

export type DnsFrontOptions = {
  /** The port of the real server, on the loopback. */
  readonly port: number
  /** One that may ask and update what is watched. */
  readonly key: Key
  /** What may be shown as it was: each name with its type. */
  readonly watched: readonly Pick<Question, 'name' | 'type'>[]
  readonly timers: Timers
}

export type DnsFront = {
  readonly port: number
  readonly faults: Faults
  /** What was asked, oldest first, and what became of it. */
  readonly requests: readonly { readonly action: string; outcome: string }[]
  /** Somebody else has changed the real server past the front. */
  changed(): Promise<void>
  /** Until nothing is on its way to the real server any more. */
  idle(): Promise<void>
  close(): Promise<void>
}

type Records = ReadonlyMap<string, readonly ResourceRecord[]>
type Made = { readonly action: string; outcome: string }

const codes: Readonly<Record<string, number>> = { FORMERR: 1, SERVFAIL: 2, NOTIMP: 4, REFUSED: 5, NOTAUTH: 9 }

export async function createDnsFront(options: DnsFrontOptions): Promise<DnsFront> {
  const world = await createWorld(options)
  const faults = createFaults()
  const requests: Made[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)))
    socket.on('error', () => undefined)
    eachMessage(socket, (bytes) => {
      const decoded = decodeMessage(bytes)
      if (decoded === null) return void socket.resetAndDestroy()
      const made: Made = { action: actionOf(decoded.message), outcome: 'pending' }
      requests.push(made)
      const trouble = faults.meet({ action: made.action, params: {} })
      serve({ ...options, world, bytes, decoded, made, trouble, socket }).catch(() => socket.resetAndDestroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as AddressInfo).port,
    faults,
    requests,
    changed: world.changed,
    idle: world.idle,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await world.idle()
    },
  }
}

function actionOf({ opcode, questions }: Message): string {
  if (opcode === opcodes.update) return 'UPDATE'
  return questions[0]?.type === types.SOA ? 'SOA' : 'QUERY'
}

/** The real server, and what it said before. */
type World = {
  /** The answer of the real server; null when it gave none. */
  deliver(bytes: Uint8Array): Promise<Uint8Array | null>
  recordsBefore(ms: number): Records
  changed(): Promise<void>
  idle(): Promise<void>
}

async function createWorld({ port, key, watched, timers }: DnsFrontOptions): Promise<World> {
  const underWay = new Set<Promise<unknown>>()
  const signal = new AbortController().signal
  const tell = async (messages: readonly Uint8Array[]) => {
    const sent = await exchange({ host: '127.0.0.1', port }, messages, { signal, timeoutMs: 5_000 })
    return sent.kind === 'answered' ? sent.answers : []
  }
  const look = async (): Promise<Records> => {
    const questions = watched.map(({ name, type }) => ({ name, type, class: classes.IN }))
    const seconds = Math.floor(Date.now() / 1000)
    const signed = await Promise.all(questions.map((one, id) => sign(encodeMessage(question(id, one)), key, seconds)))
    const answers = await tell(signed.map(({ bytes }) => bytes))
    return new Map(answers.map((bytes, i) => [keyOf(questions[i]!), decodeMessage(bytes)?.message.answers ?? []]))
  }
  const track = <T>(work: Promise<T>): Promise<T> => {
    underWay.add(work)
    void work.finally(() => underWay.delete(work)).catch(() => undefined)
    return work
  }
  let records = await look()
  let history: readonly { readonly records: Records; readonly endedAt: number }[] = []
  const changed = async (): Promise<void> => {
    const next = await look()
    history = [...history.slice(-63), { records, endedAt: timers.now() }]
    records = next
  }
  const deliver = async (bytes: Uint8Array): Promise<Uint8Array | null> => {
    const [answer = null] = await tell([bytes])
    if (decodeMessage(bytes)?.message.opcode === opcodes.update) await changed()
    return answer
  }
  return {
    deliver: (bytes) => track(deliver(bytes)),
    changed: () => track(changed()),
    recordsBefore: (ms) => history.find(({ endedAt }) => endedAt > timers.now() - ms)?.records ?? records,
    idle: async () => {
      while (underWay.size > 0) await Promise.allSettled([...underWay])
    },
  }
}

const keyOf = ({ name, type }: Pick<Question, 'name' | 'type'>): string => `${name} ${type}`

function question(id: number, asked: Question): Message {
  const head = { id, opcode: opcodes.query, response: false, authoritative: false, rcode: 0 }
  return { ...head, questions: [asked], answers: [], authorities: [], additionals: [] }
}

type Serving = DnsFrontOptions & {
  readonly world: World
  readonly bytes: Uint8Array
  readonly decoded: Decoded
  readonly made: Made
  readonly trouble: Trouble
  readonly socket: Socket
}

/** The way of one message: latency, refusal, the real server, latency, and an answer that comes or not. */
async function serve({ world, bytes, decoded, made, trouble, socket, key, timers }: Serving): Promise<void> {
  const pause = (ms: number) => (ms > 0 ? new Promise<void>((resolve) => timers.after(ms, resolve)) : undefined)
  const reset = (): void => {
    made.outcome = made.outcome === 'pending' ? 'reset' : `${made.outcome}, then reset`
    socket.resetAndDestroy()
  }
  await pause(trouble.latencyMs / 2)
  if (trouble.resetBefore) return reset()
  const { refusal, lateWrite } = trouble
  if (refusal !== undefined) {
    made.outcome = refusal.code
    return reply(socket, await answerTo(decoded, key, { rcode: codes[refusal.code] ?? 2, answers: [] }))
  }
  if (lateWrite !== undefined) {
    timers.after(lateWrite.ms, () => void world.deliver(bytes))
    made.outcome = 'held'
    return reset()
  }
  const past =
    trouble.staleMs > 0 ? world.recordsBefore(trouble.staleMs).get(keyOf(decoded.message.questions[0]!)) : undefined
  const answer =
    past === undefined ? await world.deliver(bytes) : await answerTo(decoded, key, { rcode: 0, answers: past })
  made.outcome = answer === null ? 'nothing' : `code ${answer[3]! & 15}`
  await pause(trouble.latencyMs / 2)
  if (trouble.resetAfter || answer === null) return reset()
  if (trouble.hangAfter) made.outcome += ', not answered'
  else reply(socket, answer)
}

/** As the real server would sign it. */
async function answerTo(
  request: Decoded,
  key: Key,
  { rcode, answers }: Pick<Message, 'rcode' | 'answers'>,
): Promise<Uint8Array> {
  const { id, opcode, questions } = request.message
  const head = { id, opcode, questions, response: true, authoritative: true, rcode }
  const message = encodeMessage({ ...head, answers, authorities: [], additionals: [] })
  const signed = await sign(message, key, Math.floor(Date.now() / 1000), macIn(request) ?? undefined)
  return signed.bytes
}

function reply(socket: Socket, answer: Uint8Array): void {
  if (!socket.destroyed) socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]))
}

/** Over TCP two bytes of length stand before each message. */
function eachMessage(socket: Socket, take: (bytes: Uint8Array) => void): void {
  let pending = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const length = pending.readUInt16BE(0)
      const message = Uint8Array.from(pending.subarray(2, 2 + length))
      pending = pending.subarray(2 + length)
      take(message)
    }
  })
}
