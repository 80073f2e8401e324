/**
 * An Additional IP of OVHcloud that follows a service: an IPv4 address or block, moved between services of one account.
 *
 *   observe    GET  /ip/{block}                     the service it is routed to, or none
 *   apply      POST /ip/{block}/move {to}           accepted: a task, which runs for a minute or several
 *              GET  /ip/{block}/task/{id}           until it has ended, or the time of the call has
 *   preflight  GET  /ip/{block}, /ip/{block}/move   where it is, and where it may be moved to
 *
 * It moves from one service to another in one step, and OVHcloud refuses another until the task has ended. Nothing makes
 * a move conditional: the last writer wins. A virtual MAC does not follow: the address must be configured on the server
 * itself.
 *
 * What the consumer key must allow: GET /ip/{block}, GET and POST /ip/{block}/move, GET /ip/{block}/task/*.
 */
import type { Adapter, AdapterInput, Failure, Finding } from '../adapter.ts'
import type { Ended, Progress } from '../rest/accepted.ts'
import { type Calls, createRestAdapter, type Options } from '../rest/adapter.ts'
import { asJson, type Value } from '../rest/api.ts'
import { findingOf, seenAt, untried } from '../rest/places.ts'
import { apiOf, destinationsSchema, type Ip, ipSchema, type Task, taskSchema } from './api.ts'
import type { OvhIpConfig, OvhIpTarget } from './schema.ts'

type Input = AdapterInput<OvhIpConfig, OvhIpTarget>

export function createOvhIp(input: Input, { now, ...options }: Options & { readonly now?: () => Date } = {}): Adapter {
  const { config, targets } = input
  const adapter = {
    api: apiOf(config, now),
    // No bound is documented; a task is carried out within minutes, and most within three.
    can: { cas: 'none', ipv6: false, settleMs: 300_000, unsureMs: 180_000 } as const,
    look: (calls: Calls) => read(calls, config),
    seen: ({ routedTo, type }: Ip) => {
      const name = routedTo?.serviceName ?? null
      const raw = { ip: config.ip, routedTo: name, type: type ?? null }
      const is = ({ service }: OvhIpTarget) => service === name
      return seenAt(targets, name === null ? null : { what: name, is }, { raw })
    },
    move: (calls: Calls, target: OvhIpTarget) => move(calls, config, target),
    try: (calls: Calls) => preflight(calls, input),
  }
  return createRestAdapter(input, adapter, options)
}

/** A block is one part of a path, and is signed as it is sent. */
function pathOf({ ip }: OvhIpConfig): string {
  return `/ip/${encodeURIComponent(ip)}`
}

function read(calls: Calls, config: OvhIpConfig): Promise<Value<Ip> | Failure> {
  return calls.call({ method: 'GET', path: pathOf(config) }, ipSchema)
}

async function move(calls: Calls, config: OvhIpConfig, { service }: OvhIpTarget): Promise<Ended> {
  const path = pathOf(config)
  const body = asJson({ to: service })
  const sent = await calls.call({ method: 'POST', path: `${path}/move`, body }, taskSchema)
  if (sent.kind !== 'value') return sent
  const task = `${path}/task/${sent.value.taskId}`
  return calls.follow(sent.value, { look: () => calls.call({ method: 'GET', path: task }, taskSchema), progress })
}

function progress({ status, comment }: Task): Progress {
  if (status === 'done') return { kind: 'done' }
  if (status === 'init' || status === 'todo' || status === 'doing') return { kind: 'running' }
  const message = comment ?? 'the task failed, and does not say why'
  return { kind: status === 'customerError' ? 'permanent' : 'retry', code: status, message }
}

async function preflight(calls: Calls, { config, targets }: Input): Promise<readonly Finding[]> {
  const path = pathOf(config)
  const place = await read(calls, config)
  const destinations = await calls.call({ method: 'GET', path: `${path}/move` }, destinationsSchema)
  const here = place.kind === 'value' ? place.value.routedTo?.serviceName : undefined
  const findings = Object.entries(targets).map(([node, { service }]) =>
    findingOf(`GET ${path}/move has ${service} (${node})`, destinations, (kinds) => {
      const others = Object.values(kinds).flatMap((list) => (list ?? []).map((each) => each.service))
      if (service === here || others.includes(service)) return null
      return 'the IP cannot be moved there: is the service of the same account, and in a region that the IP may be in?'
    }),
  )
  const why = 'OVHcloud can only be asked to do it: the consumer key needs the right to it'
  return [findingOf(`GET ${path}`, place), ...findings, untried(`POST ${path}/move`, why)]
}
