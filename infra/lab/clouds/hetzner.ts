/**
 * A strict Hetzner Cloud on this machine: Floating IPs, servers and actions, as its API documents them.
 *
 *   POST /floating_ips/{id}/actions/assign   201 and a running action, which takes effect when it ends
 *   while it runs, the address and the server are locked: 423
 *   an address does not leave its network zone: 422
 *   a token that may only read is refused for anything else; no token, or a wrong one, for everything
 */
import { z } from 'zod'
import { beginJob, type Job, type JobOptions, withEnded } from './jobs.ts'
import { json, type Rest, type Route, restProtocol } from './rest.ts'
import { type Asked, type CloudOptions, createStrictCloud, type Reply, type StrictCloud } from './strict-cloud.ts'

export type FloatingIp = {
  readonly id: number
  readonly ip: string
  readonly type: 'ipv4' | 'ipv6'
  readonly server: number | null
  readonly blocked?: boolean
}

type Action = Job & { readonly floatingIp: number; readonly server: number }

/** `zone`: its network zone. Default: that of all addresses. */
export type Server = { readonly id: number; readonly name: string; readonly zone?: string }

export type HetznerState = {
  readonly floatingIps: readonly FloatingIp[]
  readonly servers: readonly Server[]
  readonly jobs: readonly Action[]
}

export type HetznerOptions = CloudOptions &
  JobOptions & {
    readonly floatingIps: readonly FloatingIp[]
    readonly servers: HetznerState['servers']
    readonly tokens: readonly { readonly token: string; readonly readOnly?: boolean }[]
  }

export function createHetzner(options: HetznerOptions): Promise<StrictCloud<HetznerState>> {
  const { floatingIps, servers } = options
  return createStrictCloud<HetznerState>({
    ...options,
    initial: { floatingIps, servers, jobs: [] },
    protocol: restProtocol(restOf(options)),
  })
}

/** What has ended by `now` has taken effect. */
export function settled(before: HetznerState, now: Date): HetznerState {
  return withEnded(before, now, (state, { floatingIp, server }) => ({
    ...state,
    floatingIps: state.floatingIps.map((address) => (address.id === floatingIp ? { ...address, server } : address)),
  }))
}

const statusOf: Readonly<Record<string, number>> = {
  ...{ json_error: 400, unauthorized: 401, forbidden: 403, token_readonly: 403, not_found: 404, conflict: 409 },
  ...{ invalid_input: 422, locked: 423, rate_limit_exceeded: 429, server_error: 500, unavailable: 503, timeout: 504 },
}

function refuse(code: string, message: string): Reply {
  const body = { error: { code, message, details: null } }
  return { ...json(statusOf[code] ?? 400, body), outcome: code }
}

function restOf(options: HetznerOptions): Rest<HetznerState> {
  return {
    refuse,
    codes: { noRoute: 'not_found', invalid: 'invalid_input' },
    authorise: ({ headers, method }: Asked) => {
      const given = options.tokens.find(({ token }) => headers.authorization === `Bearer ${token}`)
      if (given === undefined) return refuse('unauthorized', 'unable to authenticate')
      const isRefused = given.readOnly === true && method !== 'GET'
      return isRefused ? refuse('token_readonly', 'token is only allowed to perform GET requests') : undefined
    },
    routes: [getFloatingIp, getServer, getAction, assign(options)],
  }
}

const zoneOfAddresses = 'eu-central'

function locationIn(network_zone: string): object {
  return { id: 1, name: 'fsn1', network_zone }
}

const getFloatingIp: Route<HetznerState> = {
  action: 'GET floating_ips',
  method: 'GET',
  path: /^\/floating_ips\/(?<id>\d+)$/,
  perform: (state, { params, now }) => {
    const found = settled(state, now).floatingIps.find(({ id }) => id === Number(params.id))
    if (found === undefined) return { reply: refuse('not_found', `floating IP with ID '${params.id}' not found`) }
    const more = { name: `ip-${found.id}`, description: null, dns_ptr: [], home_location: locationIn(zoneOfAddresses) }
    return { reply: json(200, { floating_ip: { blocked: false, ...found, ...more, labels: {} } }) }
  },
}

const getServer: Route<HetznerState> = {
  action: 'GET servers',
  method: 'GET',
  path: /^\/servers\/(?<id>\d+)$/,
  perform: (state, { params }) => {
    const found = state.servers.find(({ id }) => id === Number(params.id))
    if (found === undefined) return { reply: refuse('not_found', `server with ID '${params.id}' not found`) }
    const { id, name, zone = zoneOfAddresses } = found
    const datacenter = { id: 1, name: 'dc1', location: locationIn(zone) }
    return { reply: json(200, { server: { id, name, status: 'running', datacenter } }) }
  },
}

const getAction: Route<HetznerState> = {
  action: 'GET actions',
  method: 'GET',
  path: /^\/actions\/(?<id>\d+)$/,
  perform: (state, { params, now }) => {
    const found = settled(state, now).jobs.find(({ id }) => id === Number(params.id))
    if (found === undefined) return { reply: refuse('not_found', `action with ID '${params.id}' not found`) }
    return { reply: json(200, { action: shown(found) }) }
  },
}

function assign(options: JobOptions): Route<HetznerState> {
  return {
    action: 'POST assign',
    method: 'POST',
    path: /^\/floating_ips\/(?<id>\d+)\/actions\/assign$/,
    body: z.strictObject({ server: z.int() }),
    perform: (before, { params, body, now }) => {
      const state = settled(before, now)
      const { server } = body as { server: number }
      const address = state.floatingIps.find(({ id }) => id === Number(params.id))
      if (address === undefined) return { reply: refuse('not_found', `floating IP with ID '${params.id}' not found`) }
      const found = state.servers.find(({ id }) => id === server)
      if (found === undefined) {
        return { reply: refuse('invalid_input', `invalid input in field 'server': server ${server} not found`) }
      }
      if ((found.zone ?? zoneOfAddresses) !== zoneOfAddresses) {
        return { reply: refuse('invalid_input', "invalid input in field 'server': another network zone") }
      }
      const running = state.jobs.find((action) => {
        return !action.isOver && (action.floatingIp === address.id || action.server === server)
      })
      if (running !== undefined) return { reply: refuse('locked', 'floating IP or server is locked by an action') }
      const action: Action = { ...beginJob(options, state.jobs, now), floatingIp: address.id, server }
      return {
        reply: json(201, { action: shown(action) }),
        state: { ...state, jobs: [...state.jobs, action] },
      }
    },
  }
}

function shown({ id, floatingIp, server, startedAt, endsAt, error, isOver }: Action): object {
  return {
    id,
    command: 'assign_floating_ip',
    status: isOver ? (error === null ? 'success' : 'error') : 'running',
    progress: isOver ? 100 : 0,
    started: new Date(startedAt).toISOString(),
    finished: isOver ? new Date(endsAt).toISOString() : null,
    resources: [
      { id: server, type: 'server' },
      { id: floatingIp, type: 'floating_ip' },
    ],
    error: isOver ? error : null,
  }
}
