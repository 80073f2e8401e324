/**
 * The agent's connection to control: one WebSocket, opened again whenever it is lost, watched by the answers to its pings.
 *
 * `outbox` decides what to send and when to connect; this file owns the socket and the timers.
 */
import { WebSocket } from 'ws'
import {
  type Command,
  type CommandResult,
  type Commands,
  commandsSchema,
  heartbeatMs,
  leaseMs,
  type RefusedService,
  type ServiceReport,
} from '../../control/contract.ts'
import {
  createOutbox,
  type Identity,
  nextRetry,
  type Outbox,
  type OutboxEvent,
  stepOutbox,
  unansweredSince,
} from './outbox.ts'

export type ControlLink = {
  /** The services' present state; `answers` are the ids of asks that it answers. `pulse`: a heartbeat is due. */
  readonly report: (services: Readonly<Record<string, ServiceReport>>, occasion: Occasion) => void
  readonly result: (result: CommandResult) => void
  /** The network may be back: connect now, and do not trust a connection that has been silent. */
  readonly hurry: () => void
  readonly connected: () => boolean
  /** When the last ping was sent that control answered; null: none yet. */
  readonly confirmedAt: () => number | null
  readonly close: () => Promise<void>
}

export type Occasion = { readonly answers: readonly string[]; readonly pulse: boolean }

export type ControlLinkOptions = {
  readonly control: { readonly url: string; readonly token: string }
  readonly identity: Identity
  /** Milliseconds on a clock that never jumps and counts the time of a suspended machine. */
  readonly now: () => number
  readonly onCommand: (command: Command) => void
  /** Control does not let this node take part in a service. */
  readonly onRefused: (refused: RefusedService) => void
  /** Connected or not, and why not, each time that changes. */
  readonly onChange: (connected: boolean, why: string) => void
}

export function openControlLink(options: ControlLinkOptions): ControlLink {
  const { control, identity, now, onChange } = options
  let outbox: Outbox = createOutbox(identity)
  let socket: WebSocket | undefined
  let retry: NodeJS.Timeout | undefined
  let closing = false
  let lastWhy: string | undefined

  const handle = (event: OutboxEvent): void => {
    const stepped = stepOutbox(outbox, event, now())
    outbox = stepped.outbox
    for (const effect of stepped.effects) {
      if (effect.kind === 'send') socket?.send(JSON.stringify(effect.report))
      else if (effect.kind === 'ping') socket?.send('ping')
      else connect()
    }
    clearTimeout(retry)
    const retryAt = nextRetry(outbox)
    if (retryAt !== undefined && !closing) {
      retry = setTimeout(() => handle({ kind: 'tick' }), Math.max(0, retryAt - now()))
    }
  }

  const lost = (from: WebSocket, why: string): void => {
    if (socket !== from) return
    socket = undefined
    // The same reason again and again is one line in the log.
    if (why !== lastWhy) onChange(false, why)
    lastWhy = why
    handle({ kind: 'closed', random: Math.random() })
  }

  const connect = (): void => {
    const opening: WebSocket = openSocket(control, {
      opened() {
        lastWhy = undefined
        onChange(true, '')
        handle({ kind: 'opened' })
      },
      heard(text) {
        if (text === 'pong') handle({ kind: 'pong' })
        else obey(text, options)
      },
      lost: (why) => lost(opening, why),
    })
    socket = opening
  }

  const silentFor = (): number => now() - (unansweredSince(outbox) ?? now())

  const watch = setInterval(() => {
    if (silentFor() > leaseMs) drop('control is silent')
  }, heartbeatMs)

  const drop = (why: string): void => {
    const dropped = socket
    if (dropped === undefined) return
    dropped.terminate()
    lost(dropped, why)
  }

  handle({ kind: 'tick' })
  return {
    report: (services, occasion) => handle({ kind: 'state', services, ...occasion }),
    result: (result) => handle({ kind: 'result', result }),
    hurry() {
      if (silentFor() > 2 * heartbeatMs) drop('the network was gone')
      handle({ kind: 'hurry' })
    },
    connected: () => outbox.connection.kind === 'open',
    confirmedAt: () => outbox.confirmedAt,
    async close() {
      closing = true
      clearInterval(watch)
      clearTimeout(retry)
      if (socket !== undefined) await closed(socket)
    },
  }
}

type SocketHandlers = {
  readonly opened: () => void
  readonly heard: (text: string) => void
  /** May be called more than once. */
  readonly lost: (why: string) => void
}

function openSocket({ url, token }: ControlLinkOptions['control'], on: SocketHandlers): WebSocket {
  const address = new URL('v1/agent', url.endsWith('/') ? url : `${url}/`)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(address, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: 2_000,
    maxPayload: 1 << 20,
    perMessageDeflate: false,
  })
  socket.on('open', on.opened)
  socket.on('message', (data) => on.heard(String(data)))
  socket.on('unexpected-response', (_, { statusCode, statusMessage }) => {
    socket.terminate()
    on.lost(`control answered ${statusCode} ${statusMessage}${remedyFor(statusCode)}`)
  })
  socket.on('error', (error) => on.lost(error.message))
  socket.on('close', (code) => on.lost(`connection closed (${code})`))
  return socket
}

function remedyFor(status: number | undefined): string {
  if (status === 401) return ': check control.token, and the tokens in control’s configuration'
  if (status === 403) return ': the token is not for this node; its name must be the node of the token'
  return ''
}

/** A message that is not understood is from a newer control: the rest of the conversation goes on. */
function obey(text: string, { onCommand, onRefused }: ControlLinkOptions): void {
  const message = commandsIn(text)
  message?.commands.forEach(onCommand)
  message?.refused?.forEach(onRefused)
}

function commandsIn(text: string): Commands | undefined {
  try {
    return commandsSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Waits for what was sent to leave, but not for a dead peer. */
function closed(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => socket.terminate(), 500)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(giveUp)
      resolve()
    })
    socket.close(1000, 'agent stops')
  })
}
