/**
 * Many agents in one process, for `bench:control`: each with a WebSocket of its own to control, in pairs of one service.
 *
 * A link has no acknowledgement of a report. But control answers a report that names a service which is not this node's
 * once everything that it led to is durable; with one such name in every `window`th report an agent knows how far
 * control has got, since the reports of one link are taken in order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Commands, Report, RouterState, ServiceReport } from '../../control/contract.ts'

/** Declared by the bench for nobody. */
export const markerService = 'marker'
/** How many reports an agent sends before it waits for control. */
const window = 10

export type Agent = {
  readonly node: string
  readonly services: readonly string[]
  state: RouterState
  epochSeen: number
  sequence: number
  toggle: number
  socket: WebSocket | null
  heard(commands: Commands): void
}

export function createAgent(node: string, services: readonly string[], state: RouterState): Agent {
  return { node, services, state, epochSeen: 0, sequence: 0, toggle: 0, socket: null, heard: () => undefined }
}

const incarnation = crypto.randomUUID()
const since = new Date().toISOString()

export function reportOf(agent: Agent, { marked = false } = {}): Report {
  agent.sequence += 1
  const priority = 100 + agent.toggle
  const { state, epochSeen } = agent
  const said: ServiceReport = { state, priority, basePriority: priority, healthy: true, epochSeen, since }
  const services = Object.fromEntries(agent.services.map((service) => [service, said]))
  if (marked) services[markerService] = said
  return { node: agent.node, site: 'dc1', incarnation, sequence: agent.sequence, services }
}

export const tokenOf = (node: string): string => `bench-token-of-${node}`

export async function connect(agent: Agent, url: string): Promise<void> {
  const headers = { authorization: `Bearer ${tokenOf(agent.node)}` }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/agent`, { headers, perMessageDeflate: false })
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
  socket.on('error', () => undefined)
  agent.socket = socket
  socket.on('message', (data) => {
    const text = String(data)
    if (text === 'pong') return
    const said = JSON.parse(text) as Commands
    for (const command of said.commands) {
      if (command.kind === 'owner') agent.epochSeen = Math.max(agent.epochSeen, command.epoch)
      else if (command.kind === 'ask') socket.send(JSON.stringify({ ...reportOf(agent), answers: [command.id] }))
    }
    agent.heard(said)
  })
  // As a real agent does it while nothing changes.
  const heart = setInterval(() => socket.send('ping'), 1_000)
  socket.once('close', () => clearInterval(heart))
}

export function send(agent: Agent, report: Report = reportOf(agent)): void {
  agent.socket?.send(JSON.stringify(report))
}

/** Resolves when control has made durable whatever this agent has said until now. */
export function acknowledged(agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    agent.heard = ({ refused }) => {
      if (refused !== undefined) resolve()
    }
    send(agent, reportOf(agent, { marked: true }))
  })
}

/** Ends the link and waits until control must have noticed. */
export async function disconnect(agent: Agent): Promise<void> {
  const { socket } = agent
  agent.socket = null
  if (socket === null) return
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.close()
  await closed
  await sleep(20)
}

export type Flood = { readonly reports: number; readonly tookMs: number; readonly acknowledgedMs: readonly number[] }

/** Every agent reports a change as often as control takes it, for so long; or `perSecond` of all agents together. */
export async function flood(agents: readonly Agent[], ms: number, perSecond?: number): Promise<Flood> {
  const began = performance.now()
  const acknowledgedMs: number[] = []
  let reports = 0
  const pace = perSecond === undefined ? 0 : (1_000 * window * agents.length) / perSecond
  const play = async (agent: Agent, i: number): Promise<void> => {
    // Spread over the pace, or all would report in one instant.
    if (pace > 0) await sleep((pace * i) / agents.length)
    while (performance.now() - began < ms) {
      const at = performance.now()
      for (let n = 1; n < window; n += 1) {
        agent.toggle = 1 - agent.toggle
        send(agent)
      }
      agent.toggle = 1 - agent.toggle
      await acknowledged(agent)
      acknowledgedMs.push(performance.now() - at)
      reports += window
      const left = pace - (performance.now() - at)
      if (left > 1) await sleep(left)
    }
  }
  await Promise.all(agents.map(play))
  return { reports, tookMs: performance.now() - began, acknowledgedMs }
}

/**
 * One failover: the owner's link closes, and then its rival says that it is active. How long until the rival's link
 * carries the new owner, for each service of the pair: in between control has decided, and written and flushed it.
 */
export async function failOver(owner: Agent, rival: Agent, url: string): Promise<number[]> {
  if (owner.socket !== null) await disconnect(owner)
  if (rival.socket === null) await connect(rival, url)
  owner.state = 'backup'
  rival.state = 'active'
  const waiting = new Set(rival.services)
  const took: number[] = []
  let began = 0
  const moved = new Promise<void>((resolve) => {
    rival.heard = ({ commands }) => {
      for (const command of commands) {
        if (command.kind !== 'owner' || command.node !== rival.node || !waiting.delete(command.service)) continue
        took.push(performance.now() - began)
      }
      if (waiting.size === 0) resolve()
    }
  })
  const late = sleep(10_000, 'late' as const)
  began = performance.now()
  send(rival)
  if ((await Promise.race([moved, late])) === 'late') throw new Error(`${rival.node} did not become the owner in 10 s`)
  return took
}
