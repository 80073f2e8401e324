/** What `holdfast status` shows: a line per service, below it what is wrong and what to do, and how it stands in all. */
import type { AgentStatus } from '../../node-agent/status.ts'
import type { ServiceView } from '../core/view.ts'
import { ago, tableLines } from './table.ts'
import { needsSomebody, type Severity, severities, type Trouble, troublesOf } from './trouble.ts'

/** Colours a piece of text, or leaves it as it is. */
export type Paint = (style: 'red' | 'yellow' | 'green' | 'dim' | 'bold', text: string) => string

export const plain: Paint = (_, text) => text

/** The worst first, then by name. */
export function describeServices(services: readonly ServiceView[], nowMs: number, paint: Paint = plain): string {
  if (services.length === 0) return 'control has no service; declare one with holdfast apply, or in its configuration'
  const judged = services
    .map((service) => ({ service, troubles: troublesOf(service, nowMs) }))
    .toSorted((a, b) => rankOf(a.troubles) - rankOf(b.troubles) || (a.service.service < b.service.service ? -1 : 1))
  const rows = judged.map(({ service, troubles }) => rowOf(service, { troubles, nowMs, paint }))
  const [heading, ...lines] = tableLines([['SERVICE', 'PHASE', 'OWNER', 'SINCE', 'BINDINGS'], ...rows])
  const blocks = judged.flatMap(({ troubles }, i) => [lines[i]!, ...troubles.map((trouble) => lineOf(trouble, paint))])
  const needing = judged.filter(({ troubles }) => needsSomebody(troubles)).length
  return [paint('dim', heading!), ...blocks, paint('bold', summaryOf(services.length, needing))].join('\n')
}

function rankOf([worst]: readonly Trouble[]): number {
  return worst === undefined ? severities.length : severities.indexOf(worst.severity)
}

type Row = { readonly troubles: readonly Trouble[]; readonly nowMs: number; readonly paint: Paint }

function rowOf({ service, phase, owner, bindings }: ServiceView, { troubles, nowMs, paint }: Row): string[] {
  const [worst] = troubles
  const style = worst === undefined || worst.severity === 'note' ? 'green' : colours[worst.severity]
  return [
    service,
    paint(style, phase),
    owner === null ? '-' : `${owner.node} (${owner.site})`,
    owner === null ? '-' : ago(owner.since, nowMs),
    bindings
      .map(({ name, state, observed }) => `${name} ${state}${observed === null ? '' : ` at ${observed}`}`)
      .join(', ') || '-',
  ]
}

const colours = { urgent: 'red', warning: 'yellow', note: 'dim' } as const satisfies Record<Severity, string>

function lineOf({ severity, what, remedy }: Trouble, paint: Paint): string {
  return `  ${paint(colours[severity], what)} -> ${remedy}`
}

function summaryOf(services: number, needing: number): string {
  const all = `${services} ${services === 1 ? 'service' : 'services'}`
  return needing === 0 ? `${all}, all well` : `${all}, ${needing} ${needing === 1 ? 'needs' : 'need'} you`
}

export function describeAgent(status: AgentStatus, nowMs: number, paint: Paint = plain): string {
  const rows = Object.entries(status.services).map(([name, service]) => [
    name,
    paint(service.state === 'fault' ? 'red' : 'green', service.state),
    ago(service.since, nowMs),
    service.priority === service.basePriority
      ? String(service.priority)
      : `${service.priority} (${service.priority > service.basePriority ? 'raised' : 'lowered'} from ${service.basePriority})`,
    service.mode === 'solo' ? 'solo' : `${service.interface} vrid ${service.vrid}`,
    service.addresses.join(' ') || '-',
  ])
  const [heading, ...lines] = tableLines([['SERVICE', 'STATE', 'SINCE', 'PRIORITY', 'WHERE', 'ADDRESSES'], ...rows])
  const blocks = Object.keys(status.services).flatMap((name, i) => [
    lines[i]!,
    ...serviceTroubles(status, name).map((trouble) => lineOf(trouble, paint)),
  ])
  const control = status.control === null ? 'no control' : `control ${status.control.url}`
  return [
    paint('bold', `${status.node} (site ${status.site}), ${control}`),
    ...nodeTroubles(status).map((trouble) => lineOf(trouble, paint)),
    paint('dim', heading!),
    ...blocks,
  ].join('\n')
}

function nodeTroubles({ vrrp, control, checks, discards, services }: AgentStatus): Trouble[] {
  const dead: Trouble = {
    severity: 'urgent',
    what: 'the VRRP process is down: this node holds no address',
    remedy: 'the agent starts it again; if it does not stay up, its log says why',
  }
  const lost: Trouble = {
    severity: 'urgent',
    what: `control ${control?.url} does not hear this node`,
    remedy: 'is control up, does this node reach it, and is its token right? the agent’s log says which',
  }
  const failing = Object.entries(checks)
    .filter(([, { verdict }]) => verdict === 'failing')
    .map(([name, { why }]): Trouble => {
      const what = `check ${name} fails: ${why ?? 'it gives no reason'}`
      return { severity: 'warning', what, remedy: 'put right what it looks at' }
    })
  const discarded = Object.entries(discards).flatMap(([where, reasons]) =>
    Object.entries(reasons)
      .filter(([, count]) => count > 0)
      .map(([reason, count]): Trouble => {
        const what = `${count} packets discarded on ${where}: ${reason}`
        return { severity: 'note', what, remedy: 'compare the VRRP settings of all routers there, if it grows' }
      }),
  )
  // Where all services are solo none runs.
  const isDown = vrrp.pid === null && Object.values(services).some(({ mode }) => mode === 'vrrp')
  return [...(isDown ? [dead] : []), ...(control?.connected === false ? [lost] : []), ...failing, ...discarded]
}

function serviceTroubles({ services }: AgentStatus, name: string): Trouble[] {
  const { fault, late, state, yieldsBecause, owner } = services[name]!
  const ill: Trouble = {
    severity: 'urgent',
    what: `it is in fault: ${fault ?? 'no reason is given'}`,
    remedy: 'put right what that names; it takes part again by itself',
  }
  const contested: Trouble = {
    severity: 'urgent',
    what: `${owner?.node} owns it outside, while this node is active as well: the LAN is split, or healing`,
    remedy: `check cables, switch ports and VLAN between here and ${owner?.node}`,
  }
  const yields: Trouble = {
    severity: 'note',
    what: `it takes no part in the election: ${yieldsBecause}`,
    remedy: 'by itself when that is over; who drained this node: holdfast nodes',
  }
  const slow: Trouble = {
    severity: 'warning',
    what: `${late} late timers: this machine is too slow for the interval`,
    remedy: 'set realtime: true, give it a longer interval, or take load off it',
  }
  return [
    ...(state === 'fault' || fault !== null ? [ill] : []),
    ...(owner?.contested === true ? [contested] : []),
    ...(late > 0 ? [slow] : []),
    ...(yieldsBecause === null ? [] : [yields]),
  ]
}
