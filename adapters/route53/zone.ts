/**
 * What a zone says of one name: the records that move, the epoch record beside them, and the token of both.
 *
 * The token holds every record exactly as it was seen, since Route 53 deletes only what is described exactly.
 */
import { z } from 'zod'
import type { Observation, Raw } from '../adapter.ts'
import { type EpochRecord, epochRecordName, parseEpochText } from '../dns/epoch-record.ts'
import { normalisedName } from '../dns/names.ts'
import {
  canonicalValue,
  type RecordSet,
  type RecordType,
  recordSetsOf,
  recordTypes,
  sameRecords,
} from '../dns/records.ts'
import type { Route53Config, Route53Target } from './schema.ts'

/** A record set of the API as far as it is used; `looseObject`: whatever else there is makes it more than a simple one. */
export const setSchema = z.looseObject({
  Name: z.string(),
  Type: z.string(),
  TTL: z.number().optional(),
  ResourceRecords: z.array(z.object({ Value: z.string() })).optional(),
  AliasTarget: z
    .object({ HostedZoneId: z.string(), DNSName: z.string(), EvaluateTargetHealth: z.boolean() })
    .optional(),
})
export type ZoneSet = z.output<typeof setSchema>

/** A set that can be taken away by describing it. */
const simpleSchema = z.strictObject(setSchema.shape)
export type SimpleSet = z.output<typeof simpleSchema>

const tokenSchema = z.strictObject({
  epoch: simpleSchema.nullable(),
  records: z.array(simpleSchema),
  /** Why nothing can be written here until a person has acted. */
  blocked: z.string().nullable(),
})

/** What was seen, as the next write needs it. */
export type Seen = z.output<typeof tokenSchema>

export const nothingSeen: Seen = { epoch: null, records: [], blocked: null }

/** Null for a token that is none of ours. */
export function parseToken(token: string | null): Seen | null {
  if (token === null) return nothingSeen
  try {
    return tokenSchema.safeParse(JSON.parse(token)).data ?? null
  } catch {
    return null
  }
}

/** The epoch that was seen. Null: none yet. */
export function epochOf({ epoch }: Seen): EpochRecord | null {
  return parseEpochText(epochTextOf(epoch === null ? [] : [epoch]) ?? '')
}

/** The sets of one name that move, and its epoch record. */
export type NameSets = { readonly records: readonly ZoneSet[]; readonly epoch: readonly ZoneSet[] }

export function observationOf(
  { records, epoch }: NameSets,
  { config, targets }: { readonly config: Route53Config; readonly targets: Readonly<Record<string, Route53Target>> },
  raw: Raw,
): Observation {
  const blocked = blockOf({ records, epoch }, config)
  const remembered = parseEpochText(epochTextOf(epoch) ?? '')
  // What is blocked is not written, so nothing of it is kept.
  const seen: Seen =
    blocked === null
      ? { epoch: epoch[0] === undefined ? null : simple(epoch[0]), records: records.map(simple), blocked }
      : { ...nothingSeen, blocked }
  const token = JSON.stringify(seen)
  const shared = { token, raw, ...(remembered === null ? {} : { epochSeen: remembered.epoch }) }
  if (blocked !== null) return { kind: 'foreign', what: blocked, ...shared }
  if (records.length === 0) return { kind: 'none', ...shared }
  const node = nodeOf(seen.records, { ttl: config.ttl, targets, remembered })
  if (node !== undefined) return { kind: 'node', node, ...shared }
  return { kind: 'foreign', what: seen.records.map(described).join(', '), ...shared }
}

/** Why nothing can be written here until a person has acted; null when nothing stands in the way. */
export function blockOf({ records, epoch }: NameSets, { name }: Route53Config): string | null {
  const special = [...records, ...epoch].find((set) => policyOf(set) !== undefined)
  if (special !== undefined) {
    return `${described(special)} has a routing policy (${policyOf(special)}): delete it, or name another record`
  }
  const text = epochTextOf(epoch)
  if (text === undefined || parseEpochText(text) !== null) return null
  return `${epochRecordName(name)} TXT holds ${text.slice(0, 80)}, which is no epoch of ours: delete it`
}

/** The node whose target the records are; the one that the epoch record names where several have the same. */
function nodeOf(
  records: readonly SimpleSet[],
  about: {
    readonly ttl: number
    readonly targets: Readonly<Record<string, Route53Target>>
    readonly remembered: EpochRecord | null
  },
): string | undefined {
  if (records.some(({ TTL, AliasTarget }) => AliasTarget !== undefined || TTL !== about.ttl)) return undefined
  const sets = records.map(({ Type, ResourceRecords = [] }): RecordSet => {
    return { type: Type as RecordType, values: ResourceRecords.map(({ Value }) => Value) }
  })
  const fitting = Object.entries(about.targets)
    .filter(([, target]) => sameRecords(recordSetsOf(target), sets))
    .map(([node]) => node)
  return fitting.find((node) => node === about.remembered?.owner) ?? fitting[0]
}

const simpleKeys = new Set(Object.keys(setSchema.shape))

/** What makes a set one of several that answer in turn, by weight, by place: `SetIdentifier blue`. Undefined: it is simple. */
function policyOf(set: ZoneSet): string | undefined {
  const found = Object.entries(set).find(([key, value]) => !simpleKeys.has(key) && value !== undefined)
  return found === undefined ? undefined : `${found[0]} ${JSON.stringify(found[1])}`
}

/** The text of the epoch record, without the quotes; undefined when there is none. */
function epochTextOf([set]: readonly ZoneSet[]): string | undefined {
  if (set === undefined) return undefined
  const values = set.ResourceRecords?.map(({ Value }) => Value) ?? []
  const only = values.length === 1 ? /^"([^"\\]*)"$/.exec(values[0]!)?.[1] : undefined
  return only ?? (values.join(' ') || 'no value')
}

function simple({ Name, Type, TTL, ResourceRecords, AliasTarget }: ZoneSet): SimpleSet {
  return {
    Name,
    Type,
    ...(TTL === undefined ? {} : { TTL }),
    ...(ResourceRecords === undefined ? {} : { ResourceRecords }),
    ...(AliasTarget === undefined ? {} : { AliasTarget }),
  }
}

function described({ Name, Type, TTL, ResourceRecords = [], AliasTarget }: ZoneSet): string {
  if (AliasTarget !== undefined)
    return `${normalisedName(Name)} ${Type} alias of ${normalisedName(AliasTarget.DNSName)}`
  const values = ResourceRecords.map(({ Value }) => canonical(Type, Value))
  return `${normalisedName(Name)} ${Type} ${values.join(' ')} (TTL ${TTL ?? 'none'})`
}

function canonical(type: string, value: string): string {
  return isMoving(type) ? canonicalValue(type, value) : value
}

/** Whether sets of this type are the binding's; mail, verification texts and the like of the same name are not. */
export function isMoving(type: string): type is RecordType {
  return (recordTypes as readonly string[]).includes(type)
}

export function rawOf({ records, epoch }: NameSets, change: string | null): Raw {
  const text = (sets: readonly ZoneSet[]): string | null => sets.map(described).join(', ') || null
  return { records: text(records), epochRecord: text(epoch), change }
}
