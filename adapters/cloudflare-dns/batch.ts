/** The one batch that is a move: from what was seen to a node's target, with as little change as it takes. */
import type { RecordBatchParams, TXTRecordParam } from 'cloudflare/resources/dns/records'
import type { Move } from '../adapter.ts'
import { epochRecordName, epochText } from '../dns/epoch-record.ts'
import { canonicalValue, type RecordType, recordSetsOf, recordTypes } from '../dns/records.ts'
import { type CloudflareDnsConfig, type CloudflareDnsTarget, ttlOf } from './schema.ts'
import { anchorText, type Moving, type Seen } from './zone.ts'

/** The longest comment that every plan takes, in characters. */
const longestComment = 100

type Wanted = Required<Pick<Moving, 'type' | 'content' | 'ttl' | 'proxied'>> & { readonly name: string }

export function batchOf(
  seen: Seen,
  about: {
    readonly config: CloudflareDnsConfig
    readonly target: CloudflareDnsTarget
    readonly move: Pick<Move, 'node' | 'epoch'>
    /** For people: whose binding it is. */
    readonly label: string
  },
): RecordBatchParams {
  const { config, target, move, label } = about
  const comment = `holdfast: ${label} to ${move.node}, epoch ${move.epoch}`.slice(0, longestComment)
  const pairs = recordTypes.flatMap((type) => pairsOf(type, seen, { config, target }))
  const epoch = {
    ...{ name: epochRecordName(config.name), type: 'TXT' as const, comment },
    content: `"${epochText({ epoch: move.epoch, owner: move.node })}"`,
    ttl: ttlOf({ ...config, proxied: false }),
  }
  return {
    zone_id: config.zoneId,
    // The fence goes first: a writer of the past is told that it has gone, and nothing else.
    deletes: [
      ...seen.fence.map((id) => ({ id })),
      ...pairs.flatMap(({ old, wanted }) => (wanted ? [] : [{ id: old!.id }])),
    ],
    patches: pairs.flatMap(({ old, wanted }) => {
      return old && wanted && !isAsWanted(old, wanted) ? [{ id: old.id, ...forSdk(wanted), comment }] : []
    }),
    posts: [
      anchorOf(config.name),
      epoch,
      ...pairs.flatMap(({ old, wanted }) => (wanted && !old ? [{ ...forSdk(wanted), comment }] : [])),
    ],
  }
}

/** The SDK has a type for each kind of record. The fields of those that move are the same. */
function forSdk(wanted: Wanted): Wanted & { type: 'A' } {
  return wanted as Wanted & { type: 'A' }
}

/** The same in every move of every configuration, to the last field: only what is identical is refused. */
function anchorOf(name: string): TXTRecordParam {
  const comment = 'holdfast: keeps late writers out, leave it here'
  return { name: epochRecordName(name), type: 'TXT', content: `"${anchorText}"`, ttl: 1, comment }
}

type Pair = { readonly old?: Moving; readonly wanted?: Wanted }

/**
 * What each record of a type becomes. One that says already what is wanted stays; any other takes over what is still
 * missing, under its own id, so that at no place of Cloudflare's network the name has no answer in between.
 */
function pairsOf(
  type: RecordType,
  { records }: Seen,
  { config, target }: { readonly config: CloudflareDnsConfig; readonly target: CloudflareDnsTarget },
): Pair[] {
  const value = (content: string): string => canonicalValue(type, content)
  const missing = new Set(recordSetsOf(target).find((set) => set.type === type)?.values)
  const olds = records.filter((record) => record.type === type)
  const wanted = (content: string): Wanted => {
    return { name: config.name, type, content, ttl: ttlOf(config), proxied: config.proxied }
  }
  const kept = olds.flatMap((old) =>
    missing.delete(value(old.content)) ? [{ old, wanted: wanted(value(old.content)) }] : [],
  )
  const free = olds.filter((old) => !kept.some((pair) => pair.old === old))
  const rest = [...missing]
  const changed = free.map((old, i) => ({ old, ...(rest[i] === undefined ? {} : { wanted: wanted(rest[i]) }) }))
  return [...kept, ...changed, ...rest.slice(free.length).map((content) => ({ wanted: wanted(content) }))]
}

function isAsWanted(old: Moving, wanted: Wanted): boolean {
  const same = canonicalValue(old.type, old.content) === wanted.content
  return same && old.ttl === wanted.ttl && old.proxied === wanted.proxied
}
