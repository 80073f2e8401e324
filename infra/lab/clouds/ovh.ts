/**
 * A strict OVHcloud on this machine: IPs, services and tasks, as its API documents them.
 *
 *   GET  /auth/time                asked by anybody
 *   all others                     signed, by a time no more than half a minute from its own; each by a right to it
 *   POST /ip/{block}/move {to}     200 and a task to do, which takes effect when it ends; until then no other: 409
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { beginJob, type Job, type JobOptions, withEnded } from './jobs.ts'
import { json, type Rest, type Route, restProtocol } from './rest.ts'
import { type Asked, type CloudOptions, createStrictCloud, type Reply, type StrictCloud } from './strict-cloud.ts'

export type OvhIp = { readonly ip: string; readonly service: string | null }
type Task = Job & { readonly ip: string; readonly service: string }

export type OvhState = {
  readonly ips: readonly OvhIp[]
  readonly services: readonly string[]
  readonly jobs: readonly Task[]
}

export type OvhOptions = CloudOptions &
  JobOptions & {
    readonly ips: readonly OvhIp[]
    readonly services: readonly string[]
    readonly applicationKey: string
    readonly applicationSecret: string
    readonly consumers: readonly { readonly key: string; readonly mayWrite: boolean }[]
  }

export function createOvh(options: OvhOptions): Promise<StrictCloud<OvhState>> {
  const { ips, services } = options
  return createStrictCloud<OvhState>({
    ...options,
    initial: { ips, services, jobs: [] },
    protocol: restProtocol(restOf(options)),
  })
}

/** What has ended by `now` has taken effect. */
export function settled(before: OvhState, now: Date): OvhState {
  return withEnded(before, now, (state, { ip, service }) => ({
    ...state,
    ips: state.ips.map((each) => (each.ip === ip ? { ...each, service } : each)),
  }))
}

/** By the code that a client is told, which is not always there: then by the class. */
const errors: Readonly<Record<string, { readonly status: number; readonly class: string }>> = {
  INVALID_KEY: { status: 403, class: 'Client::Forbidden' },
  INVALID_CREDENTIAL: { status: 403, class: 'Client::Forbidden' },
  NOT_GRANTED_CALL: { status: 403, class: 'Client::Forbidden' },
  INVALID_SIGNATURE: { status: 400, class: 'Client::BadRequest' },
  QUERY_TIME_OUT: { status: 400, class: 'Client::BadRequest' },
  'Client::BadRequest': { status: 400, class: 'Client::BadRequest' },
  'Client::NotFound': { status: 404, class: 'Client::NotFound' },
  'Client::Conflict': { status: 409, class: 'Client::Conflict' },
  'Client::TooManyRequests': { status: 429, class: 'Client::TooManyRequests' },
  'Server::InternalServerError': { status: 500, class: 'Server::InternalServerError' },
}

function refuse(code: string, message: string): Reply {
  const known = errors[code] ?? errors['Client::BadRequest']!
  const named = code.includes('::') ? {} : { errorCode: code }
  return { ...json(known.status, { class: known.class, message, ...named }), outcome: code }
}

const toleranceSeconds = 30

function restOf(options: OvhOptions): Rest<OvhState> {
  return {
    refuse,
    codes: { noRoute: 'Client::NotFound', invalid: 'Client::BadRequest' },
    authorise: (asked, now) => (asked.target === '/auth/time' ? undefined : objection(options, asked, now)),
    routes: [getTime, getIp, getDestinations, getTask, move(options)],
  }
}

function objection(options: OvhOptions, { headers, method, target, body }: Asked, now: Date): Reply | undefined {
  if (headers['x-ovh-application'] !== options.applicationKey) {
    return refuse('INVALID_KEY', 'This application key is invalid')
  }
  const consumer = options.consumers.find(({ key }) => key === headers['x-ovh-consumer'])
  if (consumer === undefined) return refuse('INVALID_CREDENTIAL', 'This credential does not exist')
  const time = String(headers['x-ovh-timestamp'])
  const text = [options.applicationSecret, consumer.key, method, `http://${headers.host}${target}`, body, time]
  const own = `$1$${createHash('sha1').update(text.join('+')).digest('hex')}`
  if (headers['x-ovh-signature'] !== own) return refuse('INVALID_SIGNATURE', 'Invalid signature')
  if (Math.abs(now.getTime() / 1000 - Number(time)) > toleranceSeconds) {
    return refuse('QUERY_TIME_OUT', 'Query out of time')
  }
  if (method === 'GET' || consumer.mayWrite) return undefined
  return refuse('NOT_GRANTED_CALL', 'This call has not been granted')
}

const getTime: Route<OvhState> = {
  action: 'GET time',
  method: 'GET',
  path: /^\/auth\/time$/,
  perform: (_state, { now }) => ({ reply: json(200, Math.floor(now.getTime() / 1000)) }),
}

const noIp = (ip: string | undefined) => ({
  reply: refuse('Client::NotFound', `The requested object (ip = ${ip}) does not exist`),
})

const getIp: Route<OvhState> = {
  action: 'GET ip',
  method: 'GET',
  path: /^\/ip\/(?<ip>[^/]+)$/,
  perform: (state, { params, now }) => {
    const found = settled(state, now).ips.find(({ ip }) => ip === params.ip)
    if (found === undefined) return noIp(params.ip)
    const routedTo = found.service === null ? null : { serviceName: found.service }
    const more = { type: 'failover', country: 'fr', description: null, canBeTerminated: true, organisationId: null }
    return { reply: json(200, { ip: found.ip, routedTo, ...more }) }
  },
}

const getDestinations: Route<OvhState> = {
  action: 'GET move',
  method: 'GET',
  path: /^\/ip\/(?<ip>[^/]+)\/move$/,
  perform: (before, { params, now }) => {
    const state = settled(before, now)
    const found = state.ips.find(({ ip }) => ip === params.ip)
    if (found === undefined) return noIp(params.ip)
    // Where it is already is no destination.
    const others = state.services.filter((service) => service !== found.service)
    const dedicatedServer = others.map((service) => ({ service, nexthop: [] }))
    return { reply: json(200, { dedicatedServer, vps: [], cloudProject: null }) }
  },
}

const getTask: Route<OvhState> = {
  action: 'GET task',
  method: 'GET',
  path: /^\/ip\/(?<ip>[^/]+)\/task\/(?<id>\d+)$/,
  perform: (state, { params, now }) => {
    const found = settled(state, now).jobs.find(({ id, ip }) => ip === params.ip && id === Number(params.id))
    if (found !== undefined) return { reply: json(200, shown(found)) }
    return { reply: refuse('Client::NotFound', `The requested object (taskId = ${params.id}) does not exist`) }
  },
}

function move(options: JobOptions): Route<OvhState> {
  return {
    action: 'POST move',
    method: 'POST',
    path: /^\/ip\/(?<ip>[^/]+)\/move$/,
    body: z.strictObject({ to: z.string().min(1), nexthop: z.string().optional() }),
    perform: (before, { params, body, now }) => {
      const state = settled(before, now)
      const { to } = body as { to: string }
      const found = state.ips.find(({ ip }) => ip === params.ip)
      if (found === undefined) return noIp(params.ip)
      if (!state.services.includes(to)) return { reply: refuse('Client::NotFound', 'This service does not exist') }
      if (state.jobs.some((job) => !job.isOver && job.ip === found.ip)) {
        return { reply: refuse('Client::Conflict', 'A task is already in progress on this IP') }
      }
      const task: Task = { ...beginJob(options, state.jobs, now), ip: found.ip, service: to }
      return { reply: json(200, shown(task)), state: { ...state, jobs: [...state.jobs, task] } }
    },
  }
}

function shown({ id, startedAt, endsAt, error, isOver, service }: Task): object {
  return {
    taskId: id,
    function: 'genericMoveFloatingIp',
    status: isOver ? (error === null ? 'done' : error.code) : 'todo',
    comment: isOver && error !== null ? error.message : null,
    destination: { serviceName: service },
    startDate: new Date(startedAt).toISOString(),
    doneDate: isOver ? new Date(endsAt).toISOString() : null,
  }
}
