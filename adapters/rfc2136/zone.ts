/** What a zone says of one name: its addresses, the epoch record beside them, and the token of both. */
import { z } from 'zod'
import type { Observation, Raw } from '../adapter.ts'
import { parseEpochText } from '../dns/epoch-record.ts'
import { normalisedName } from '../dns/names.ts'
import { canonicalValue, sameRecords } from '../dns/records.ts'
import { failure } from '../failures.ts'
import { addressOf, type Message, textOf, types } from './message.ts'
import type { Rfc2136Config, Rfc2136Target } from './schema.ts'

const tokenSchema = z.strictObject({
  txt: z.array(z.string()),
  a: z.array(z.string()),
  aaaa: z.array(z.string()),
  /** The name is another name (CNAME). */
  alias: z.boolean(),
})

/** What was seen, as the next update's prerequisites need it. */
export type Seen = z.output<typeof tokenSchema>

export const nothingSeen: Seen = { txt: [], a: [], aaaa: [], alias: false }

/** Null for a token that is none of ours. */
export function parseToken(token: string): Seen | null {
  try {
    return tokenSchema.safeParse(JSON.parse(token)).data ?? null
  } catch {
    return null
  }
}

/** The highest epoch that was seen. Null: none yet. */
export function epochOf({ txt }: Pick<Seen, 'txt'>): number | null {
  const epochs = txt.flatMap((text) => parseEpochText(text)?.epoch ?? [])
  return epochs.length === 0 ? null : Math.max(...epochs)
}

type About = {
  readonly config: Rfc2136Config
  readonly targets: Readonly<Record<string, Rfc2136Target>>
}

/** The answers to A, AAAA and TXT. */
export function observationOf([a, aaaa, txt]: readonly Message[], { config, targets }: About): Observation {
  const all = [a!, aaaa!, txt!]
  if (all.some(({ authoritative }) => !authoritative)) {
    const message = `${config.server} is not authoritative for ${config.name}: name the zone's primary server`
    return { kind: 'unknown', failure: failure('permanent', 'NotAuthoritative', message) }
  }
  const seen: Seen = {
    txt: valuesIn(txt!, types.TXT, textOf),
    a: valuesIn(a!, types.A, addressOf),
    aaaa: valuesIn(aaaa!, types.AAAA, addressOf),
    alias: all.some(({ answers }) => answers.some(({ type }) => type === types.CNAME)),
  }
  const epoch = epochOf(seen)
  const raw: Raw = {
    a: seen.a.join(' ') || null,
    aaaa: seen.aaaa.join(' ') || null,
    epochRecord: seen.txt.join(' ') || null,
  }
  const shared = { token: JSON.stringify(seen), raw, ...(epoch === null ? {} : { epochSeen: epoch }) }
  const block = blockOf(seen, config)
  if (block !== null) return { kind: 'foreign', what: block, ...shared }
  const sets = setsOf(seen)
  if (sets.length === 0) return { kind: 'none', ...shared }
  // No less than it: what answers from a cache in front of the server has lowered it.
  const longest = Math.max(...all.slice(0, 2).flatMap(({ answers }) => answers.map(({ ttl }) => ttl)))
  const addresses = [...seen.a, ...seen.aaaa].join(' ')
  if (longest > config.ttl) return { kind: 'foreign', what: `${addresses} (TTL ${longest})`, ...shared }
  const fitting = Object.entries(targets).filter(([, target]) => sameRecords(setsOf(target), sets))
  const owner = seen.txt.map((text) => parseEpochText(text)).find((known) => known?.epoch === epoch)?.owner
  const node = fitting.find(([name]) => name === owner)?.[0] ?? fitting[0]?.[0]
  if (node !== undefined) return { kind: 'node', node, ...shared }
  return { kind: 'foreign', what: addresses, ...shared }
}

function valuesIn(message: Message, type: number, read: (data: Uint8Array) => string | null): string[] {
  const values = message.answers.filter((record) => record.type === type).map(({ data }) => read(data))
  return values.filter((value) => value !== null).toSorted()
}

/**
 * Why nothing can be written here until a person has acted, unless a wildcard only answers so: an alias cannot stand
 * beside addresses, and what another wrote into the epoch record is not ours to replace. Null: nothing is in the way.
 */
export function blockOf({ txt, alias }: Seen, { name }: Rfc2136Config): string | null {
  if (alias) return `${name} is an alias (CNAME): delete it, or name another`
  const isOurs = txt.every((text) => parseEpochText(text) !== null)
  return isOurs ? null : `the epoch record of ${name} holds what is no epoch of ours: delete it`
}

function setsOf({ a = [], aaaa = [] }: Rfc2136Target) {
  return [
    { type: 'A' as const, values: a },
    { type: 'AAAA' as const, values: aaaa.map((value) => canonicalValue('AAAA', value)) },
  ].filter(({ values }) => values.length > 0)
}

/** The owner of the SOA that an answer carries, wherever it stands. Null: none that `name` could lie in. */
export function zoneOf({ answers, authorities }: Message, name: string): string | null {
  const zones = [...answers, ...authorities].filter(({ type }) => type === types.SOA).map((record) => record.name)
  const [zone] = zones.filter((each) => each !== '' && (name === each || name.endsWith(`.${each}`)))
  return zone === undefined ? null : normalisedName(zone)
}
