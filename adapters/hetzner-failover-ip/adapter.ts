/**
 * A failover IP of Hetzner Robot that follows a service: an address or an IPv6 subnet, routed to one of several
 * dedicated servers.
 *
 *   observe    GET  /failover/{ip}                        which server, or none
 *   apply      POST /failover/{ip} active_server_ip=...   answered when it is routed: a minute or two later
 *   preflight  GET  /failover/{ip}, GET /server           the address, and whether all servers are the account's
 *
 * A switch outlasts the time of a call, so most often nobody hears the answer: looks show what became of it. Robot
 * refuses another switch until then (FAILOVER_LOCKED), and one to where it is already (FAILOVER_ALREADY_ROUTED), which
 * is what was wanted. Nothing makes a switch conditional: the last writer wins.
 *
 * Robot answers a hundred looks in an hour, which bounds how soon somebody else's change is noticed.
 *
 * What the user must be allowed: all of the web service, which knows no narrower permission.
 */
import type { Adapter, AdapterInput, Failure, Finding, Outcome } from '../adapter.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import { asForm, type Value } from '../rest/api.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import { apiOf, type Failover, failoverSchema, serversSchema } from './api.ts'
import type { HetznerFailoverIpConfig, HetznerFailoverIpTarget } from './schema.ts'

type Input = AdapterInput<HetznerFailoverIpConfig, HetznerFailoverIpTarget>

export function createHetznerFailoverIp(
  input: Input,
  { now, ...options }: Options & { readonly now?: () => number } = {},
): Adapter {
  const { config, targets } = input
  const adapter = {
    api: apiOf(config, now),
    // Robot's users wait for three minutes before they call it a failure. A switch takes one or two; another that is asked
    // for meanwhile is refused, and counts.
    can: { cas: 'none', ipv6: true, settleMs: 180_000, unsureMs: 120_000 } as const,
    look: (calls: Calls) => read(calls, config),
    seen: ({ server_ip, active_server_ip: active }: Failover) => {
      const raw = { ip: config.ip, activeServerIp: active, orderedWith: server_ip ?? null }
      const is = ({ serverIp }: HetznerFailoverIpTarget) => serverIp === active
      return seenAt(targets, active === null ? null : { what: `server ${active}`, is }, { raw })
    },
    move: (calls: Calls, target: HetznerFailoverIpTarget) => route(calls, config, target),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

function read(calls: Calls, { ip }: HetznerFailoverIpConfig): Promise<Value<Failover> | Failure> {
  return calls.call({ method: 'GET', path: `/failover/${ip}` }, failoverSchema)
}

async function route(
  calls: Calls,
  { ip }: HetznerFailoverIpConfig,
  { serverIp }: HetznerFailoverIpTarget,
): Promise<Outcome> {
  const body = asForm({ active_server_ip: serverIp })
  const called = await calls.call({ method: 'POST', path: `/failover/${ip}`, body }, failoverSchema)
  return called.kind === 'value' || called.code === 'FAILOVER_ALREADY_ROUTED' ? { kind: 'done' } : called
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const findings = [findingOf(`GET /failover/${config.ip}`, await read(calls, config))]
  const servers = await calls.call({ method: 'GET', path: '/server' }, serversSchema)
  for (const [node, { serverIp }] of Object.entries(targets)) {
    findings.push(
      findingOf(`GET /server has ${serverIp} (${node})`, servers, (list) => {
        const isOurs = list.some(({ server }) => [server.server_ip, server.server_ipv6_net].includes(serverIp))
        return isOurs ? null : 'no server of the account has this main address: correct serverIp'
      }),
    )
  }
  return [...findings, untried(`POST /failover/${config.ip}`, 'Robot can only be asked to do it')]
}
