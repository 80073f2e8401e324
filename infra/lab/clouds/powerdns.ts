/**
 * A strict PowerDNS on this machine: the part of its HTTP API that moves names, with the rules, words and statuses of
 * PowerDNS 4.7 (a test holds it against the real one), and every way of going wrong (`strict-cloud.ts`).
 */
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Protocol,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type PowerDnsSet = {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly records: readonly { readonly content: string; readonly disabled: boolean }[]
}

export type PowerDnsState = {
  /** With the dot at the end. */
  readonly zone: string
  readonly kind: string
  readonly soaEditApi: string
  readonly sets: readonly PowerDnsSet[]
  /** How often its secondaries were told. */
  readonly notified: number
}

export type PowerDnsOptions = CloudOptions &
  Pick<PowerDnsState, 'zone'> & {
    readonly apiKey: string
    readonly kind?: string
    readonly soaEditApi?: string
    readonly sets?: readonly PowerDnsSet[]
  }

export type PowerDns = StrictCloud<PowerDnsState>

export function createPowerDnsCloud(options: PowerDnsOptions): Promise<PowerDns> {
  const { zone, kind = 'Native', soaEditApi = '', sets = [], apiKey } = options
  return createStrictCloud<PowerDnsState>({
    ...options,
    initial: { zone, kind, soaEditApi, sets, notified: 0 },
    protocol: protocolOf({ zone, apiKey }),
  })
}

type Rules = { readonly zone: string; readonly apiKey: string }

function protocolOf(rules: Rules): Protocol<PowerDnsState> {
  return {
    read: (asked) => readCall(asked, rules),
    perform: (state, { action, params }, { asked }) => {
      if (action === 'GET zone') return { reply: zoneReply(state, params) }
      if (action === 'PATCH zone') return patched(state, asked.body)
      const reply = json(200, { result: 'Notification queued' }, 'ok')
      return { reply, state: { ...state, notified: state.notified + 1 } }
    },
    refuse: (code, message) =>
      code === '401' ? plain(401, 'Unauthorized') : json(Number(code), { error: message }, code),
  }
}

function readCall({ method, target, headers }: Asked, { zone, apiKey }: Rules): Call | Reply {
  if (headers['x-api-key'] !== apiKey) return plain(401, 'Unauthorized')
  const { pathname, searchParams } = new URL(target, 'http://lab')
  const base = `/api/v1/servers/localhost/zones/${zone}`
  const params = Object.fromEntries(searchParams)
  if (pathname === base && method === 'GET') return { action: 'GET zone', params, kind: 'read' }
  if (pathname === base && method === 'PATCH') return { action: 'PATCH zone', params, kind: 'write' }
  if (pathname === `${base}/notify` && method === 'PUT') return { action: 'PUT notify', params, kind: 'write' }
  return pathname === base ? plain(405, 'Method Not Allowed') : plain(404, 'Not Found')
}

function zoneReply({ zone, kind, soaEditApi, sets }: PowerDnsState, params: Call['params']): Reply {
  const { rrset_name: name, rrset_type: type, rrsets: wanted } = params
  const found = sets.filter((set) => (name === undefined || set.name === name) && (type ?? set.type) === set.type)
  const head = { id: zone, name: zone, kind, soa_edit_api: soaEditApi, dnssec: false, serial: 1 }
  return json(
    200,
    wanted === 'false' ? head : { ...head, rrsets: found.map((set) => ({ comments: [], ...set })) },
    'ok',
  )
}

const patchSchema = z.object({
  rrsets: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      changetype: z.string(),
      ttl: z.int().optional(),
      records: z.array(z.object({ content: z.string(), disabled: z.boolean().default(false) })).optional(),
    }),
  ),
})

type Change = z.output<typeof patchSchema>['rrsets'][number]

/** All or nothing: the first set that is refused undoes those before it. */
function patched(state: PowerDnsState, body: string): Performed<PowerDnsState> {
  let parsed: ReturnType<typeof patchSchema.safeParse>
  try {
    parsed = patchSchema.safeParse(JSON.parse(body))
  } catch {
    return { reply: plain(400, 'Bad Request') }
  }
  if (!parsed.success) return { reply: refused('No rrsets given in update request') }
  let { sets } = state
  const { rrsets } = parsed.data
  for (const [i, change] of rrsets.entries()) {
    const isTwice = rrsets.slice(0, i).some(({ name, type }) => name === change.name && type === change.type)
    if (isTwice) return { reply: refused(twice(change)) }
    const problem = problemOf(change, sets, state.zone)
    if (problem !== undefined) return { reply: refused(problem) }
    const { type, ttl = 0, records = [], changetype } = change
    const name = change.name.toLowerCase()
    const others = sets.filter((set) => set.name !== name || set.type !== type)
    const kept = records.map(({ content, disabled }) => ({ content: stored(type, content), disabled }))
    sets = changetype === 'DELETE' || kept.length === 0 ? others : [...others, { name, type, ttl, records: kept }]
  }
  return { reply: { status: 204, body: '', outcome: 'ok' }, state: { ...state, sets } }
}

const twice = ({ name, type, changetype }: Change): string =>
  `Duplicate RRset ${name} IN ${type} with changetype: ${changetype}`

function problemOf(change: Change, sets: readonly PowerDnsSet[], zone: string): string | undefined {
  const { name, type, changetype, ttl, records } = change
  if (!name.endsWith('.')) return `DNS Name '${name}' is not canonical`
  const at = name.toLowerCase()
  if (at !== zone && !at.endsWith(`.${zone}`)) return `RRset ${name} IN ${type}: Name is out of zone`
  if (changetype === 'DELETE') return undefined
  if (changetype !== 'REPLACE') return 'Changetype not understood'
  if (records === undefined) return 'No rrset data given'
  if (records.length === 0) return undefined
  if (ttl === undefined) return `Key 'ttl' is not an Integer`
  const contents = records.map(({ content }) => stored(type, content))
  const wrong = contents.find((content) => !isContent(type, content))
  if (wrong !== undefined) return `Record ${name}/${type} '${wrong}': Parsing record content`
  const double = contents.find((content, i) => contents.indexOf(content) !== i)
  if (double !== undefined) return `Duplicate record in RRset ${name} IN ${type} with content "${double}"`
  if (type === 'CNAME' && contents.length > 1) return `RRset ${name} IN CNAME has more than one record`
  const clash = sets.some((set) => {
    return set.name === at && set.type !== type && (set.type === 'CNAME' || type === 'CNAME')
  })
  return clash ? `RRset ${name} IN ${type}: Conflicts with pre-existing RRset` : undefined
}

function isContent(type: string, content: string): boolean {
  if (type === 'A') return isIPv4(content)
  if (type === 'AAAA') return isIPv6(content)
  if (type === 'TXT') return /^"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*$/.test(content)
  if (type === 'CNAME') return /^[^\s]+\.$/.test(content)
  return true
}

function stored(type: string, content: string): string {
  return type === 'AAAA' && isIPv6(content) ? new URL(`http://[${content}]/`).hostname.slice(1, -1) : content
}

const refused = (error: string): Reply => json(422, { error }, '422')

function json(status: number, value: unknown, outcome: string): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value), outcome }
}

function plain(status: number, body: string): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body, outcome: String(status) }
}
