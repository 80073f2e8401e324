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
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { noTarget } from '../failures.ts'
import { type Options, outcomeOf, type Progress } from '../rest/accepted.ts'
import { type Api, asJson, call, type Span, spanOf, type Value } from '../rest/api.ts'
import { findingOf, seenAt, targetOf } from '../rest/places.ts'
import { apiOf, destinationsSchema, ipSchema, taskSchema } from './api.ts'
import type { OvhIpConfig, OvhIpTarget } from './schema.ts'

type Binding = AdapterInput<OvhIpConfig, OvhIpTarget> & {
  readonly api: Api
  readonly path: string
  readonly options: Options
}

export function createOvhIp(
  input: AdapterInput<OvhIpConfig, OvhIpTarget>,
  options: Options & { readonly now?: () => Date } = {},
): Adapter {
  const { now = () => new Date() } = options
  // A block is one part of a path, and is signed as it is sent.
  const path = `/ip/${encodeURIComponent(input.config.ip)}`
  const binding: Binding = { ...input, api: apiOf(input.config, now), path, options }
  const span = (signal: AbortSignal) => spanOf(signal, options.callTimeoutMs)
  return {
    capabilities: {
      cas: 'none',
      dryRun: false,
      ipv6: false,
      // No bound is documented; a task is carried out within minutes.
      settleMs: 300_000,
      // A request that is still on its way for as long as a network holds on to one, and then its task.
      maxInFlightMs: 335_000,
      // It refuses another one until the task has ended.
      unsureMs: 180_000,
    },
    observe: (signal) => observe(binding, span(signal)),
    apply: (move, signal) => apply(binding, move, span(signal)),
    preflight: (signal) => preflight(binding, () => span(signal)),
    dispose: () => {},
  }
}

async function observe({ api, path, config, targets }: Binding, span: Span): Promise<Observation> {
  const called = await call(api, { method: 'GET', path }, ipSchema, span)
  if (called.kind !== 'value') return { kind: 'unknown', failure: called }
  const name = called.value.routedTo?.serviceName ?? null
  const raw = { ip: config.ip, routedTo: name, type: called.value.type ?? null }
  return seenAt(targets, name === null ? null : { what: name, is: ({ service }) => service === name }, raw)
}

async function apply({ api, path, targets, options }: Binding, { node }: Move, span: Span): Promise<Outcome> {
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const request = { method: 'POST' as const, path: `${path}/move`, body: asJson({ to: target.service }) }
  const called = await call(api, request, taskSchema, span)
  if (called.kind !== 'value') return called
  const task = `${path}/task/${called.value.taskId}`
  const look = async () => progressOf(await call(api, { method: 'GET', path: task }, taskSchema, span))
  return outcomeOf(progressOf(called), look, { span, pause: options.pause })
}

type Task = { readonly status: string; readonly comment?: string | null | undefined }

function progressOf(called: Value<Task> | Failure): Progress {
  if (called.kind !== 'value') return { kind: 'unclear' }
  const { status, comment } = called.value
  if (status === 'done') return { kind: 'done' }
  if (status === 'init' || status === 'todo' || status === 'doing') return { kind: 'running' }
  const message = comment ?? 'the task failed, and does not say why'
  return { kind: status === 'customerError' ? 'permanent' : 'retry', code: status, message }
}

async function preflight({ api, path, targets }: Binding, span: () => Span): Promise<readonly Finding[]> {
  const place = await call(api, { method: 'GET', path }, ipSchema, span())
  const destinations = await call(api, { method: 'GET', path: `${path}/move` }, destinationsSchema, span())
  const here = place.kind === 'value' ? place.value.routedTo?.serviceName : undefined
  const findings = Object.entries(targets).map(([node, { service }]) =>
    findingOf(`GET ${path}/move has ${service} (${node})`, destinations, (kinds) => {
      const others = Object.values(kinds).flatMap((list) => (list ?? []).map((each) => each.service))
      if (service === here || others.includes(service)) return null
      return 'the IP cannot be moved there: is the service of the same account, and in a region that the IP may be in?'
    }),
  )
  const message = 'OVHcloud can only be asked to do it: the consumer key needs the right to it'
  return [findingOf(`GET ${path}`, place), ...findings, { check: `POST ${path}/move`, result: 'untried', message }]
}
