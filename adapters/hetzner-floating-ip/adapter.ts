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
import type { Adapter, AdapterInput, Failure, Finding } from '../adapter.ts'
import { failure } from '../failures.ts'
import type { Ended, Progress } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import { asJson, kindBy, type Value } from '../rest/api.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import { type Action, type Address, actionSchema, apiOf, floatingIpSchema, kinds, serverSchema } from './api.ts'
import type { HetznerFloatingIpConfig, HetznerFloatingIpTarget } from './schema.ts'

type Input = AdapterInput<HetznerFloatingIpConfig, HetznerFloatingIpTarget>

export function createHetznerFloatingIp(input: Input, options?: Options): Adapter {
  const { config, targets } = input
  const adapter = {
    api: apiOf(config),
    // No bound is documented. Actions take seconds, and wait for others of the same server before that.
    can: { cas: 'none', ipv6: true, settleMs: 30_000, unsureMs: 10_000 } as const,
    look: (calls: Calls) => read(calls, config),
    seen: ({ ip, server }: Address) => {
      const raw = { id: String(config.floatingIpId), ip, server: server === null ? null : String(server) }
      const is = ({ serverId }: HetznerFloatingIpTarget) => serverId === server
      return seenAt(targets, server === null ? null : { what: `server ${server}`, is }, { raw })
    },
    move: (calls: Calls, target: HetznerFloatingIpTarget) => assign(calls, config, target),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

function read(calls: Calls, { floatingIpId }: HetznerFloatingIpConfig): Promise<Value<Address> | Failure> {
  return calls.call({ method: 'GET', path: `/floating_ips/${floatingIpId}` }, floatingIpSchema)
}

async function assign(
  calls: Calls,
  { floatingIpId }: HetznerFloatingIpConfig,
  { serverId }: HetznerFloatingIpTarget,
): Promise<Ended> {
  const path = `/floating_ips/${floatingIpId}/actions/assign`
  const sent = await calls.call({ method: 'POST', path, body: asJson({ server: serverId }) }, actionSchema)
  if (sent.kind !== 'value') return sent
  const action = `/actions/${sent.value.id}`
  return calls.follow(sent.value, { look: () => calls.call({ method: 'GET', path: action }, actionSchema), progress })
}

function progress({ status, error }: Action): Progress {
  if (status === 'running') return { kind: 'running' }
  if (status === 'success') return { kind: 'done' }
  const { code, message } = error ?? { code: 'action_failed', message: 'the action failed, and does not say why' }
  return failure(kindBy(kinds, code) ?? 'retry', code, message)
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const { floatingIpId } = config
  const address = await read(calls, config)
  const zone = address.kind === 'value' ? address.value.home_location?.network_zone : undefined
  const findings = [
    findingOf(`GET floating_ips/${floatingIpId}`, address, ({ ip, blocked }) => {
      return blocked === true ? `${ip} is blocked by Hetzner: write to their support` : null
    }),
  ]
  for (const [node, { serverId }] of Object.entries(targets)) {
    const server = await calls.call({ method: 'GET', path: `/servers/${serverId}` }, serverSchema)
    findings.push(findingOf(`GET servers/${serverId} (${node})`, server, (found) => elsewhere(zone, found.zone)))
  }
  const why = 'a token that may only read shows it at the first move: it must be one with Read & Write'
  return [...findings, untried(`POST floating_ips/${floatingIpId}/actions/assign`, why)]
}

function elsewhere(zone: string | undefined, own: string | null): string | null {
  if (zone === undefined || own === null || zone === own) return null
  return `the server is in ${own}, and the address in ${zone}: an address does not leave its network zone`
}
