/** The local status: everything the supervisor knows, in the shape of `status.ts`. */

import type { Health } from './checks/health.ts'
import type { AgentConfig } from './config.ts'
import type { Lease } from './link/lease.ts'
import type { AgentServiceStatus, AgentStatus } from './status.ts'
import type { ServiceOverview, Supervisor } from './supervisor.ts'
import { allAddresses } from './vrrp/router.ts'
import { formatPrefix } from './wire/address.ts'

export type Overview = {
  readonly config: AgentConfig
  readonly incarnation: string
  readonly supervisor: Supervisor
  readonly connected: boolean
  readonly lease: Lease
  readonly vrrpPid: number | null
  readonly healthOf: (check: string) => Health
}

export function statusOf(overview: Overview): AgentStatus {
  const { config, incarnation, supervisor, connected, lease, vrrpPid, healthOf } = overview
  const { node, site, control } = config
  const { realtime, restarts, discards } = supervisor.vrrp()
  const services = Object.entries(supervisor.services())
  const checks = Object.keys(config.checks).map((name) => {
    const { verdict, why } = healthOf(name)
    return [name, { verdict, why }] as const
  })
  return {
    node,
    site,
    incarnation,
    control: control === undefined ? null : { url: control.url, connected, lease },
    vrrp: { pid: vrrpPid, realtime, restarts },
    services: Object.fromEntries(services.map(([name, service]) => [name, serviceStatus(config, name, service)])),
    checks: Object.fromEntries(checks),
    discards,
  }
}

function serviceStatus({ routers }: AgentConfig, name: string, service: ServiceOverview): AgentServiceStatus {
  const router = routers.find((each) => each.name === name)
  const { status, since, yieldsBecause, owner } = service
  return {
    ...status,
    since,
    yieldsBecause,
    owner,
    mode: router === undefined ? 'solo' : 'vrrp',
    interface: router?.interface ?? null,
    vrid: router?.vrid ?? null,
    addresses: (router === undefined ? [] : allAddresses(router)).map(formatPrefix),
  }
}
