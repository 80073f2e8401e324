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
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { noTarget } from '../failures.ts'
import { type Options, outcomeOf, type Progress } from '../rest/accepted.ts'
import { type Api, asJson, call, type Span, spanOf, type Value } from '../rest/api.ts'
import { findingOf, seenAt, targetOf } from '../rest/places.ts'
import { actionSchema, apiOf, dropletSchema, resourceOf } from './api.ts'
import type { DigitalOceanReservedIpConfig, DigitalOceanReservedIpTarget } from './schema.ts'

type Binding = AdapterInput<DigitalOceanReservedIpConfig, DigitalOceanReservedIpTarget> & {
  readonly api: Api
  readonly options: Options
}

export function createDigitalOceanReservedIp(
  input: AdapterInput<DigitalOceanReservedIpConfig, DigitalOceanReservedIpTarget>,
  options: Options = {},
): Adapter {
  const binding: Binding = { ...input, api: apiOf(input.config), options }
  const span = (signal: AbortSignal) => spanOf(signal, options.callTimeoutMs)
  return {
    capabilities: {
      cas: 'none',
      dryRun: false,
      ipv6: true,
      // No bound is documented; the action that DigitalOcean's reference shows takes 11 s.
      settleMs: 60_000,
      // A request that is still on its way for as long as a network holds on to one, and then its action.
      maxInFlightMs: 95_000,
    },
    observe: (signal) => observe(binding, span(signal)),
    apply: (move, signal) => apply(binding, move, span(signal)),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

type Address = {
  readonly ip: string
  readonly droplet?: { readonly id: number } | null | undefined
  readonly region?: { readonly slug: string } | null | undefined
  readonly region_slug?: string | undefined
}

async function read({ api, config }: Binding, span: Span): Promise<Value<Address> | Failure> {
  const { path, schema } = resourceOf(config.ip)
  return call(api, { method: 'GET', path }, schema, span)
}

async function observe(binding: Binding, span: Span): Promise<Observation> {
  const called = await read(binding, span)
  if (called.kind !== 'value') return { kind: 'unknown', failure: called }
  const id = called.value.droplet?.id ?? null
  const raw = { ip: binding.config.ip, droplet: id === null ? null : String(id), region: regionOf(called.value) }
  const is = ({ dropletId }: DigitalOceanReservedIpTarget) => dropletId === id
  return seenAt(binding.targets, id === null ? null : { what: `Droplet ${id}`, is }, raw)
}

function regionOf({ region, region_slug }: Address): string | null {
  return region?.slug ?? region_slug ?? null
}

async function apply({ api, config, targets, options }: Binding, { node }: Move, span: Span): Promise<Outcome> {
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const path = `${resourceOf(config.ip).path}/actions`
  const body = asJson({ type: 'assign', droplet_id: target.dropletId })
  const called = await call(api, { method: 'POST', path, body }, actionSchema, span)
  if (called.kind !== 'value') return called
  const { id } = called.value.action
  const look = async () => progressOf(await call(api, { method: 'GET', path: `/v2/actions/${id}` }, actionSchema, span))
  return outcomeOf(progressOf(called), look, { span, pause: options.pause })
}

function progressOf(called: Value<{ readonly action: { readonly status: string } }> | Failure): Progress {
  if (called.kind !== 'value') return { kind: 'unclear' }
  const { status } = called.value.action
  if (status === 'in-progress') return { kind: 'running' }
  if (status === 'completed') return { kind: 'done' }
  return { kind: 'retry', code: 'errored', message: 'the action failed; DigitalOcean does not say why' }
}

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { api, config, targets, options } = binding
  const span = () => spanOf(signal, options.callTimeoutMs)
  const { path } = resourceOf(config.ip)
  const address = await read(binding, span())
  const region = address.kind === 'value' ? regionOf(address.value) : null
  const findings = [findingOf(`GET ${path}`, address)]
  for (const [node, { dropletId }] of Object.entries(targets)) {
    const droplet = await call(api, { method: 'GET', path: `/v2/droplets/${dropletId}` }, dropletSchema, span())
    const check = `GET /v2/droplets/${dropletId} (${node})`
    findings.push(findingOf(check, droplet, ({ droplet: { region: own } }) => elsewhere(region, own.slug)))
  }
  const message = 'DigitalOcean can only be asked to do it: the token needs the scope reserved_ip:update'
  return [...findings, { check: `POST ${path}/actions`, result: 'untried', message }]
}

function elsewhere(region: string | null, own: string): string | null {
  if (region === null || region === own) return null
  return `the Droplet is in ${own}, and the address in ${region}: an address does not leave its region`
}
