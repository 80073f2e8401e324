/**
 * A name in a zone of Cloudflare that follows a service: its A and AAAA records, or its CNAME, and beside them the TXT
 * records that fence it (`zone.ts`).
 *
 *   observe   GET  zones/{zone}/dns_records?name.exact=   of the name and of its epoch name, at the same time
 *   apply     POST zones/{zone}/dns_records/batch         one transaction, all or nothing, in this order:
 *                    deletes   the TXT records by the ids that were observed, and records of which nothing is left
 *                    patches   records that change their content
 *                    posts     the TXT records of this move, and records that are new
 *
 * An id that has gone (81044), and a text that is there already (81058), make Cloudflare refuse the whole batch: whoever
 * writes on old knowledge, or late, changes nothing.
 *
 * The records change together in Cloudflare's database, and one after the other, within seconds, in its network. Clients
 * of a name that is not proxied ask again when the TTL has passed; those of a proxied one notice nothing.
 *
 * What the token must allow: `permissions` in `schema.ts`.
 */
import type { ClientOptions } from 'cloudflare'
import { BaseRecords } from 'cloudflare/resources/dns/records'
import { BaseZones } from 'cloudflare/resources/zones/zones'
import { createClient } from 'cloudflare/tree-shakable'
import { z } from 'zod'
import type { Adapter, AdapterInput, Move, Observation, Outcome } from '../adapter.ts'
import { type Called, call as callCloudflare, type Request } from '../cloudflare/call.ts'
import { noTarget } from '../failures.ts'
import { targetOf } from '../targets.ts'
import { batchOf } from './batch.ts'
import { preflight } from './preflight.ts'
import { readName } from './read-name.ts'
import type { CloudflareDnsConfig, CloudflareDnsTarget } from './schema.ts'
import { observationOf, parseToken } from './zone.ts'

const connect = (options: ClientOptions) => createClient({ ...options, resources: [BaseRecords, BaseZones] })
export type Client = ReturnType<typeof connect>

export type Binding = AdapterInput<CloudflareDnsConfig, CloudflareDnsTarget> & {
  call<Schema extends z.ZodType>(
    request: Pick<Request<Client, Schema>, 'send' | 'result'>,
    signal: AbortSignal,
  ): Promise<Called<z.output<Schema>>>
}

export function createCloudflareDns(
  input: AdapterInput<CloudflareDnsConfig, CloudflareDnsTarget>,
  options: { readonly callTimeoutMs?: number } = {},
): Adapter {
  const timeout = options.callTimeoutMs === undefined ? {} : { timeoutMs: options.callTimeoutMs }
  const binding: Binding = {
    ...input,
    call: (request, signal) => callCloudflare(input.config, { connect, ...request, ...timeout }, signal),
  }
  return {
    capabilities: {
      cas: 'atomic',
      dryRun: false,
      ipv6: true,
      // Reads come from the database that is written. Nothing is promised; should one lag, this is generous.
      settleMs: 30_000,
      // A call is given up after 8 s; the rest is for a request still on its way. What comes later is refused.
      maxInFlightMs: 35_000,
    },
    observe: (signal) => observe(binding, signal),
    apply: (move, signal) => apply(binding, move, signal),
    preflight: (signal) => preflight(binding, signal),
    dispose: () => {},
  }
}

async function observe(binding: Binding, signal: AbortSignal): Promise<Observation> {
  const read = await readName(binding, signal)
  return read.kind === 'read' ? observationOf(read.found, binding) : { kind: 'unknown', failure: read }
}

/** The batch's answer lists what was made; no more is used of it than that it is one. */
const batchSchema = z.object({ posts: z.array(z.object({ id: z.string() })).min(1) })

async function apply(binding: Binding, move: Move, signal: AbortSignal): Promise<Outcome> {
  const { config } = binding
  const target = targetOf(binding.targets, move.node)
  if (target === undefined) return noTarget(move.node)
  const seen = parseToken(move.token)
  if (seen === null) return { kind: 'conflict', code: 'StrangeToken', message: 'the token is none of this adapter' }
  if (seen.blocked !== null) return { kind: 'permanent', code: 'NotOurs', message: seen.blocked }
  if (seen.epoch !== null && move.epoch < seen.epoch) {
    const message = `epoch ${move.epoch} is lower than ${seen.epoch}, which the zone holds`
    return { kind: 'conflict', code: 'StaleEpoch', message }
  }
  const label = `${binding.service}/${binding.binding}`
  const batch = batchOf(seen, { config, target, move, label })
  const request = { send: (client: Client) => client.dns.records.batch(batch), result: batchSchema }
  const called = await binding.call(request, signal)
  return called.kind === 'answered' ? { kind: 'done' } : called
}
