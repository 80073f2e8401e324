/** `holdfast status [SERVICE]`: what the local agent does, or what control sees. */
import type { AgentServiceStatus, AgentStatus } from '../../node-agent/status.ts'
import type { ServiceView } from '../view.ts'
import { type Access, askAgent, callControl } from './client.ts'
import { CommandError } from './failure.ts'
import { ago, table } from './table.ts'

type Options = Access & { readonly socket?: string; readonly json?: boolean }

const defaultSocket = '/run/holdfast/agent.sock'

/** A control that is named is asked; else the agent of this machine. A named socket always wins. */
export async function runStatusCommand(service: string | undefined, options: Options): Promise<void> {
  const fromControl = options.socket === undefined && options.url !== undefined
  const print = (value: unknown, text: () => string): void => {
    process.stdout.write(`${options.json ? JSON.stringify(value) : text()}\n`)
  }
  if (fromControl) {
    const services = await fetchServices(options, service)
    print(service === undefined ? services : services[0], () => describeServices(services, Date.now()))
    return
  }
  const status = (await askAgent(options.socket ?? defaultSocket, '/v1/status')) as AgentStatus
  const chosen = service === undefined ? status : only(status, service)
  print(chosen, () => describeAgent(chosen, Date.now()))
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

export function describeAgent(status: AgentStatus, nowMs: number): string {
  const rows = Object.entries(status.services).map(([name, service]) => [
    name,
    service.state,
    ago(service.since, nowMs),
    service.priority === service.basePriority
      ? String(service.priority)
      : `${service.priority} (${service.priority > service.basePriority ? 'raised' : 'lowered'} from ${service.basePriority})`,
    service.mode === 'solo' ? 'solo' : `${service.interface} vrid ${service.vrid}`,
    service.addresses.join(' ') || '-',
    troubleHere(service),
  ])
  const discarded = Object.entries(status.discards).flatMap(([name, reasons]) =>
    Object.entries(reasons)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${name}: ${count} packets discarded (${reason})`),
  )
  const failing = Object.entries(status.checks)
    .filter(([, { verdict }]) => verdict === 'failing')
    .map(([name, { why }]) => `check ${name} fails: ${why}`)
  const down = status.vrrp.pid === null && Object.values(status.services).some(({ mode }) => mode === 'vrrp')
  const control =
    status.control === null
      ? 'no control'
      : `control ${status.control.connected ? 'connected' : 'LOST'} (${status.control.url})`
  return [
    `${status.node} (site ${status.site}), ${control}${down ? ', the VRRP process is DOWN' : ''}`,
    table([['SERVICE', 'STATE', 'SINCE', 'PRIORITY', 'WHERE', 'ADDRESSES', 'TROUBLE'], ...rows]),
    ...failing,
    ...discarded,
  ].join('\n')
}

function troubleHere({ fault, yieldsBecause, late, owner }: AgentServiceStatus): string {
  const contested = owner?.contested ? [`${owner.node} owns it outside: the LAN is split`] : []
  const slow = late > 0 ? [`${late} late timers: this machine is too slow for the interval`] : []
  const yields = yieldsBecause === null ? [] : [`yields: ${yieldsBecause}`]
  return fault ?? [...yields, ...contested, ...slow].join('; ')
}

export function describeServices(services: readonly ServiceView[], nowMs: number): string {
  if (services.length === 0) return 'control has no service; add one under services: in its configuration'
  const rows = services.map((service) => [
    service.service,
    service.phase,
    service.owner === null ? '-' : `${service.owner.node} (${service.owner.site})`,
    service.owner === null ? '-' : String(service.owner.epoch),
    service.owner === null ? '-' : ago(service.owner.since, nowMs),
    service.bindings
      .map(({ name, state, observed }) => `${name} ${state}${observed === null ? '' : ` at ${observed}`}`)
      .join(', ') || '-',
    troubleWith(service, nowMs),
  ])
  return table([['SERVICE', 'PHASE', 'OWNER', 'EPOCH', 'SINCE', 'BINDINGS', 'TROUBLE'], ...rows])
}

/** A node that says nothing is noticed here before its lease is over. */
const quietAfterMs = 3_000

function troubleWith({ owner, members, bindings }: ServiceView, nowMs: number): string {
  const gone = members.filter(({ connected }) => !connected).map(({ node }) => `${node} is not connected`)
  const quiet = members
    .filter(
      ({ connected, lastReport }) => connected && lastReport !== null && nowMs - Date.parse(lastReport) > quietAfterMs,
    )
    .map(({ node, lastReport }) => `${node} was last heard ${ago(lastReport!, nowMs)} ago`)
  const ill = members.filter(({ connected, healthy }) => connected && !healthy).map(({ node }) => `${node} is in fault`)
  const rivals = members.filter(({ node, state, connected }) => connected && state === 'active' && node !== owner?.node)
  const split = owner === null ? [] : rivals.map(({ node }) => `${node} is active too: the LAN is split`)
  const failing = bindings
    .filter(({ lastError }) => lastError !== null)
    .map(({ name, lastError }) => `${name}: ${lastError}`)
  return [...split, ...failing, ...ill, ...quiet, ...gone].join('; ')
}
