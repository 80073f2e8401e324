/**
 * A Floating IP of Hetzner Cloud that follows a service: one address of either family, moved between servers.
 *
 *   observe    GET  /floating_ips/{id}                            which server, or none
 *   apply      POST /floating_ips/{id}/actions/assign {server}    accepted: an action, which runs for a second or two
 *              GET  /actions/{id}                                 until it has ended, or the time of the call has
 *   preflight  GET  /floating_ips/{id}, /servers/{id} of each target, and whether all are in one network zone
 *
 * It moves from one server to another in one step. Nothing in the API makes that conditional: the last writer wins.
 * The servers must have the address configured already, since Hetzner Cloud only routes it.
 *
 * What the token must allow: Read & Write in the project, which is the narrowest that there is.
 */
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { failure, noTarget } from '../failures.ts'
import { type Options, outcomeOf, type Progress } from '../rest/accepted.ts'
import { type Api, asJson, call, type Span, spanOf, type Value } from '../rest/api.ts'
import { findingOf, seenAt, targetOf } from '../rest/places.ts'
import { actionSchema, apiOf, floatingIpSchema, kinds, serverSchema } from './api.ts'
import type { HetznerFloatingIpConfig, HetznerFloatingIpTarget } from './schema.ts'

type Binding = AdapterInput<HetznerFloatingIpConfig, HetznerFloatingIpTarget> & {
  readonly api: Api
  readonly options: Options
}

export function createHetznerFloatingIp(
  input: AdapterInput<HetznerFloatingIpConfig, HetznerFloatingIpTarget>,
  options: Options = {},
): Adapter {
  const binding: Binding = { ...input, api: apiOf(input.config), options }
  const span = (signal: AbortSignal) => spanOf(signal, options.callTimeoutMs)
  return {
    capabilities: {
      cas: 'none',
      dryRun: false,
      ipv6: true,
      // No bound is documented. Actions take seconds, and wait for others of the same server before that.
      settleMs: 30_000,
      // A request that is still on its way for as long as a network holds on to one, and then its action.
      maxInFlightMs: 65_000,
    },
    observe: (signal) => observe(binding, span(signal)),
    apply: (move, signal) => apply(binding, move, span(signal)),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

type Address = {
  readonly ip: string
  readonly server: number | null
  readonly blocked?: boolean | undefined
  readonly home_location?: { readonly network_zone: string } | undefined
}

async function read({ api, config }: Binding, span: Span): Promise<Value<Address> | Failure> {
  const path = `/floating_ips/${config.floatingIpId}`
  const called = await call(api, { method: 'GET', path }, floatingIpSchema, span)
  return called.kind === 'value' ? { kind: 'value', value: called.value.floating_ip } : called
}

async function observe(binding: Binding, span: Span): Promise<Observation> {
  const called = await read(binding, span)
  if (called.kind !== 'value') return { kind: 'unknown', failure: called }
  const { ip, server } = called.value
  const raw = { id: String(binding.config.floatingIpId), ip, server: server === null ? null : String(server) }
  const at = server === null ? null : { what: `server ${server}`, is: isServer(server) }
  return seenAt(binding.targets, at, raw)
}

function isServer(server: number): (target: HetznerFloatingIpTarget) => boolean {
  return ({ serverId }) => serverId === server
}

async function apply({ api, config, targets, options }: Binding, { node }: Move, span: Span): Promise<Outcome> {
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const path = `/floating_ips/${config.floatingIpId}/actions/assign`
  const called = await call(
    api,
    { method: 'POST', path, body: asJson({ server: target.serverId }) },
    actionSchema,
    span,
  )
  if (called.kind !== 'value') return called
  const { id } = called.value.action
  const look = async () => {
    return progressOf(await call(api, { method: 'GET', path: `/actions/${id}` }, actionSchema, span))
  }
  return outcomeOf(progressOf(called), look, { span, pause: options.pause })
}

function progressOf(
  called: Value<{ action: { status: string; error?: Said | null | undefined } }> | Failure,
): Progress {
  if (called.kind !== 'value') return { kind: 'unclear' }
  const { status, error } = called.value.action
  if (status === 'running') return { kind: 'running' }
  if (status === 'success') return { kind: 'done' }
  const { code, message } = error ?? { code: 'action_failed', message: 'the action failed, and does not say why' }
  return failure(Object.hasOwn(kinds, code) ? kinds[code]! : 'retry', code, message)
}

type Said = { readonly code: string; readonly message: string }

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { api, config, targets, options } = binding
  const address = await read(binding, spanOf(signal, options.callTimeoutMs))
  const zone = address.kind === 'value' ? address.value.home_location?.network_zone : undefined
  const findings = [
    findingOf(`GET floating_ips/${config.floatingIpId}`, address, ({ ip, blocked }) => {
      return blocked === true ? `${ip} is blocked by Hetzner: write to their support` : null
    }),
  ]
  for (const [node, { serverId }] of Object.entries(targets)) {
    const span = spanOf(signal, options.callTimeoutMs)
    const server = await call(api, { method: 'GET', path: `/servers/${serverId}` }, serverSchema, span)
    findings.push(findingOf(`GET servers/${serverId} (${node})`, server, (found) => elsewhere(zone, found.zone)))
  }
  const message = 'a token that may only read shows it at the first move: it must be one with Read & Write'
  return [...findings, { check: `POST floating_ips/${config.floatingIpId}/actions/assign`, result: 'untried', message }]
}

function elsewhere(zone: string | undefined, own: string | null): string | null {
  if (zone === undefined || own === null || zone === own) return null
  return `the server is in ${own}, and the address in ${zone}: an address does not leave its network zone`
}
