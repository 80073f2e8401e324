/** What a zone of PowerDNS says of one name, and how a change of it is written. */
import { z } from 'zod'
import type { Observation, Raw } from '../adapter.ts'
import { epochRecordName, epochText, parseEpochText } from '../dns/epoch-record.ts'
import { normalisedName } from '../dns/names.ts'
import {
  canonicalValue,
  type RecordSet,
  type RecordType,
  recordSetsOf,
  recordTypes,
  sameRecords,
} from '../dns/records.ts'
import type { PowerDnsConfig, PowerDnsTarget } from './schema.ts'

/** What is used of `GET /zones/{zone}`. */
export const zoneSchema = z.object({
  name: z.string(),
  rrsets: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      ttl: z.number().optional(),
      records: z.array(z.object({ content: z.string(), disabled: z.boolean().default(false) })),
    }),
  ),
})

type Sets = z.output<typeof zoneSchema>['rrsets']

/** What answers for a name in the place of addresses, made up by PowerDNS at each question. */
const computed: readonly string[] = ['ALIAS', 'LUA']

const tokenSchema = z.strictObject({
  records: z.array(z.string()),
  /** Why nothing can be written here until a person has acted. */
  blocked: z.string().nullable(),
})

/** What stands in the way of a write, as a token tells it. */
export function blockIn(token: string | null): string | null {
  try {
    return tokenSchema.safeParse(JSON.parse(token ?? 'null')).data?.blocked ?? null
  } catch {
    return null
  }
}

export function observationOf(
  rrsets: Sets,
  config: PowerDnsConfig,
  targets: Readonly<Record<string, PowerDnsTarget>>,
): Observation {
  const at = (name: string) => rrsets.filter((set) => normalisedName(set.name) === name).flatMap(served)
  const here = at(config.name).filter(({ type }) => [...recordTypes, ...computed].includes(type))
  const texts = at(epochRecordName(config.name)).flatMap(({ type, values }) => (type === 'TXT' ? values : []))
  const epochs = texts.map((text) => parseEpochText(unquoted(text)))
  const known = epochs.filter((epoch) => epoch !== null)
  const newest = known.toSorted((one, other) => other.epoch - one.epoch)[0]
  const blocked = blockOf(config, { types: here.map(({ type }) => type), isOurs: known.length === epochs.length })
  // Resolvers keep it for longer than they should, or ask too often: what somebody has set there is put right, too.
  const hasTtl = here.every(({ ttl = config.ttl }) => ttl === config.ttl)
  const lines = here.map((set) => lineOf(set, config)).toSorted()
  const token = JSON.stringify({ records: [...lines, ...texts.toSorted()], blocked })
  const raw: Raw = { records: lines.join(', ') || null, epochRecord: texts.join(' ') || null }
  const shared = { token, raw, ...(newest === undefined ? {} : { epochSeen: newest.epoch }) }
  if (blocked !== null) return { kind: 'foreign', what: blocked, ...shared }
  if (here.length === 0) return { kind: 'none', ...shared }
  const sets = here.flatMap(({ type, values }): RecordSet[] => (isRecordType(type) ? [{ type, values }] : []))
  const fitting = Object.keys(targets).filter((node) => sameRecords(recordSetsOf(targets[node]!), sets))
  const node = hasTtl ? (fitting.find((each) => each === newest?.owner) ?? fitting[0]) : undefined
  return node === undefined ? { kind: 'foreign', what: lines.join(', '), ...shared } : { kind: 'node', node, ...shared }
}

type Served = { readonly type: string; readonly ttl: number | undefined; readonly values: readonly string[] }

function lineOf({ type, ttl, values }: Served, config: PowerDnsConfig): string {
  const line = `${type} ${values.toSorted().join(' ')}`
  return ttl === undefined || ttl === config.ttl ? line : `${line} (TTL ${ttl})`
}

/** What is answered to the world: a disabled record is there for nobody. */
function served({ type, ttl, records }: Sets[number]): readonly Served[] {
  const contents = records.filter(({ disabled }) => !disabled).map(({ content }) => content)
  const values = isRecordType(type) ? contents.map((content) => canonicalValue(type, content)) : contents
  return values.length === 0 ? [] : [{ type, ttl, values }]
}

const isRecordType = (type: string): type is RecordType => (recordTypes as readonly string[]).includes(type)

/** What PowerDNS computes cannot stand beside addresses, and what another wrote into the epoch record is not ours. */
function blockOf(
  { name }: PowerDnsConfig,
  { types, isOurs }: { readonly types: readonly string[]; readonly isOurs: boolean },
): string | null {
  const found = types.find((type) => computed.includes(type))
  if (found !== undefined) return `${name} has a record of type ${found}: delete it, or name another`
  return isOurs ? null : `the epoch record of ${name} holds what is no epoch of ours: delete it`
}

function unquoted(content: string): string {
  return /^"([^"\\]*)"$/.exec(content)?.[1] ?? ''
}

/**
 * The body of the one request that is a move. What has to go comes first, because PowerDNS checks each set against what
 * is there at its turn.
 */
export function moveOf(
  { name, ttl }: PowerDnsConfig,
  target: PowerDnsTarget,
  move: { readonly node: string; readonly epoch: number },
): string {
  const sets = recordSetsOf(target)
  const gone = recordTypes.filter((type) => !sets.some((set) => set.type === type))
  const replaced = [
    ...sets.map(({ type, values }) => ({ name, type, contents: values.map((value) => contentOf(type, value)) })),
    {
      name: epochRecordName(name),
      type: 'TXT',
      contents: [`"${epochText({ epoch: move.epoch, owner: move.node })}"`],
    },
  ]
  const rrsets = [
    ...gone.map((type) => ({ name: `${name}.`, type, changetype: 'DELETE' })),
    ...replaced.map(({ name: at, type, contents }) => {
      const records = contents.map((content) => ({ content, disabled: false }))
      return { name: `${at}.`, type, ttl, changetype: 'REPLACE', records }
    }),
  ]
  return JSON.stringify({ rrsets })
}

const contentOf = (type: RecordType, value: string): string => (type === 'CNAME' ? `${value}.` : value)
