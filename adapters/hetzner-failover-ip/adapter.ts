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
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { noTarget } from '../failures.ts'
import type { Options } from '../rest/accepted.ts'
import { type Api, asForm, call, type Span, spanOf, type Value } from '../rest/api.ts'
import { findingOf, seenAt, targetOf } from '../rest/places.ts'
import { apiOf, failoverSchema, serversSchema } from './api.ts'
import type { HetznerFailoverIpConfig, HetznerFailoverIpTarget } from './schema.ts'

type Binding = AdapterInput<HetznerFailoverIpConfig, HetznerFailoverIpTarget> & { readonly api: Api }

export function createHetznerFailoverIp(
  input: AdapterInput<HetznerFailoverIpConfig, HetznerFailoverIpTarget>,
  options: Pick<Options, 'callTimeoutMs'> & { readonly now?: () => number } = {},
): Adapter {
  const { now = () => performance.now() } = options
  const binding: Binding = { ...input, api: apiOf(input.config, now) }
  const span = (signal: AbortSignal) => spanOf(signal, options.callTimeoutMs)
  return {
    capabilities: {
      cas: 'none',
      dryRun: false,
      ipv6: true,
      // Robot's users wait for three minutes before they call it a failure.
      settleMs: 180_000,
      // A request that is still on its way for as long as a network holds on to one, and then its switch.
      maxInFlightMs: 215_000,
      // It refuses another one until the switch has ended.
      unsureMs: 120_000,
    },
    observe: (signal) => observe(binding, span(signal)),
    apply: (move, signal) => apply(binding, move, span(signal)),
    preflight: (signal) => preflight(binding, () => span(signal)),
    dispose: () => {},
  }
}

type Failover = {
  readonly failover: {
    readonly ip: string
    readonly server_ip?: string | null | undefined
    readonly active_server_ip: string | null
  }
}

function read({ api, config }: Binding, span: Span): Promise<Value<Failover> | Failure> {
  return call(api, { method: 'GET', path: `/failover/${config.ip}` }, failoverSchema, span)
}

async function observe(binding: Binding, span: Span): Promise<Observation> {
  const called = await read(binding, span)
  if (called.kind !== 'value') return { kind: 'unknown', failure: called }
  const { server_ip, active_server_ip: active } = called.value.failover
  const raw = { ip: binding.config.ip, activeServerIp: active, orderedWith: server_ip ?? null }
  const is = ({ serverIp }: HetznerFailoverIpTarget) => serverIp === active
  return seenAt(binding.targets, active === null ? null : { what: `server ${active}`, is }, raw)
}

async function apply({ api, config, targets }: Binding, { node }: Move, span: Span): Promise<Outcome> {
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const body = asForm({ active_server_ip: target.serverIp })
  const called = await call(api, { method: 'POST', path: `/failover/${config.ip}`, body }, failoverSchema, span)
  if (called.kind === 'value') return { kind: 'done' }
  return called.code === 'FAILOVER_ALREADY_ROUTED' ? { kind: 'done' } : called
}

async function preflight(binding: Binding, span: () => Span): Promise<readonly Finding[]> {
  const { api, config, targets } = binding
  const findings = [findingOf(`GET /failover/${config.ip}`, await read(binding, span()))]
  const servers = await call(api, { method: 'GET', path: '/server' }, serversSchema, span())
  for (const [node, { serverIp }] of Object.entries(targets)) {
    findings.push(
      findingOf(`GET /server has ${serverIp} (${node})`, servers, (list) => {
        const isOurs = list.some(({ server }) => [server.server_ip, server.server_ipv6_net].includes(serverIp))
        return isOurs ? null : 'no server of the account has this main address: correct serverIp'
      }),
    )
  }
  const message = 'Robot can only be asked to do it'
  return [...findings, { check: `POST /failover/${config.ip}`, result: 'untried', message }]
}
