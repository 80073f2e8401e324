/**
 * A name in a zone of PowerDNS that follows a service, by PowerDNS's HTTP API.
 *
 *   observe   GET zone, twice at once    the name's records, and the epoch record beside them
 *   apply     PATCH zone                 both replaced in one request, which takes effect as a whole or not at all
 *             PUT zone/notify            if so configured: secondaries fetch it now
 *
 * The API knows no condition, so the last writer wins: the epoch record tells who that was, and refuses nobody. Where the
 * server also takes dynamic updates, `rfc2136` is the better way.
 *
 * What it reads is what it wrote, unless the database behind it is a replica that lags: a few seconds cover that.
 */

import { z } from 'zod'
import type { Adapter, AdapterInput, Failure, Finding, Move, Observation, Outcome } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { failure, noTarget, strangeAnswer } from '../failures.ts'
import { type Answer, type Ask, ask, callMs, jsonOf } from '../http.ts'
import { placeName, readSecret } from '../secret.ts'
import { targetOf } from '../targets.ts'
import { failureOf } from './errors.ts'
import type { PowerDnsConfig, PowerDnsTarget } from './schema.ts'
import { blockIn, moveOf, observationOf, zoneSchema } from './zone.ts'

type Options = { readonly callTimeoutMs?: number }
type Binding = AdapterInput<PowerDnsConfig, PowerDnsTarget> & { readonly timeoutMs: number }

export function createPowerDns(
  input: AdapterInput<PowerDnsConfig, PowerDnsTarget>,
  { callTimeoutMs = callMs }: Options = {},
): Adapter {
  const binding: Binding = { ...input, timeoutMs: callTimeoutMs }
  return {
    capabilities: {
      cas: 'none',
      dryRun: true,
      ipv6: true,
      settleMs: 5_000,
      // A call is given up after 8 s; the rest is for a request that is still on its way, or waits for the database.
      maxInFlightMs: 35_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const { config, targets } = binding
  const read = async (name: string) => {
    const answer = await send(binding, { method: 'GET', path: `?rrset_name=${encodeURIComponent(`${name}.`)}` }, signal)
    if (answer.kind !== 'answered') return answer
    return answer.status === 200 ? jsonOf(answer, zoneSchema, 'PowerDNS') : strangeAnswer('PowerDNS', answer.status)
  }
  const [here, beside] = await Promise.all([read(config.name), read(epochRecordName(config.name))])
  if (here.kind !== 'value') return { kind: 'unknown', failure: here }
  if (beside.kind !== 'value') return { kind: 'unknown', failure: beside }
  // A PowerDNS that is too old to look for one name answers with the whole zone, twice.
  const rrsets = [
    ...here.value.rrsets.filter(({ type }) => type !== 'TXT'),
    ...beside.value.rrsets.filter(({ type }) => type === 'TXT'),
  ]
  return observationOf(rrsets, config, targets)
}

async function apply(binding: Binding, { node, epoch, token }: Move, signal: AbortSignal): Promise<Outcome> {
  const { config, targets } = binding
  const target = targetOf(targets, node)
  if (target === undefined) return noTarget(node)
  const blocked = blockIn(token)
  if (blocked !== null) return failure('permanent', 'NotSimple', blocked)
  const body = moveOf(config, target, { node, epoch })
  const answer = await send(binding, { method: 'PATCH', path: '', body }, signal)
  if (answer.kind !== 'answered') return answer
  if (answer.status !== 204) return strangeAnswer('PowerDNS', answer.status)
  // The move is made, and what becomes of this call changes nothing about it: PowerDNS itself notifies within a minute.
  if (config.notify) await send(binding, { method: 'PUT', path: '/notify' }, signal)
  return { kind: 'done' }
}

type Request = Pick<Ask, 'method' | 'body'> & {
  /** Below the zone. */
  readonly path: string
}

/** One call about the zone; whatever is no success is a failure. */
async function send({ config, timeoutMs }: Binding, request: Request, signal: AbortSignal): Promise<Answer | Failure> {
  const key = await readSecret(config.key)
  if (key.kind !== 'secret') return key
  if (!/^[\x21-\x7e]+$/.test(key.value)) {
    const message = `${placeName(config.key)} holds what no header can carry: an API key is one word of ASCII`
    return failure('permanent', 'NoCredentials', message)
  }
  const { path, ...rest } = request
  const headers = {
    accept: 'application/json',
    'x-api-key': key.value,
    ...(rest.body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const url = `${config.url.replace(/\/+$/, '')}/api/v1/servers/${config.serverId}/zones/${config.zone}.${path}`
  const answer = await ask({ ...rest, url, headers, secrets: [key.value], timeoutMs }, signal)
  if (answer.kind !== 'answered' || (answer.status >= 200 && answer.status <= 299)) return answer
  return failureOf(answer, { where: whereOf(config), secret: key.value })
}

const whereOf = ({ zone, serverId }: PowerDnsConfig): string => `zone ${zone} on server ${serverId}`

async function preflight(binding: Binding, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config } = binding
  const seen = await observe(binding, signal)
  const read: Finding = {
    check: `GET ${whereOf(config)}`,
    ...(seen.kind === 'unknown' ? unlessGivenUp(seen.failure, signal) : passed),
  }
  if (seen.kind === 'unknown') return [read]
  const block = blockIn(seen.token)
  const name: Finding = {
    check: `${config.name} can be written`,
    ...(block === null ? passed : { result: 'failed', message: block }),
  }
  return [read, name, await permission(binding, signal), await secondaries(binding, signal)]
}

const passed = { result: 'passed', message: null } as const

function unlessGivenUp({ code, message }: Failure, signal: AbortSignal): Pick<Finding, 'result' | 'message'> {
  return { result: signal.aborted ? 'untried' : 'failed', message: `${code}: ${message}` }
}

/** A change that names no records is refused as incomplete, and only to whoever may change the zone. */
async function permission(binding: Binding, signal: AbortSignal): Promise<Finding> {
  const check = `PATCH ${whereOf(binding.config)}`
  const answer = await send(binding, { method: 'PATCH', path: '', body: '{}' }, signal)
  if (answer.kind === 'answered') return { check, result: 'untried', message: 'an empty change was not refused' }
  return { check, ...(answer.code === 'HTTP 422' ? passed : unlessGivenUp(answer, signal)) }
}

const zoneKindSchema = z.object({ kind: z.string(), soa_edit_api: z.string().default('') })

/** Secondaries fetch a zone only when its serial has risen, which for changes by the API is a setting of the zone. */
async function secondaries(binding: Binding, signal: AbortSignal): Promise<Finding> {
  const { config } = binding
  const check = `secondaries of ${config.zone} learn of a move`
  const answer = await send(binding, { method: 'GET', path: '?rrsets=false' }, signal)
  if (answer.kind !== 'answered') return { check, ...unlessGivenUp(answer, signal) }
  const found = jsonOf(answer, zoneKindSchema, 'PowerDNS')
  if (found.kind !== 'value') return { check, ...unlessGivenUp(found, signal) }
  const { kind, soa_edit_api: raises } = found.value
  if (/^(slave|secondary)$/i.test(kind)) {
    const message = `the zone is a copy (${kind}) here, and would be overwritten: name the server that is its primary`
    return { check, result: 'failed', message }
  }
  if (/^native$/i.test(kind) || raises !== '') return { check, ...passed }
  const message = `its serial stays when the API changes it: pdnsutil set-meta ${config.zone} SOA-EDIT-API DEFAULT`
  return { check, result: 'failed', message }
}
