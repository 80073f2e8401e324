/**
 * One move as an UPDATE (RFC 2136): what must hold (section 2.4), and what changes (section 2.5).
 *
 * What must hold is what was observed, set by set. But a wildcard answers for a name that is not there, and then what
 * was observed is not there either: so the other choice is that the name is not in use at all. A server does nothing
 * unless all of a choice holds, so trying one after the other is safe.
 */
import { epochRecordName, epochText, parseEpochText } from '../dns/epoch-record.ts'
import { addressData, classes, type ResourceRecord, textData, types } from './message.ts'
import type { Rfc2136Config, Rfc2136Target } from './schema.ts'
import type { Seen } from './zone.ts'

type Set = readonly [name: string, type: number, data: readonly Uint8Array[]]

const nothing = new Uint8Array()

/** Lists of prerequisites, of which one holds as long as nothing has changed. */
export function choicesOf(config: Rfc2136Config, seen: Seen): readonly (readonly ResourceRecord[])[] {
  const { name } = config
  const isStrange = seen.txt.some((text) => parseEpochText(text) === null)
  const beside = isStrange ? unused(epochRecordName(name)) : exactly([textsOf(name, seen.txt)])
  // Records beside an alias would be dropped without a word.
  const noAlias = { name, type: types.CNAME, class: classes.NONE, ttl: 0, data: nothing }
  const here = [...exactly(addressesOf(name, seen)), noAlias]
  const choices = seen.alias ? [] : [[...beside, ...here]]
  const isAnswered = seen.alias || seen.a.length + seen.aaaa.length > 0
  return isAnswered ? [...choices, [...beside, ...unused(name)]] : choices
}

/** Each set is deleted (class ANY) and added anew. */
export function changesOf(
  config: Rfc2136Config,
  { a = [], aaaa = [] }: Rfc2136Target,
  { node, epoch }: { readonly node: string; readonly epoch: number },
): readonly ResourceRecord[] {
  const sets = [textsOf(config.name, [epochText({ epoch, owner: node })]), ...addressesOf(config.name, { a, aaaa })]
  return sets.flatMap(([name, type, data]) => [
    { name, type, class: classes.ANY, ttl: 0, data: nothing },
    ...data.map((one) => ({ name, type, class: classes.IN, ttl: config.ttl, data: one })),
  ])
}

/** Takes away, of each set that a move changes, a record that is not there: nothing changes, and whoever may not is told. */
export function trialOf({ name }: Rfc2136Config, seen: Seen): readonly ResourceRecord[] {
  const absent = (among: readonly string[], some: readonly string[]) => [some.find((one) => !among.includes(one))!]
  const a = absent(seen.a, ['0.0.0.0', '255.255.255.255'])
  const aaaa = absent(seen.aaaa, ['::', '100::'])
  return [textsOf(name, ['holdfast preflight']), ...addressesOf(name, { a, aaaa })].flatMap(([owner, type, data]) =>
    data.map((one) => ({ name: owner, type, class: classes.NONE, ttl: 0, data: one })),
  )
}

const textsOf = (name: string, txt: readonly string[]): Set => [epochRecordName(name), types.TXT, txt.map(textData)]

const addressesOf = (name: string, { a, aaaa }: Pick<Seen, 'a' | 'aaaa'>): readonly Set[] => [
  [name, types.A, a.map(addressData)],
  [name, types.AAAA, aaaa.map(addressData)],
]

/** Each set is there with these records and no others (class of the zone), or not at all (class NONE). */
function exactly(sets: readonly Set[]): readonly ResourceRecord[] {
  return sets.flatMap(([name, type, data]): ResourceRecord[] =>
    data.length === 0
      ? [{ name, type, class: classes.NONE, ttl: 0, data: nothing }]
      : data.map((one) => ({ name, type, class: classes.IN, ttl: 0, data: one })),
  )
}

const unused = (name: string): readonly ResourceRecord[] => [
  { name, type: types.ANY, class: classes.NONE, ttl: 0, data: nothing },
]
