/**
 * What a zone says of one name: the records that move, the TXT records beside them that fence it, and the token of both.
 *
 *   vip.example.com            A    192.0.2.10                  id 7c1…
 *   _holdfast.vip.example.com  TXT  "v=1 anchor"                id 41f…
 *   _holdfast.vip.example.com  TXT  "v=1 epoch=42 owner=n2"     id d02…
 *
 * Cloudflare knows no precondition but two: what is deleted must exist under that id, and what is created must not exist
 * with that content. Ids are never used twice, so deleting by id refuses whoever comes late; and the anchor, which says
 * the same in every move, refuses a late first move, which has nothing to delete.
 */
import { z } from 'zod'
import type { Observation, Raw } from '../adapter.ts'
import { type EpochRecord, epochRecordName, parseEpochText } from '../dns/epoch-record.ts'
import { canonicalValue, type RecordType, recordSetsOf, recordTypes, sameRecords } from '../dns/records.ts'
import { type CloudflareDnsConfig, type CloudflareDnsTarget, ttlOf } from './schema.ts'

export const anchorText = 'v=1 anchor'

/** What is used of a record of the API. */
export const recordSchema = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  content: z.string().default(''),
  ttl: z.number(),
  proxied: z.boolean().default(false),
  // Records that another product keeps, as a Worker's own domain, can only be changed there.
  meta: z.object({ read_only: z.boolean().optional() }).nullish(),
})
export type ZoneRecord = z.output<typeof recordSchema>

const movingSchema = recordSchema.pick({ id: true, content: true, ttl: true, proxied: true }).extend({
  type: z.enum(recordTypes),
})
export type Moving = z.output<typeof movingSchema>

const tokenSchema = z.strictObject({
  /** The ids of the TXT records, which the next move deletes. */
  fence: z.array(z.string()),
  /** The highest epoch they hold. Null: none. */
  epoch: z.number().nullable(),
  records: z.array(movingSchema),
  /** Why nothing can be written here until a person has acted. */
  blocked: z.string().nullable(),
})

/** What was seen, as the next write needs it. */
export type Seen = z.output<typeof tokenSchema>

const nothingSeen: Seen = { fence: [], epoch: null, records: [], blocked: null }

/** Null for a token that is none of ours. */
export function parseToken(token: string | null): Seen | null {
  if (token === null) return nothingSeen
  try {
    return tokenSchema.safeParse(JSON.parse(token)).data ?? null
  } catch {
    return null
  }
}

/** The records of one name, and of its epoch name. */
export type NameRecords = { readonly records: readonly ZoneRecord[]; readonly epoch: readonly ZoneRecord[] }

export function observationOf(
  found: NameRecords,
  { config, targets }: { readonly config: CloudflareDnsConfig; readonly targets: Targets },
): Observation {
  const moving = found.records.filter(isMoving)
  const fence = found.epoch.filter(({ type }) => type === 'TXT')
  const epochs = fence.flatMap(epochOf).sort((one, other) => other.epoch - one.epoch)
  const [held] = epochs
  const blocked = blockOf(found, config)
  const seen: Seen = {
    fence: fence.map(({ id }) => id),
    epoch: held?.epoch ?? null,
    records: moving.map(({ id, type, content, ttl, proxied }) => ({ id, type, content, ttl, proxied })),
    blocked,
  }
  const raw: Raw = { records: textOf(moving), epochRecord: textOf(fence) }
  const shared = { token: JSON.stringify(seen), raw, ...(held === undefined ? {} : { epochSeen: held.epoch }) }
  if (blocked !== null) return { kind: 'foreign', what: blocked, ...shared }
  // Somebody has taken the anchor away, and two first moves have met. The next move leaves one of them.
  if (epochs.length > 1) return { kind: 'foreign', what: `${epochs.length} epoch records: ${textOf(fence)}`, ...shared }
  if (moving.length === 0) return { kind: 'none', ...shared }
  const node = nodeOf(moving, { config, targets, held })
  if (node !== undefined) return { kind: 'node', node, ...shared }
  return { kind: 'foreign', what: textOf(moving) ?? 'nothing', ...shared }
}

type Targets = Readonly<Record<string, CloudflareDnsTarget>>

/** Why nothing can be written here until a person has acted; null when nothing stands in the way. */
export function blockOf({ records, epoch }: NameRecords, { name }: Pick<CloudflareDnsConfig, 'name'>): string | null {
  const kept = [...records.filter(isMoving), ...epoch].find(({ meta }) => meta?.read_only === true)
  if (kept !== undefined) return `${described(kept)} is kept by another product of Cloudflare's: remove it there`
  if (epoch.some(({ type }) => type === 'CNAME')) {
    return `${epochRecordName(name)} is an alias (CNAME), beside which no epoch can stand: delete it`
  }
  const strange = epoch.find((record) => record.type === 'TXT' && !isAnchor(record) && epochOf(record).length === 0)
  if (strange === undefined) return null
  return `${epochRecordName(name)} TXT holds ${strange.content.slice(0, 80)}, which is no epoch of ours: delete it`
}

/** The node whose target the records are; the one that the epoch record names where several have the same. */
function nodeOf(
  records: readonly Moving[],
  about: { readonly config: CloudflareDnsConfig; readonly targets: Targets; readonly held: EpochRecord | undefined },
): string | undefined {
  const { config, targets, held } = about
  if (records.some(({ ttl, proxied }) => ttl !== ttlOf(config) || proxied !== config.proxied)) return undefined
  const sets = recordTypes.flatMap((type) => {
    const values = records.filter((record) => record.type === type).map(({ content }) => content)
    return values.length === 0 ? [] : [{ type, values }]
  })
  const fitting = Object.entries(targets)
    .filter(([, target]) => sameRecords(recordSetsOf(target), sets))
    .map(([node]) => node)
  return fitting.find((node) => node === held?.owner) ?? fitting[0]
}

/** Whether a record is the binding's; mail, verification texts and the like of the same name are not. */
function isMoving(record: ZoneRecord): record is ZoneRecord & { type: RecordType } {
  return (recordTypes as readonly string[]).includes(record.type)
}

function isAnchor({ content }: ZoneRecord): boolean {
  return unquoted(content) === anchorText
}

function epochOf({ content }: ZoneRecord): EpochRecord[] {
  const parsed = parseEpochText(unquoted(content))
  return parsed === null ? [] : [parsed]
}

/** A text is quoted as in a zone file; those written without quotes, long ago or by hand, are answered so. */
function unquoted(content: string): string {
  return /^"([^"\\]*)"$/.exec(content)?.[1] ?? content
}

function textOf(records: readonly Omit<ZoneRecord, 'id'>[]): string | null {
  return records.map(described).sort().join(', ') || null
}

function described({ name, type, content, ttl, proxied }: Omit<ZoneRecord, 'id'>): string {
  const value = (recordTypes as readonly string[]).includes(type)
    ? canonicalValue(type as RecordType, content)
    : content
  return `${name} ${type} ${value} (${proxied ? 'proxied' : ttl === 1 ? 'TTL automatic' : `TTL ${ttl}`})`
}
