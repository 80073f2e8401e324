/** An agent without a LAN: it tells control over a real WebSocket what the test wants it to, as often as a real one. */
import { WebSocket } from 'ws'
import {
  type Command,
  type CommandResult,
  commandsSchema,
  heartbeatMs,
  type Report,
  type RouterState,
} from '../../control/contract.ts'
import { nodeToken } from './control-process.ts'

export type AgentOptions = {
  readonly node: string
  readonly service: string
  /** Default: dc1. */
  readonly site?: string
  readonly priority: number
  /** How many times as fast as this machine's the clock of its control runs. */
  readonly speed?: number
}

export type ScriptedAgent = {
  readonly node: string
  readonly received: readonly Command[]
  /** Opens a link, in place of a former one. Resolves when it is open; the present state, if there is one, is reported. */
  connect(url: string): Promise<void>
  /** Enters a state and reports it at once. */
  say(state: RouterState, more?: Partial<Pick<Report, 'answers' | 'results'>>): void
  /** The report that `say` would send next. */
  report(state: RouterState): Report
  /** Sends this very text. */
  send(text: string): void
  /** Whether it answers commands and repeats its state, as an agent does; a silent one keeps its link open and says nothing. */
  silent: boolean
  /** What it does when it is told to take over. Default: it becomes active and says so. */
  onTakeOver: (() => void) | null
  /** Waits for a command of this kind. */
  told(kind: Command['kind'], withinMs?: number): Promise<Command>
  /** Ends the link without a farewell, as a machine that loses its power. */
  drop(): void
  /** Resolves with the close code of the present link. */
  closed(): Promise<number>
}

export function createAgent({ node, service, site = 'dc1', priority, speed = 1 }: AgentOptions): ScriptedAgent {
  let socket: WebSocket | undefined
  let ended: Promise<number> = Promise.resolve(0)
  let state: RouterState | undefined
  let since = new Date().toISOString()
  let raised = priority
  let sequence = 0
  const received: Command[] = []
  const waiting = new Set<() => void>()
  const incarnation = `${node}-${crypto.randomUUID()}`

  const report = (now: RouterState, more: Partial<Report> = {}): Report => {
    if (now !== state) since = new Date().toISOString()
    state = now
    sequence += 1
    const said = { state: now, priority: raised, basePriority: priority, healthy: now !== 'fault', since }
    return { node, site, incarnation, sequence, services: { [service]: said }, ...more }
  }
  const send = (text: string): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(text)
  }
  const repeat = (more: Partial<Report> = {}): void => {
    if (state !== undefined && !agent.silent) send(JSON.stringify(report(state, more)))
  }
  const obey = (command: Command): void => {
    received.push(command)
    for (const wake of waiting) wake()
    if (agent.silent) return
    const results: CommandResult[] = [{ id: command.id, ok: true }]
    if (command.kind === 'take-over') raised = command.priority
    if (command.kind === 'lower') raised = priority
    if (command.kind === 'ask') repeat({ answers: [command.id] })
    else if (command.kind !== 'take-over') repeat({ results })
    else if (agent.onTakeOver === null) agent.say('active', { results })
    else agent.onTakeOver()
  }

  const agent: ScriptedAgent = {
    node,
    received,
    silent: false,
    onTakeOver: null,
    report,
    send,
    say: (now, more) => send(JSON.stringify(report(now, more))),
    connect: async (url) => {
      socket?.terminate()
      const authorization = `Bearer ${nodeToken(node)}`
      const mine = new WebSocket(`${url.replace('http', 'ws')}/v1/agent`, { headers: { authorization } })
      socket = mine
      mine.on('message', (data) => commandsSchema.parse(JSON.parse(String(data))).commands.forEach(obey))
      const heart = setInterval(() => {
        if (socket === mine) repeat()
      }, heartbeatMs / speed)
      ended = new Promise((resolve) => mine.once('close', resolve))
      void ended.then(() => clearInterval(heart))
      await new Promise<void>((resolve, reject) => mine.once('open', resolve).once('error', reject))
      mine.on('error', () => undefined)
      repeat()
    },
    told: (kind, withinMs = 5_000) => toldOf(kind, { received, waiting, withinMs, node }),
    drop: () => socket?.terminate(),
    closed: () => ended,
  }
  return agent
}

type Waiting = { received: readonly Command[]; waiting: Set<() => void>; withinMs: number; node: string }

function toldOf(kind: Command['kind'], { received, waiting, withinMs, node }: Waiting): Promise<Command> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      waiting.delete(look)
    }
    const look = (): void => {
      const found = received.find((command) => command.kind === kind)
      if (found === undefined) return
      end()
      resolve(found)
    }
    const timer = setTimeout(() => {
      end()
      reject(new Error(`${node} was not told to ${kind} within ${withinMs} ms`))
    }, withinMs)
    waiting.add(look)
    look()
  })
}
