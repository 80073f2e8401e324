/** `holdfast status [SERVICE]`: what the local agent does, or what control sees. */
import type { AgentStatus } from '../../node-agent/status.ts'
import type { ServiceView } from '../core/view.ts'
import { type Access, askAgent, askControl } from './client.ts'
import { CommandError } from './failure.ts'
import { asksControl, defaultSocket } from './status-source.ts'
import { describeAgent, describeServices } from './status-text.ts'
import { paint } from './terminal.ts'

export type Options = Access & { readonly socket?: string; readonly json?: boolean; readonly watch?: boolean }

/** What is shown, as JSON and as text. */
export type Shown = { readonly json: unknown; readonly text: () => string }

export async function runStatusCommand(service: string | undefined, options: Options): Promise<void> {
  const look = (signal?: AbortSignal) => lookAt(service, options, signal)
  if (options.watch === true) {
    const { watch } = await import('./status-watch.ts')
    return watch({ look, control: asksControl(options) ? options : undefined, json: options.json === true })
  }
  const { json, text } = await look()
  process.stdout.write(`${options.json ? JSON.stringify(json) : text()}\n`)
}

async function lookAt(service: string | undefined, options: Options, signal?: AbortSignal): Promise<Shown> {
  if (asksControl(options)) {
    const { services, atMs } = await fetchServices(options, service, signal)
    const json = service === undefined ? services : services[0]
    return { json, text: () => describeServices(services, atMs, paint) }
  }
  const status = (await askAgent(options.socket || defaultSocket, '/v1/status', { signal })) as AgentStatus
  const chosen = service === undefined ? status : only(status, service)
  return { json: chosen, text: () => describeAgent(chosen, Date.now(), paint) }
}

type Services = { readonly services: readonly ServiceView[]; readonly atMs: number }

async function fetchServices(access: Access, service: string | undefined, signal?: AbortSignal): Promise<Services> {
  const one = service === undefined ? '' : `/${encodeURIComponent(service)}`
  const { body, atMs } = await askControl(access, 'GET', `/v1/services${one}`, {
    has: one === '' ? ['services'] : ['service', 'members'],
    signal,
  })
  return { services: one === '' ? (body as Services).services : [body as ServiceView], atMs }
}

function only(status: AgentStatus, service: string): AgentStatus {
  const found = status.services[service]
  if (found !== undefined) return { ...status, services: { [service]: found } }
  throw new CommandError(`${status.node} has no service ${service}; it has ${Object.keys(status.services).join(', ')}`)
}
