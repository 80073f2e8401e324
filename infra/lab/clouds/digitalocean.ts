/**
 * A strict DigitalOcean on this machine: reserved IPs of either family, Droplets and actions, as its API documents them.
 *
 *   POST /v2/reserved_ips/{ip}/actions   201 and an action in progress, which takes effect when it ends
 *   while it is in progress, the address and the Droplet have a pending event: 422
 *   an address does not leave its region: 422
 *   a token has scopes, and does nothing else: 403
 */
import { z } from 'zod'
import { beginJob, type Job, type JobOptions, withEnded } from './jobs.ts'
import { json, type Rest, type Route, type Routed, restProtocol } from './rest.ts'
import {
  type Asked,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type ReservedIp = { readonly ip: string; readonly region: string; readonly droplet: number | null }
export type Droplet = { readonly id: number; readonly name: string; readonly region: string }
type Action = Job & { readonly ip: string; readonly droplet: number | null }

export type DigitalOceanState = {
  readonly reservedIps: readonly ReservedIp[]
  readonly droplets: readonly Droplet[]
  readonly jobs: readonly Action[]
}

export type DigitalOceanOptions = CloudOptions &
  JobOptions & {
    readonly reservedIps: readonly ReservedIp[]
    readonly droplets: readonly Droplet[]
    readonly tokens: readonly { readonly token: string; readonly scopes: readonly string[] }[]
  }

export const allScopes = ['reserved_ip:read', 'reserved_ip:update', 'droplet:read', 'actions:read'] as const

export function createDigitalOcean(options: DigitalOceanOptions): Promise<StrictCloud<DigitalOceanState>> {
  const { reservedIps, droplets } = options
  return createStrictCloud<DigitalOceanState>({
    ...options,
    initial: { reservedIps, droplets, jobs: [] },
    protocol: restProtocol(restOf(options)),
  })
}

/** What has ended by `now` has taken effect. */
export function settled(before: DigitalOceanState, now: Date): DigitalOceanState {
  return withEnded(before, now, (state, { ip, droplet }) => ({
    ...state,
    reservedIps: state.reservedIps.map((address) => (address.ip === ip ? { ...address, droplet } : address)),
  }))
}

const statusOf: Readonly<Record<string, number>> = {
  ...{ bad_request: 400, unauthorized: 401, forbidden: 403, not_found: 404, conflict: 409 },
  ...{ unprocessable_entity: 422, too_many_requests: 429, server_error: 500, service_unavailable: 503 },
}

function refuse(id: string, message: string): Reply {
  return { ...json(statusOf[id] ?? 400, { id, message, request_id: 'lab' }), outcome: id }
}

function restOf(options: DigitalOceanOptions): Rest<DigitalOceanState> {
  return {
    refuse,
    codes: { noRoute: 'not_found', invalid: 'unprocessable_entity' },
    authorise: ({ headers, method, target }: Asked) => {
      const given = options.tokens.find(({ token }) => headers.authorization === `Bearer ${token}`)
      if (given === undefined) return refuse('unauthorized', 'Unable to authenticate you')
      const kind = /^\/v2\/(droplets|actions)/.exec(target)?.[1]
      const scope = kind === 'droplets' ? 'droplet:read' : kind === 'actions' ? 'actions:read' : reservedIpScope(method)
      if (given.scopes.includes(scope)) return undefined
      return refuse('forbidden', `You are missing the required permission ${scope}`)
    },
    routes: [
      ...[getReservedIp('reserved_ips'), getReservedIp('reserved_ipv6')],
      ...[act('reserved_ips', options), act('reserved_ipv6', options)],
      ...[getDroplet, getAction],
    ],
  }
}

function reservedIpScope(method: string): string {
  return method === 'GET' ? 'reserved_ip:read' : 'reserved_ip:update'
}

type Family = 'reserved_ips' | 'reserved_ipv6'

function find(state: DigitalOceanState, family: Family, { params }: Routed): ReservedIp | undefined {
  const isSix = family === 'reserved_ipv6'
  return state.reservedIps.find(({ ip }) => ip === params.ip && ip.includes(':') === isSix)
}

function notFound(): Performed<DigitalOceanState> {
  return { reply: refuse('not_found', 'The resource you were accessing could not be found.') }
}

function getReservedIp(family: Family): Route<DigitalOceanState> {
  return {
    action: `GET ${family}`,
    method: 'GET',
    path: new RegExp(`^/v2/${family}/(?<ip>[^/]+)$`),
    perform: (before, routed) => {
      const state = settled(before, routed.now)
      const found = find(state, family, routed)
      if (found === undefined) return notFound()
      const { ip, region } = found
      const droplet = state.droplets.find(({ id }) => id === found.droplet)
      const shown = droplet === undefined ? null : shownDroplet(droplet)
      if (family === 'reserved_ipv6') {
        const reserved_at = '2026-01-01T00:00:00Z'
        return { reply: json(200, { reserved_ipv6: { ip, region_slug: region, reserved_at, droplet: shown } }) }
      }
      const locked = state.jobs.some((job) => !job.isOver && job.ip === ip)
      const answer = { ip, droplet: shown, region: { slug: region, name: region }, locked, project_id: 'lab' }
      return { reply: json(200, { reserved_ip: answer }) }
    },
  }
}

function shownDroplet({ id, name, region }: Droplet): object {
  return { id, name, status: 'active', locked: false, region: { slug: region, name: region } }
}

const getDroplet: Route<DigitalOceanState> = {
  action: 'GET droplets',
  method: 'GET',
  path: /^\/v2\/droplets\/(?<id>\d+)$/,
  perform: (state, { params }) => {
    const found = state.droplets.find(({ id }) => id === Number(params.id))
    return found === undefined ? notFound() : { reply: json(200, { droplet: shownDroplet(found) }) }
  },
}

const getAction: Route<DigitalOceanState> = {
  action: 'GET actions',
  method: 'GET',
  path: /^\/v2\/actions\/(?<id>\d+)$/,
  perform: (state, { params, now }) => {
    const found = settled(state, now).jobs.find(({ id }) => id === Number(params.id))
    return found === undefined ? notFound() : { reply: json(200, { action: shownAction(found) }) }
  },
}

const actionSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('assign'), droplet_id: z.int() }),
  z.strictObject({ type: z.literal('unassign') }),
])

function act(family: Family, options: JobOptions): Route<DigitalOceanState> {
  return {
    action: `POST ${family}`,
    method: 'POST',
    path: new RegExp(`^/v2/${family}/(?<ip>[^/]+)/actions$`),
    body: actionSchema,
    perform: (before, routed) => {
      const state = settled(before, routed.now)
      const asked = routed.body as z.output<typeof actionSchema>
      const address = find(state, family, routed)
      if (address === undefined) return notFound()
      const unprocessable = (message: string) => ({ reply: refuse('unprocessable_entity', message) })
      const droplet = asked.type === 'assign' ? state.droplets.find(({ id }) => id === asked.droplet_id) : null
      if (droplet === undefined) return unprocessable('Droplet not found')
      if (droplet !== null && droplet.region !== address.region) {
        return unprocessable('The reserved IP and the Droplet must be in the same region.')
      }
      const running = state.jobs.filter(({ isOver }) => !isOver)
      if (running.some(({ ip }) => ip === address.ip)) {
        return unprocessable('The reserved IP already has a pending event.')
      }
      if (droplet !== null && running.some((job) => job.droplet === droplet.id)) {
        return unprocessable('Droplet already has a pending event.')
      }
      const job = beginJob(options, state.jobs, routed.now)
      const action: Action = { ...job, ip: address.ip, droplet: droplet?.id ?? null }
      return { reply: json(201, { action: shownAction(action) }), state: { ...state, jobs: [...state.jobs, action] } }
    },
  }
}

function shownAction({ id, startedAt, endsAt, error, isOver, droplet }: Action): object {
  return {
    id,
    status: isOver ? (error === null ? 'completed' : 'errored') : 'in-progress',
    type: droplet === null ? 'unassign_ip' : 'assign_ip',
    started_at: new Date(startedAt).toISOString(),
    completed_at: isOver ? new Date(endsAt).toISOString() : null,
    resource_id: 758604968,
    resource_type: 'reserved_ip',
  }
}
