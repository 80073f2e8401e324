/** The process that loads control, at the command of `control.ts`: messages in, results out, one at a time. */
import { Agent as HttpAgent, request } from 'node:http'
import {
  type Agent,
  acknowledged,
  connect,
  createAgent,
  disconnect,
  failOver,
  flood,
  reportOf,
  send,
  tokenOf,
} from './control-agents.ts'

export type Pair = { readonly nodes: readonly [string, string]; readonly services: readonly string[] }

export type Task =
  /** Connects both agents of each pair; the first is active. `alone`: only the first. */
  | { readonly kind: 'connect'; readonly url: string; readonly pairs: readonly Pair[]; readonly alone: boolean }
  | { readonly kind: 'flood'; readonly ms: number }
  /** Failovers of one pair after another, while the other agents send `perSecond` reports. Durations in ms. */
  | { readonly kind: 'failovers'; readonly rounds: number; readonly perSecond: number }
  /** The two agents of one pair change places once. */
  | { readonly kind: 'failover'; readonly pair: number }
  /** Posts reports over so many connections. */
  | { readonly kind: 'posts'; readonly url: string; readonly ms: number; readonly nodes: readonly string[] }
  /** Reads a path over one connection. */
  | {
      readonly kind: 'gets'
      readonly url: string
      readonly path: string
      readonly token: string
      readonly times: number
    }
  | { readonly kind: 'end' }

export type Results = {
  connect: null
  flood: { readonly perSecond: number; readonly acknowledgedMs: readonly number[] }
  failovers: readonly number[]
  failover: readonly number[]
  posts: { readonly perSecond: number; readonly tookMs: readonly number[] }
  gets: readonly number[]
  end: null
}

type Team = { active: Agent; other: Agent }
let teams: Team[] = []
let url = ''
let alone = false

const everybody = (): Agent[] => teams.flatMap(({ active, other }) => [active, other]).filter(({ socket }) => socket)

async function connectAll(task: Extract<Task, { kind: 'connect' }>): Promise<null> {
  ;({ url, alone } = task)
  teams = task.pairs.map(({ nodes: [first, second], services }) => ({
    active: createAgent(first, services, 'active'),
    other: createAgent(second, services, 'backup'),
  }))
  const starting = teams.flatMap(({ active, other }) => (alone ? [active] : [active, other]))
  while (starting.length > 0) {
    await Promise.all(
      starting.splice(0, 50).map(async (agent) => {
        await connect(agent, url)
        send(agent)
        await acknowledged(agent)
      }),
    )
  }
  return null
}

async function change(team: Team): Promise<number[]> {
  const { active, other } = team
  const took = await failOver(active, other, url)
  team.active = other
  team.other = active
  // Its last word is that it is backup now, or control would believe the one before as soon as it is connected again.
  await connect(active, url)
  await acknowledged(active)
  if (alone) await disconnect(active)
  return took
}

async function failovers({ rounds, perSecond }: Extract<Task, { kind: 'failovers' }>): Promise<number[]> {
  const took: number[] = []
  let stopped = false
  const load = async (): Promise<void> => {
    // The agents of the first tenth move, the others talk.
    const talking = everybody().slice(Math.ceil(teams.length / 10) * 2)
    while (!stopped && talking.length > 0 && perSecond > 0) await flood(talking, 500, perSecond)
  }
  const loading = load()
  const moving = teams.slice(0, Math.ceil(teams.length / 10))
  for (let i = 0; i < rounds; i += 1) took.push(...(await change(moving[i % moving.length]!)))
  stopped = true
  await loading
  return took
}

async function posts({ url, ms, nodes }: Extract<Task, { kind: 'posts' }>): Promise<Results['posts']> {
  const http = new HttpAgent({ keepAlive: true, maxSockets: nodes.length })
  const began = performance.now()
  const tookMs: number[] = []
  const play = async (node: string): Promise<void> => {
    const agent = createAgent(node, [`of-${node}`], 'backup')
    agent.sequence = Date.now()
    while (performance.now() - began < ms) {
      agent.toggle = 1 - agent.toggle
      const at = performance.now()
      await call(http, `${url}/v1/nodes/${node}/report`, tokenOf(node), JSON.stringify(reportOf(agent)))
      tookMs.push(performance.now() - at)
    }
  }
  await Promise.all(nodes.map(play))
  const perSecond = (1_000 * tookMs.length) / (performance.now() - began)
  http.destroy()
  return { perSecond, tookMs }
}

async function gets({ url, path, token, times }: Extract<Task, { kind: 'gets' }>): Promise<number[]> {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 })
  const took: number[] = []
  for (let i = 0; i < times; i += 1) {
    const at = performance.now()
    await call(http, `${url}${path}`, token)
    took.push(performance.now() - at)
  }
  http.destroy()
  return took
}

function call(agent: HttpAgent, target: string, token: string, body?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    }
    const asked = request(target, { method: body === undefined ? 'GET' : 'POST', agent, headers }, (response) => {
      response.resume()
      const fine = response.statusCode === 200
      response.once('end', () => (fine ? resolve() : reject(new Error(`${target}: ${response.statusCode}`))))
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

async function perform(task: Task): Promise<Results[keyof Results]> {
  switch (task.kind) {
    case 'connect':
      return connectAll(task)
    case 'flood': {
      const { reports, tookMs, acknowledgedMs } = await flood(everybody(), task.ms)
      return { perSecond: (1_000 * reports) / tookMs, acknowledgedMs }
    }
    case 'failovers':
      return failovers(task)
    case 'failover':
      return change(teams[task.pair]!)
    case 'posts':
      return posts(task)
    case 'gets':
      return gets(task)
    case 'end':
      for (const { socket } of everybody()) socket?.terminate()
      return null
  }
}

process.on('message', (task: Task) => {
  perform(task).then(
    (result) => process.send?.({ result }, () => task.kind === 'end' && process.exit(0)),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
