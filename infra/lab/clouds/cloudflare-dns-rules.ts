/**
 * What Cloudflare does with the records of a zone, by its rules: functions of the state.
 *
 * A batch runs deletes, patches, puts and posts, in that order whatever the request's, as one transaction: the first item
 * that may not be done is the answer, and nothing is changed.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { isRefusal, type PageInfo, type Refusal, refusal } from './cloudflare-wire.ts'

const types = ['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'NS'] as const

export type CloudflareRecord = {
  readonly id: string
  readonly name: string
  readonly type: (typeof types)[number]
  readonly content: string
  readonly ttl: number
  readonly proxied: boolean
  readonly proxiable: boolean
  readonly comment: string | null
  readonly tags: readonly string[]
  readonly settings: Readonly<Record<string, boolean>>
  readonly meta: Readonly<Record<string, boolean>>
  readonly created_on: string
  readonly modified_on: string
}

const contentSchema = {
  name: z.string().min(1).max(255),
  type: z.enum(types),
  content: z.string().min(1),
  ttl: z.int(),
  proxied: z.boolean().optional(),
  comment: z.string().optional(),
}
const id = z.string().regex(/^[0-9a-f]{32}$/)
const putSchema = z.strictObject({ id, ...contentSchema })
const patchSchema = putSchema.partial().required({ id: true })
const postSchema = z.strictObject(contentSchema)

const batchSchema = z.strictObject({
  deletes: z.array(z.strictObject({ id })).optional(),
  patches: z.array(patchSchema).optional(),
  puts: z.array(putSchema).optional(),
  posts: z.array(postSchema).optional(),
})

/** How many items a batch may have on the plan of least rights. */
const longestBatch = 200

export type Context = { readonly zone: string; readonly newId: () => string; readonly now: Date }

export type BatchResult = Readonly<Record<'deletes' | 'patches' | 'puts' | 'posts', readonly CloudflareRecord[]>>

/** The records after a batch, and what was done. */
export function batch(
  before: readonly CloudflareRecord[],
  body: unknown,
  context: Context,
): { readonly records: readonly CloudflareRecord[]; readonly result: BatchResult } | Refusal {
  const parsed = batchSchema.safeParse(body)
  if (!parsed.success) return refusal(1004, `DNS Validation Error: ${z.prettifyError(parsed.error)}`)
  const { deletes = [], patches = [], puts = [], posts = [] } = parsed.data
  if (deletes.length + patches.length + puts.length + posts.length > longestBatch) {
    return refusal(1004, `a batch has at most ${longestBatch} items`)
  }
  let records = before
  const run = <Item>(items: readonly Item[], step: (item: Item) => Step | Refusal): CloudflareRecord[] | Refusal => {
    const done: CloudflareRecord[] = []
    for (const item of items) {
      const stepped = step(item)
      if (isRefusal(stepped)) return stepped
      records = stepped.records
      done.push(stepped.record)
    }
    return done
  }
  const deleted = run(deletes, (item) => remove(records, item.id))
  if (isRefusal(deleted)) return deleted
  const patched = run(patches, (item) => change(records, item, context))
  if (isRefusal(patched)) return patched
  const put = run(puts, (item) => change(records, { proxied: false, ...item }, context))
  if (isRefusal(put)) return put
  const posted = run(posts, (item) => create(records, item, context))
  if (isRefusal(posted)) return posted
  return { records, result: { deletes: deleted, patches: patched, puts: put, posts: posted } }
}

type Step = { readonly records: readonly CloudflareRecord[]; readonly record: CloudflareRecord }

function remove(records: readonly CloudflareRecord[], id: string): Step | Refusal {
  const record = records.find((each) => each.id === id)
  return record === undefined ? refusal(81044) : { record, records: records.filter((each) => each !== record) }
}

function change(
  records: readonly CloudflareRecord[],
  { id, ...patch }: z.output<typeof patchSchema>,
  context: Context,
): Step | Refusal {
  const old = records.find((each) => each.id === id)
  if (old === undefined) return refusal(81044)
  if (patch.type !== undefined && patch.type !== old.type) return refusal(1004, 'DNS Validation Error: a type stays')
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
  const others = records.filter((each) => each !== old)
  const record = recordOf({ ...old, ...given }, { ...context, id, created: old.created_on })
  const refused = refusalOf(record, others)
  return refused ?? { record, records: records.map((each) => (each === old ? record : each)) }
}

function create(
  records: readonly CloudflareRecord[],
  item: z.output<typeof postSchema>,
  context: Context,
): Step | Refusal {
  const record = recordOf(item, { ...context, id: context.newId(), created: context.now.toISOString() })
  return refusalOf(record, records) ?? { record, records: [...records, record] }
}

type Content = z.output<typeof postSchema> | CloudflareRecord

/** A record as it is kept: its whole name, its address in its usual form, and no time of its own when proxied. */
export function recordOf(
  content: Content,
  { zone, now, id, created }: Context & { readonly id: string; readonly created: string },
): CloudflareRecord {
  const { name, type, ttl, proxied = false, comment } = content
  const lower = name.toLowerCase().replace(/\.$/, '')
  const proxiable = type === 'A' || type === 'AAAA' || type === 'CNAME'
  return {
    id,
    name: lower === '@' ? zone : lower === zone || lower.endsWith(`.${zone}`) ? lower : `${lower}.${zone}`,
    type,
    content: type === 'CNAME' ? content.content.toLowerCase().replace(/\.$/, '') : content.content,
    ttl: proxied ? 1 : ttl,
    proxied,
    proxiable,
    comment: comment ?? null,
    tags: [],
    settings: {},
    meta: 'meta' in content ? content.meta : {},
    created_on: created,
    modified_on: now.toISOString(),
  }
}

/** Why a record may not be, beside the others; undefined when it may. */
function refusalOf(record: CloudflareRecord, others: readonly CloudflareRecord[]): Refusal | undefined {
  const { type, content, ttl, proxied, proxiable, comment } = record
  const invalid = contentRefusal(type, content)
  if (invalid !== undefined) return invalid
  if (ttl !== 1 && (ttl < 60 || ttl > 86_400)) {
    return refusal(9021, 'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.')
  }
  if (proxied && !proxiable) return refusal(9004, 'This record type cannot be proxied.')
  if ((comment ?? '').length > 100) return refusal(1004, 'DNS Validation Error: a comment has at most 100 characters')
  const beside = others.filter(({ name }) => name === record.name)
  if (beside.some((each) => each.type === type && each.content === content)) return refusal(81058)
  const has = (...found: CloudflareRecord['type'][]) => beside.some((each) => found.includes(each.type))
  if (type === 'CNAME' && has('A', 'AAAA', 'CNAME')) return refusal(81053)
  if ((type === 'A' || type === 'AAAA') && has('CNAME')) return refusal(81054)
  if (proxiable && has('NS')) return refusal(81056)
  return undefined
}

function contentRefusal(type: CloudflareRecord['type'], content: string): Refusal | undefined {
  if (type === 'A' && !isIPv4(content)) return refusal(9005, 'Content for A record must be a valid IPv4 address.')
  if (type === 'AAAA' && !isIPv6(content)) return refusal(9006, 'Content for AAAA record must be a valid IPv6 address.')
  if (type === 'CNAME' && !/^[a-z0-9_*.-]+$/i.test(content))
    return refusal(9007, 'Content for CNAME record is invalid.')
  const quoted = /^"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*$/
  if (type === 'TXT' && !quoted.test(content)) {
    return refusal(1004, 'DNS Validation Error: the content of a TXT record consists of quoted strings')
  }
  return undefined
}

const filters = new Set(['name.exact', 'name', 'type', 'content.exact', 'match', 'page', 'per_page'])

/** A page of the records that a query asks for. A filter that this cloud does not know is refused, not ignored. */
export function list(
  records: readonly CloudflareRecord[],
  query: URLSearchParams,
): { readonly found: readonly CloudflareRecord[]; readonly info: PageInfo } | Refusal {
  const strange = [...query.keys()].find((key) => !filters.has(key))
  if (strange !== undefined) return refusal(1004, `DNS Validation Error: no filter ${strange}`)
  const [page, perPage] = [Number(query.get('page') ?? 1), Number(query.get('per_page') ?? 100)]
  if (!Number.isInteger(page) || page < 1 || !Number.isInteger(perPage) || perPage < 1) {
    return refusal(1004, 'DNS Validation Error: page and per_page are numbers from 1 on')
  }
  const name = (query.get('name.exact') ?? query.get('name'))?.toLowerCase()
  const matching = records.filter((record) => {
    const [type, content] = [query.get('type'), query.get('content.exact')?.toLowerCase()]
    return (
      (name === undefined || record.name === name) &&
      (type === null || record.type === type) &&
      (content === undefined || record.content.toLowerCase() === content)
    )
  })
  const found = matching.slice((page - 1) * perPage, page * perPage)
  const info = { page, per_page: perPage, count: found.length, total_count: matching.length }
  return { found, info: { ...info, total_pages: Math.ceil(matching.length / perPage) } }
}
