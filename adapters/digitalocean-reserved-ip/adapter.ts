/**
 * A reserved IP of DigitalOcean that follows a service: one address of either family, moved between Droplets of its
 * region.
 *
 *   observe    GET  /v2/reserved_ips/{ip}                                        which Droplet, or none
 *   apply      POST /v2/reserved_ips/{ip}/actions {type: assign, droplet_id}     accepted: an action
 *              GET  /v2/actions/{id}                                             until it has ended, or the call's time has
 *   preflight  GET  /v2/reserved_ips/{ip}, /v2/droplets/{id} of each target, and whether both are in one region
 *
 * An IPv6 address has `reserved_ipv6` in the place of `reserved_ips`. An action is asked for by its id alone, since
 * asking below the address is not answered for addresses that a customer has brought.
 *
 * It moves from one Droplet to another in one step. Nothing in the API makes that conditional: the last writer wins.
 *
 * What the token must allow: reserved_ip:read, reserved_ip:update, droplet:read, actions:read.
 */
import type { Adapter, AdapterInput, Failure, Finding } from '../adapter.ts'
import type { Ended, Progress } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import { asJson, type Value } from '../rest/api.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import { type Action, type Address, actionSchema, apiOf, dropletSchema, resourceOf } from './api.ts'
import type { DigitalOceanReservedIpConfig, DigitalOceanReservedIpTarget } from './schema.ts'

type Input = AdapterInput<DigitalOceanReservedIpConfig, DigitalOceanReservedIpTarget>

export function createDigitalOceanReservedIp(input: Input, options?: Options): Adapter {
  const { config, targets } = input
  const adapter = {
    api: apiOf(config),
    // No bound is documented; the action that DigitalOcean's reference shows takes 11 s.
    can: { cas: 'none', ipv6: true, settleMs: 60_000, unsureMs: 30_000 } as const,
    look: (calls: Calls) => read(calls, config),
    seen: (address: Address) => {
      const id = address.droplet?.id ?? null
      const raw = { ip: config.ip, droplet: id === null ? null : String(id), region: regionOf(address) }
      const is = ({ dropletId }: DigitalOceanReservedIpTarget) => dropletId === id
      return seenAt(targets, id === null ? null : { what: `Droplet ${id}`, is }, { raw })
    },
    move: (calls: Calls, target: DigitalOceanReservedIpTarget) => assign(calls, config, target),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

function read(calls: Calls, { ip }: DigitalOceanReservedIpConfig): Promise<Value<Address> | Failure> {
  const { path, schema } = resourceOf(ip)
  return calls.call({ method: 'GET', path }, schema)
}

function regionOf({ region, region_slug }: Address): string | null {
  return region?.slug ?? region_slug ?? null
}

async function assign(
  calls: Calls,
  { ip }: DigitalOceanReservedIpConfig,
  { dropletId }: DigitalOceanReservedIpTarget,
): Promise<Ended> {
  const body = asJson({ type: 'assign', droplet_id: dropletId })
  const sent = await calls.call({ method: 'POST', path: `${resourceOf(ip).path}/actions`, body }, actionSchema)
  if (sent.kind !== 'value') return sent
  const path = `/v2/actions/${sent.value.id}`
  return calls.follow(sent.value, { look: () => calls.call({ method: 'GET', path }, actionSchema), progress })
}

function progress({ status }: Action): Progress {
  if (status === 'in-progress') return { kind: 'running' }
  if (status === 'completed') return { kind: 'done' }
  return { kind: 'retry', code: 'errored', message: 'the action failed; DigitalOcean does not say why' }
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const { path } = resourceOf(config.ip)
  const address = await read(calls, config)
  const region = address.kind === 'value' ? regionOf(address.value) : null
  const findings = [findingOf(`GET ${path}`, address)]
  for (const [node, { dropletId }] of Object.entries(targets)) {
    const droplet = await calls.call({ method: 'GET', path: `/v2/droplets/${dropletId}` }, dropletSchema)
    const check = `GET /v2/droplets/${dropletId} (${node})`
    findings.push(findingOf(check, droplet, ({ droplet: { region: own } }) => elsewhere(region, own.slug)))
  }
  const why = 'DigitalOcean can only be asked to do it: the token needs the scope reserved_ip:update'
  return [...findings, untried(`POST ${path}/actions`, why)]
}

function elsewhere(region: string | null, own: string): string | null {
  if (region === null || region === own) return null
  return `the Droplet is in ${own}, and the address in ${region}: an address does not leave its region`
}
