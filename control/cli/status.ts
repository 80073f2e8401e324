/** `holdfast status [SERVICE]`: what the local agent does, or what control sees. */
import type { AgentStatus } from '../../node-agent/status.ts'
import type { ServiceView } from '../view.ts'
import { type Access, askAgent, callControl } from './client.ts'
import { CommandError } from './failure.ts'
import { describeAgent, describeServices } from './status-text.ts'
import { paint } from './terminal.ts'

export type Options = Access & { readonly socket?: string; readonly json?: boolean; readonly watch?: boolean }

/** What is shown: as JSON, and as text at a moment of wall-clock time. */
export type Shown = { readonly json: unknown; readonly text: (nowMs: number) => string }

const defaultSocket = '/run/holdfast/agent.sock'

export async function runStatusCommand(service: string | undefined, options: Options): Promise<void> {
  const look = () => lookAt(service, options)
  if (options.watch === true) return (await import('./status-watch.ts')).watch(look, options.json === true)
  const { json, text } = await look()
  process.stdout.write(`${options.json ? JSON.stringify(json) : text(Date.now())}\n`)
}

/** A control that is named is asked; else the agent of this machine. A named socket always wins. */
async function lookAt(service: string | undefined, options: Options): Promise<Shown> {
  if (options.socket === undefined && options.url !== undefined) {
    const services = await fetchServices(options, service)
    const json = service === undefined ? services : services[0]
    return { json, text: (nowMs) => describeServices(services, nowMs, paint) }
  }
  const status = (await askAgent(options.socket ?? defaultSocket, '/v1/status')) as AgentStatus
  const chosen = service === undefined ? status : only(status, service)
  return { json: chosen, text: (nowMs) => describeAgent(chosen, nowMs, paint) }
}

async function fetchServices(options: Options, service: string | undefined): Promise<ServiceView[]> {
  if (service !== undefined)
    return [(await callControl(options, 'GET', `/v1/services/${encodeURIComponent(service)}`)) as ServiceView]
  const { services } = (await callControl(options, 'GET', '/v1/services')) as { services: ServiceView[] }
  return services
}

function only(status: AgentStatus, service: string): AgentStatus {
  const found = status.services[service]
  if (found !== undefined) return { ...status, services: { [service]: found } }
  throw new CommandError(`${status.node} has no service ${service}; it has ${Object.keys(status.services).join(', ')}`)
}
