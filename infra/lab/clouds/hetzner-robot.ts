/**
 * A strict Hetzner Robot on this machine: failover IPs and servers, as its web service documents them.
 *
 *   POST /failover/{ip} active_server_ip=   routed when the switch has ended; until then it is locked: 409
 *   to where it is routed already           409, too
 *   a wrong password, three times           nobody from there is served for ten minutes
 *   too many requests                       403, with how many there may be
 *
 * Robot answers a switch when it has ended. Here the answer comes at once, unless there is a fault that delays it.
 */
import { z } from 'zod'
import { beginJob, type Job, type JobOptions, withEnded } from './jobs.ts'
import { json, type Rest, type Route, restProtocol } from './rest.ts'
import { type Asked, type CloudOptions, createStrictCloud, type Reply, type StrictCloud } from './strict-cloud.ts'

export type Failover = { readonly ip: string; readonly active: string | null }
export type Server = { readonly number: number; readonly ip: string; readonly ipv6Net: string }

export type RobotState = {
  readonly failovers: readonly Failover[]
  readonly servers: readonly Server[]
  readonly jobs: readonly (Job & { readonly ip: string; readonly active: string | null })[]
}

export type RobotOptions = CloudOptions &
  Pick<JobOptions, 'jobMs'> & {
    readonly failovers: readonly Failover[]
    readonly servers: readonly Server[]
    readonly user: string
    readonly password: string
  }

export function createHetznerRobot(options: RobotOptions): Promise<StrictCloud<RobotState>> {
  const { failovers, servers } = options
  return createStrictCloud<RobotState>({
    ...options,
    initial: { failovers, servers, jobs: [] },
    protocol: restProtocol(restOf(options)),
  })
}

/** What has ended by `now` has taken effect. */
export function settled(before: RobotState, now: Date): RobotState {
  return withEnded(before, now, (state, { ip, active }) => ({
    ...state,
    failovers: state.failovers.map((each) => (each.ip === ip ? { ...each, active } : each)),
  }))
}

const statusOf: Readonly<Record<string, number>> = {
  ...{ INVALID_INPUT: 400, UNAUTHORIZED: 401, RATE_LIMIT_EXCEEDED: 403, NOT_FOUND: 404 },
  ...{ FAILOVER_NEW_SERVER_NOT_FOUND: 404, FAILOVER_ALREADY_ROUTED: 409, FAILOVER_LOCKED: 409 },
  ...{ FAILOVER_FAILED: 500, FAILOVER_NOT_COMPLETE: 500, INTERNAL_ERROR: 500 },
}

function refuse(code: string, message: string, more: object = {}): Reply {
  const status = statusOf[code] ?? 400
  const limit = code === 'RATE_LIMIT_EXCEEDED' ? { max_request: 100, interval: 3600 } : {}
  return { ...json(status, { error: { status, code, message, ...limit }, ...more }), outcome: code }
}

const failuresAllowed = 3
const lockoutMs = 600_000

function restOf(options: RobotOptions): Rest<RobotState> {
  const own = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}`
  let failures: readonly number[] = []
  return {
    refuse,
    codes: { noRoute: 'NOT_FOUND', invalid: 'INVALID_INPUT' },
    authorise: ({ headers }: Asked, now) => {
      failures = failures.filter((at) => now.getTime() - at < lockoutMs)
      if (failures.length < failuresAllowed && headers.authorization === own) return undefined
      if (failures.length < failuresAllowed) failures = [...failures, now.getTime()]
      return refuse('UNAUTHORIZED', 'Unauthorized')
    },
    routes: [getFailover, getServers, postFailover(options)],
  }
}

const path = /^\/failover\/(?<ip>[^/]+)$/

const getFailover: Route<RobotState> = {
  action: 'GET failover',
  method: 'GET',
  path,
  perform: (state, { params, now }) => {
    const found = settled(state, now).failovers.find(({ ip }) => ip === params.ip)
    return { reply: found === undefined ? refuse('NOT_FOUND', 'Failover-IP not found') : json(200, shown(found)) }
  },
}

const getServers: Route<RobotState> = {
  action: 'GET server',
  method: 'GET',
  path: /^\/server$/,
  perform: ({ servers }) => ({
    reply: json(
      200,
      servers.map(({ number, ip, ipv6Net }) => ({
        server: { server_ip: ip, server_ipv6_net: ipv6Net, server_number: number, status: 'ready' },
      })),
    ),
  }),
}

function postFailover(options: Pick<JobOptions, 'jobMs'>): Route<RobotState> {
  return {
    action: 'POST failover',
    method: 'POST',
    path,
    type: 'application/x-www-form-urlencoded',
    body: z.strictObject({ active_server_ip: z.union([z.ipv4(), z.ipv6()]) }),
    perform: (before, { params, body, now }) => {
      const state = settled(before, now)
      const active = (body as { active_server_ip: string }).active_server_ip
      const found = state.failovers.find(({ ip }) => ip === params.ip)
      if (found === undefined) return { reply: refuse('NOT_FOUND', 'Failover-IP not found') }
      const isSix = found.ip.includes(':')
      if (!state.servers.some(({ ip, ipv6Net }) => active === (isSix ? ipv6Net : ip))) {
        return { reply: refuse('FAILOVER_NEW_SERVER_NOT_FOUND', `Server ${active} not found`) }
      }
      if (state.jobs.some((job) => !job.isOver && job.ip === found.ip)) {
        return { reply: refuse('FAILOVER_LOCKED', 'Failover is locked by another request') }
      }
      if (found.active === active) {
        return { reply: refuse('FAILOVER_ALREADY_ROUTED', 'Failover already routed', shown(found)) }
      }
      const job = { ...beginJob(options, state.jobs, now), ip: found.ip, active }
      return { reply: json(200, shown({ ...found, active })), state: { ...state, jobs: [...state.jobs, job] } }
    },
  }
}

function shown({ ip, active }: Failover): object {
  const isSix = ip.includes(':')
  const ordered = { server_ip: '198.51.100.1', server_ipv6_net: '2001:db8:1::', server_number: 1 }
  return { failover: { ip, netmask: isSix ? '64' : '255.255.255.255', ...ordered, active_server_ip: active } }
}
