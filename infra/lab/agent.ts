/** Our agent as a router of the lab, with the same handle as keepalived's. */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { familyOf } from './program.ts'
import { createLog, type LogLine, type RouterProcess, type RouterState, routerProcess } from './router-process.ts'
import type { Lab } from './topology.ts'

/** An agent's configuration file as an object (design: section 5). `node` and `socket` have defaults that suit the lab. */
export type AgentConfig = {
  readonly node?: string
  readonly socket?: string
  readonly services: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

export type AgentProcess = RouterProcess & {
  readonly configFile: string
  /** Of local status and commands; inside the lab's folder, so it can be reached from outside the namespaces. */
  readonly socket: string
  /** Log lines as objects; what is not JSON is left out. */
  events(): readonly AgentEvent[]
  /** The first event, past or to come, that fits. */
  untilEvent(fits: (event: AgentEvent) => boolean, deadlineMs?: number): Promise<AgentEvent>
  /** `GET /v1/status` of its socket. */
  status(): Promise<unknown>
  /** SIGKILL to the supervisor alone. */
  killSupervisor(): void
  /** SIGKILL to the VRRP process alone, which the supervisor must notice. Throws when there is none. */
  killVrrp(): void
}

/** `at` is when we read the line, in milliseconds of `nowMs`; the rest is the agent's. */
export type AgentEvent = { readonly at: number; readonly event?: string; readonly [key: string]: unknown }

export async function startAgent(lab: Lab, node: string, config: AgentConfig): Promise<AgentProcess> {
  const folder = await mkdtemp(join(lab.folder, `agent-${node}-`))
  const configFile = join(folder, 'agent.json')
  const socket = config.socket ?? join(folder, 'agent.sock')
  await writeFile(configFile, JSON.stringify({ node, socket, ...config }, undefined, 2))
  const log = createLog(`the agent on ${node}`)
  const program = await lab.spawn(process.execPath, [holdfast, 'agent', '--config', configFile], {
    in: node,
    onLine: log.add,
  })
  const [defaultService = 'web'] = Object.keys(config.services)
  return {
    ...routerProcess({ node, program, log, announced: announcedState, defaultService }),
    configFile,
    socket,
    events: () => log.lines.map(parseEvent).filter((event) => event !== undefined),
    untilEvent: async (fits, deadlineMs = 30_000) => {
      const fitting = (line: LogLine): boolean => {
        const event = parseEvent(line)
        return event !== undefined && fits(event)
      }
      return parseEvent(await log.until(fitting, deadlineMs))!
    },
    status: () => getOverSocket(socket, '/v1/status'),
    killSupervisor: () => program.signal('SIGKILL'),
    killVrrp: () => {
      const [, child] = familyOf(program.pid)
      if (child === undefined) throw new Error(`the agent on ${node} has no VRRP process to kill`)
      process.kill(child, 'SIGKILL')
    },
  }
}

const holdfast = join(import.meta.dirname, '../../control/cli/main.ts')

function parseEvent({ at, text }: LogLine): AgentEvent | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return { ...(JSON.parse(text) as Record<string, unknown>), at }
  } catch {
    return undefined
  }
}

/** Such as `{"event":"state","service":"web","from":"backup","to":"active"}`. */
function announcedState(line: LogLine, service: string): RouterState | undefined {
  const event = parseEvent(line)
  return event?.event === 'state' && event.service === service ? (event.to as RouterState) : undefined
}

function getOverSocket(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }, (response) => json(response).then(resolve, reject)).on('error', reject)
  })
}
