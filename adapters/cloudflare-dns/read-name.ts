/** Reads the records of one name, and of its epoch name. */
import { z } from 'zod'
import type { Failure } from '../adapter.ts'
import { epochRecordName } from '../dns/epoch-record.ts'
import { normalisedName } from '../dns/names.ts'
import type { Binding, Client } from './adapter.ts'
import { type NameRecords, recordSchema, type ZoneRecord } from './zone.ts'

type Read<Found> = { readonly kind: 'read'; readonly found: Found } | Failure

/**
 * Both names at once, since a move waits for it. Should a write come between the two, then this sees old records beside
 * a new epoch, which is either higher than ours, and stops us, or our own, and costs one write too many.
 */
export async function readName(binding: Binding, signal: AbortSignal): Promise<Read<NameRecords>> {
  const { name } = binding.config
  const [records, epoch] = await Promise.all([
    listRecords(binding, name, signal),
    listRecords(binding, epochRecordName(name), signal),
  ])
  if (records.kind !== 'read') return records
  return epoch.kind === 'read' ? { kind: 'read', found: { records: records.found, epoch: epoch.found } } : epoch
}

const perPage = 100
/** A name with more records than these pages hold is none that anybody serves from. */
const mostPages = 5

async function listRecords({ config, call }: Binding, name: string, signal: AbortSignal): Promise<Read<ZoneRecord[]>> {
  let found: readonly ZoneRecord[] = []
  for (let page = 1; page <= mostPages; page += 1) {
    const query = { zone_id: config.zoneId, name: { exact: name }, page, per_page: perPage }
    const request = { send: (client: Client) => client.dns.records.list(query), result: z.array(recordSchema) }
    const called = await call(request, signal)
    if (called.kind !== 'answered') return called
    found = [...found, ...called.result]
    const isLast = called.pages === undefined ? called.result.length < perPage : called.pages <= page
    if (isLast) return { kind: 'read', found: found.filter((each) => normalisedName(each.name) === name) }
  }
  return { kind: 'permanent', code: 'TooMany', message: `${name} has more than ${perPage * mostPages} records` }
}
