/**
 * A name in a hosted zone of Route 53 that follows a service: its A and AAAA records, or its CNAME, and beside them the
 * epoch record (`adapters/dns/epoch-record.ts`).
 *
 *   observe   ListResourceRecordSets     from the name on; once more where the epoch record is further away
 *             GetChange                  beside it, while our last change is not on all of Route 53's servers
 *   apply     ChangeResourceRecordSets   one batch, all or nothing:
 *                                          DELETE  every record as it was observed, the epoch record first
 *                                          CREATE  the epoch record of this move, and the records of its node
 *
 * A DELETE that does not describe the record as it is, and a CREATE of one that exists, make Route 53 refuse the whole
 * batch: whoever writes on old knowledge, or late, changes nothing. UPSERT would overwrite what nobody has looked at.
 *
 * The list shows the newest records at once, also those that are still on their way to the servers (PENDING, some tens
 * of seconds). So a move has settled when Route 53 has taken it, and can be taken back as fast; `raw.change` says whether
 * it is everywhere (INSYNC). Resolvers ask again when the TTL has passed after that.
 *
 * Calls are made once: the SDK's retries are off, because only control knows whether a repeat is still wanted. Changes of
 * one zone exclude each other (PriorRequestNotComplete): control tries again, at random intervals.
 *
 * What the credentials must allow: `permissions` in `schema.ts`.
 */
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  GetChangeCommand,
  Route53Client,
  type RRType,
} from '@aws-sdk/client-route-53'
import { connection } from '#aws/connection'
import type { Adapter, AdapterInput, Move, Observation, Outcome } from '../adapter.ts'
import { type Called, call as callAws } from '../aws/call.ts'
import { epochRecordName, epochText } from '../dns/epoch-record.ts'
import { recordSetsOf } from '../dns/records.ts'
import { noTarget, strangeAnswer } from '../failures.ts'
import { targetOf } from '../targets.ts'
import { recognised, route53Errors } from './errors.ts'
import { preflight } from './preflight.ts'
import { readName } from './read-name.ts'
import type { Route53Config, Route53Target } from './schema.ts'
import { epochOf, observationOf, parseToken, rawOf, type Seen, type SimpleSet } from './zone.ts'

export type Binding = AdapterInput<Route53Config, Route53Target> & {
  readonly client: Route53Client
  call<Answer>(send: (signal: AbortSignal) => Promise<Answer>, signal: AbortSignal): Promise<Called<Answer>>
  /** Our last change and how far it is, for people. Forgotten with the process, and nothing depends on it. */
  readonly change: { last: { readonly id: string; readonly status: string } | null }
}

export function createRoute53(
  input: AdapterInput<Route53Config, Route53Target>,
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const client = createClient(input.config)
  const binding: Binding = {
    ...input,
    client,
    change: { last: null },
    call: (send, signal) =>
      callAws((either) => send(either).catch((error: unknown) => Promise.reject(recognised(error))), {
        credentials: client.config.credentials,
        signal,
        table: route53Errors,
        ...(options.callTimeoutMs === undefined ? {} : { timeoutMs: options.callTimeoutMs }),
      }),
  }
  return {
    capabilities: {
      cas: 'atomic',
      dryRun: false,
      ipv6: true,
      // Reads are promised to be current. Should one lag all the same, then no longer than a change takes to be everywhere.
      settleMs: 90_000,
      // A call is given up after 8 s; the rest is for a request still on its way. What comes later is refused.
      maxInFlightMs: 35_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => binding.client.destroy(),
  }
}

function createClient({ region, endpoint }: Route53Config): Route53Client {
  return new Route53Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: 1,
    retryMode: 'standard',
    ...connection(),
  })
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const [read, change] = await Promise.all([readName(binding, signal), changeNow(binding, signal)])
  if (read.kind !== 'read') return { kind: 'unknown', failure: read }
  return observationOf(read.sets, binding, rawOf(read.sets, change))
}

/** How far our last change is: `C123 PENDING`. Not knowing it is no failure. Null when there was none. */
async function changeNow(binding: Binding, signal: AbortSignal): Promise<string | null> {
  const { client, change } = binding
  const { last } = change
  if (last?.status === 'PENDING') {
    const command = new GetChangeCommand({ Id: last.id })
    const called = await binding.call((abortSignal) => client.send(command, { abortSignal }), signal)
    const status = called.kind === 'answered' ? called.answer.ChangeInfo?.Status : undefined
    if (status !== undefined && change.last === last) change.last = { id: last.id, status }
  }
  return change.last === null ? null : `${change.last.id} ${change.last.status}`
}

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const { client, config, change } = binding
  const target = targetOf(binding.targets, move.node)
  if (target === undefined) return noTarget(move.node)
  const seen = parseToken(move.token)
  if (seen === null) return { kind: 'conflict', code: 'StrangeToken', message: 'the token is none of this adapter' }
  if (seen.blocked !== null) return { kind: 'permanent', code: 'NotSimple', message: seen.blocked }
  const held = epochOf(seen)
  if (held !== null && move.epoch < held.epoch) {
    const message = `epoch ${move.epoch} is lower than ${held.epoch}, which the zone holds`
    return { kind: 'conflict', code: 'StaleEpoch', message }
  }
  const command = new ChangeResourceRecordSetsCommand({
    HostedZoneId: config.hostedZoneId,
    ChangeBatch: {
      Comment: `holdfast: ${binding.service}/${binding.binding} to ${move.node}, epoch ${move.epoch}`,
      Changes: changesOf(config, { seen, target, move }),
    },
  })
  const called = await binding.call((abortSignal) => client.send(command, { abortSignal }), signal)
  if (called.kind !== 'answered') return called
  const { Id: id, Status: status } = called.answer.ChangeInfo ?? {}
  if (id === undefined || status === undefined) return strangeAnswer('Route 53', 200)
  change.last = { id: id.replace(/^\/change\//, ''), status }
  return { kind: 'done' }
}

function changesOf(
  { name, ttl }: Route53Config,
  { seen, target, move }: { readonly seen: Seen; readonly target: Route53Target; readonly move: Move },
): Change[] {
  const text = epochText({ epoch: move.epoch, owner: move.node })
  const created = [
    { Name: epochRecordName(name), Type: 'TXT', values: [`"${text}"`] },
    ...recordSetsOf(target).map(({ type, values }) => ({ Name: name, Type: type, values })),
  ].map(({ values, ...set }) => ({ ...set, TTL: ttl, ResourceRecords: values.map((Value) => ({ Value })) }))
  const deleted = [...(seen.epoch === null ? [] : [seen.epoch]), ...seen.records]
  return [...deleted.map((set) => changeOf('DELETE', set)), ...created.map((set) => changeOf('CREATE', set))]
}

function changeOf(action: 'CREATE' | 'DELETE', { Type, ...set }: SimpleSet): Change {
  return {
    Action: action,
    ResourceRecordSet: { ...set, Type: Type as RRType } as NonNullable<Change['ResourceRecordSet']>,
  }
}
