/**
 * A strict Cloudflare API on this machine: what it takes to move a name (`cloudflare-dns-rules.ts`) or the traffic of a
 * load balancer (`cloudflare-lb-rules.ts`), with tokens that may do what they were made for and nothing else, a limit that
 * shuts out whoever exceeds it, and every way of going wrong (`strict-cloud.ts`).
 */
import { type Admission, admit, type CloudflareToken, createLimit, labToken } from './cloudflare-access.ts'
import { batch, type CloudflareRecord, list, recordOf } from './cloudflare-dns-rules.ts'
import { type LoadBalancer, type Pool, patchLoadBalancer, patchPool } from './cloudflare-lb-rules.ts'
import { createIds, errorReply, isRefusal, type Refusal, refusal, resultReply } from './cloudflare-wire.ts'
import {
  type Asked,
  type Call,
  type CloudOptions,
  createStrictCloud,
  type Performed,
  type Reply,
  type StrictCloud,
} from './strict-cloud.ts'

export type CloudflareZone = {
  readonly id: string
  readonly name: string
  readonly status: 'initializing' | 'pending' | 'active' | 'moved'
  readonly records: readonly CloudflareRecord[]
  readonly loadBalancers: readonly LoadBalancer[]
}

/** One account, all of whose zones and pools are here. */
export type CloudflareState = {
  readonly accountId: string
  readonly zones: readonly CloudflareZone[]
  readonly pools: readonly Pool[]
}

type GivenRecord = Pick<CloudflareRecord, 'type' | 'content'> & Partial<CloudflareRecord>

export type CloudflareOptions = CloudOptions & {
  readonly accountId: string
  readonly zones: readonly {
    readonly id: string
    readonly name: string
    readonly status?: CloudflareZone['status']
    readonly records?: readonly (GivenRecord & { readonly name: string })[]
    readonly loadBalancers?: readonly (Pick<LoadBalancer, 'id' | 'default_pools' | 'fallback_pool'> &
      Partial<LoadBalancer>)[]
  }[]
  readonly pools?: readonly (Pick<Pool, 'id' | 'name'> & Partial<Pool>)[]
  /** Who may call. Default: `labToken`, which may do everything here. */
  readonly tokens?: readonly CloudflareToken[]
  /** Calls that are taken in five minutes, from all tokens of an owner together. Default 1200. */
  readonly limit?: number
}

export type Cloudflare = Omit<StrictCloud<CloudflareState>, 'setOutOfBand'> & {
  /** The API, with its path. */
  readonly endpoint: string
  /** Somebody else replaces all records of these types that a name has. */
  setOutOfBand(zoneId: string, name: string, types: readonly string[], records: readonly GivenRecord[]): void
  /** Somebody else changes whatever they like. */
  change(change: (state: CloudflareState) => CloudflareState): void
}

const base = '/client/v4'

type World = {
  readonly tokens: readonly CloudflareToken[]
  readonly newId: () => string
  readonly limit: (owner: string) => number | undefined
}

export async function createCloudflare(options: CloudflareOptions): Promise<Cloudflare> {
  const { accountId, zones, tokens = [labToken], limit: calls = 1_200, timers, clock = () => new Date() } = options
  const now = timers === undefined ? () => performance.now() : timers.now
  const newId = createIds()
  const made = (zone: string, record: GivenRecord & { readonly name: string }): CloudflareRecord => {
    const at = clock()
    return {
      ...recordOf({ ttl: 1, ...record } as CloudflareRecord, {
        zone,
        newId,
        now: at,
        id: newId(),
        created: at.toISOString(),
      }),
    }
  }
  const world: World = { tokens, newId, limit: createLimit({ calls, perMs: 300_000, now }) }
  const cloud = await createStrictCloud<CloudflareState>({
    ...options,
    initial: {
      accountId,
      zones: zones.map(({ records = [], loadBalancers = [], status = 'active', ...zone }) => ({
        ...zone,
        status,
        records: records.map((record) => made(zone.name, record)),
        loadBalancers: loadBalancers.map((given) => ({ ...plainLoadBalancer(zone.name), ...given })),
      })),
      pools: (options.pools ?? []).map((given) => ({ ...plainPool, ...given })),
    },
    protocol: {
      read: (asked) => readCall(world, asked, accountId),
      perform: (state, call, { asked, now: at }) => perform(world, state, { call, asked, now: at }),
      refuse: (code, message) => errorReply(refusal(Number(code), message)),
    },
  })
  return {
    ...cloud,
    endpoint: `${cloud.url}${base}`,
    change: cloud.setOutOfBand,
    setOutOfBand: (zoneId, name, types, records) =>
      cloud.setOutOfBand((state) =>
        inZone(state, zoneId, (zone) => {
          const others = zone.records.filter((record) => record.name !== name || !types.includes(record.type))
          return { ...zone, records: [...others, ...records.map((record) => made(zone.name, { name, ...record }))] }
        }),
      ),
  }
}

const epochStart = new Date(0).toISOString()

const plainPool: Omit<Pool, 'id' | 'name'> = {
  description: '',
  enabled: true,
  minimum_origins: 1,
  origins: [],
  created_on: epochStart,
  modified_on: epochStart,
}

function plainLoadBalancer(zone: string): Omit<LoadBalancer, 'id' | 'default_pools' | 'fallback_pool'> {
  return {
    name: `www.${zone}`,
    description: '',
    enabled: true,
    proxied: true,
    region_pools: {},
    country_pools: {},
    pop_pools: {},
    rules: [],
    steering_policy: 'off',
    session_affinity: 'none',
    created_on: epochStart,
    modified_on: epochStart,
  }
}

/** What there is, what it takes to be allowed it, and what it is called in faults and logs. */
const routes: readonly { readonly at: RegExp; readonly action: string; readonly needs: Admission['needs'] }[] = [
  { at: /^GET \/user\/tokens\/verify$/, action: 'GET user/tokens/verify', needs: 'to be of a user' },
  {
    at: /^GET \/accounts\/(?<account>\w+)\/tokens\/verify$/,
    action: 'GET accounts/tokens/verify',
    needs: 'to be of the account',
  },
  { at: /^GET \/zones\/(?<zone>\w+)$/, action: 'GET zones', needs: 'Zone Read' },
  { at: /^GET \/zones\/(?<zone>\w+)\/dns_records$/, action: 'GET dns_records', needs: 'DNS Read' },
  { at: /^POST \/zones\/(?<zone>\w+)\/dns_records\/batch$/, action: 'POST dns_records/batch', needs: 'DNS Write' },
  {
    at: /^GET \/zones\/(?<zone>\w+)\/load_balancers\/(?<id>\w+)$/,
    action: 'GET load_balancers',
    needs: 'Load Balancers Read',
  },
  {
    at: /^PATCH \/zones\/(?<zone>\w+)\/load_balancers\/(?<id>\w+)$/,
    action: 'PATCH load_balancers',
    needs: 'Load Balancers Write',
  },
  { at: /^GET \/accounts\/(?<account>\w+)\/load_balancers\/pools$/, action: 'GET pools', needs: 'Pools Read' },
  {
    at: /^GET \/accounts\/(?<account>\w+)\/load_balancers\/pools\/(?<id>\w+)$/,
    action: 'GET pool',
    needs: 'Pools Read',
  },
  {
    at: /^PATCH \/accounts\/(?<account>\w+)\/load_balancers\/pools\/(?<id>\w+)$/,
    action: 'PATCH pool',
    needs: 'Pools Write',
  },
]

function readCall(world: World, asked: Asked, accountId: string): Call | Reply {
  const { pathname } = new URL(asked.target, 'http://lab')
  if (!pathname.startsWith(`${base}/`)) return errorReply(refusal(7000))
  const line = `${asked.method} ${pathname.slice(base.length)}`
  const route = routes.find(({ at }) => at.test(line))
  const params = { ...route?.at.exec(line)?.groups }
  const admitted = admit(asked, { tokens: world.tokens, needs: route?.needs, params, accountId })
  const waitMs = isRefusal(admitted) ? undefined : world.limit(admitted.owner)
  if (waitMs !== undefined) return errorReply(refusal(10429), { 'retry-after': String(Math.ceil(waitMs / 1000)) })
  if (isRefusal(admitted)) return errorReply(admitted)
  if (route === undefined) return errorReply(refusal(7000))
  if (asked.method === 'GET') return { action: route.action, params, kind: 'read' }
  const body = bodyOf(asked)
  if (body === undefined)
    return errorReply(refusal(6003, 'the body is no JSON object, or its content-type not application/json'))
  return { action: route.action, params: { ...params, fields: Object.keys(body).join(' ') }, kind: 'write' }
}

function bodyOf({ headers, body }: Asked): object | undefined {
  if (!String(headers['content-type']).startsWith('application/json')) return undefined
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

type Performing = { readonly call: Call; readonly asked: Asked; readonly now: Date }

function perform(world: World, state: CloudflareState, { call, asked, now }: Performing): Performed<CloudflareState> {
  const { action, params } = call
  const refused = (error: Refusal): Performed<CloudflareState> => ({ reply: errorReply(error) })
  if (action.endsWith('tokens/verify')) return { reply: resultReply(verified(world, asked)) }
  if (action.endsWith('pools') || action.endsWith('pool')) return performPool(state, { call, asked, now })
  const zone = state.zones.find(({ id }) => id === params.zone)
  if (zone === undefined) return refused(refusal(7003))
  if (action === 'GET zones') return { reply: resultReply(zoneOnWire(zone, { state, token: tokenOf(world, asked) })) }
  if (action === 'GET dns_records') {
    const listed = list(zone.records, new URL(asked.target, 'http://lab').searchParams)
    return isRefusal(listed) ? refused(listed) : { reply: resultReply(listed.found, listed.info) }
  }
  if (action === 'POST dns_records/batch') {
    const done = batch(zone.records, bodyOf(asked), { zone: zone.name, newId: world.newId, now })
    if (isRefusal(done)) return refused(done)
    return {
      reply: resultReply(done.result),
      state: inZone(state, zone.id, () => ({ ...zone, records: done.records })),
    }
  }
  const balancer = zone.loadBalancers.find(({ id }) => id === params.id)
  if (balancer === undefined) return refused(refusal(1001))
  if (action === 'GET load_balancers') return { reply: resultReply(balancer) }
  const patched = patchLoadBalancer(balancer, bodyOf(asked), { pools: state.pools, now })
  if (isRefusal(patched)) return refused(patched)
  const loadBalancers = zone.loadBalancers.map((each) => (each === balancer ? patched : each))
  return { reply: resultReply(patched), state: inZone(state, zone.id, () => ({ ...zone, loadBalancers })) }
}

function performPool(state: CloudflareState, { call, asked, now }: Performing): Performed<CloudflareState> {
  if (call.action === 'GET pools') return { reply: resultReply(state.pools) }
  const pool = state.pools.find(({ id }) => id === call.params.id)
  if (pool === undefined) return { reply: errorReply(refusal(1001)) }
  if (call.action === 'GET pool') return { reply: resultReply(pool) }
  const patched = patchPool(pool, bodyOf(asked), now)
  if (isRefusal(patched)) return { reply: errorReply(patched) }
  const pools = state.pools.map((each) => (each === pool ? patched : each))
  return { reply: resultReply(patched), state: { ...state, pools } }
}

function inZone(
  state: CloudflareState,
  zoneId: string,
  change: (zone: CloudflareZone) => CloudflareZone,
): CloudflareState {
  return { ...state, zones: state.zones.map((zone) => (zone.id === zoneId ? change(zone) : zone)) }
}

function tokenOf({ tokens }: World, { headers }: Asked): CloudflareToken {
  return tokens.find(({ value }) => headers.authorization === `Bearer ${value}`)!
}

function verified(world: World, asked: Asked) {
  const { id, status = 'active', expires } = tokenOf(world, asked)
  return { id, status, ...(expires === undefined ? {} : { expires_on: expires }) }
}

/** As far as it is used; a zone of Cloudflare's has more. */
export function zoneOnWire(
  { id, name, status }: CloudflareZone,
  { state, token }: { readonly state: CloudflareState; readonly token: CloudflareToken },
) {
  const says = { 'Zone Read': '#zone:read', 'DNS Read': '#dns_records:read', 'DNS Write': '#dns_records:edit' } as const
  const permissions = Object.entries(says).flatMap(([permission, said]) => {
    const has = token.may === 'everything' || token.may.some((each) => each.permission === permission && each.of === id)
    return has ? [said] : []
  })
  return {
    ...{ id, name, status, paused: false, type: 'full' as const, development_mode: 0 },
    account: { id: state.accountId, name: 'lab' },
    owner: { id: state.accountId, type: 'organization', name: 'lab' },
    ...{ name_servers: ['a.ns.example', 'b.ns.example'], original_name_servers: null },
    ...{ original_registrar: null, original_dnshost: null },
    ...{ created_on: epochStart, modified_on: epochStart, activated_on: epochStart },
    meta: { step: 2, page_rule_quota: 3, phishing_detected: false },
    plan: {
      id: '0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee',
      name: 'Free Website',
      price: 0,
      currency: 'USD',
      legacy_id: 'free',
    },
    permissions,
  }
}
