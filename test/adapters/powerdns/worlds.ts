/** The worlds of the powerdns adapter: the strict PowerDNS, which can be made to fail, and the real one. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { recordSetsOf, recordTypes } from '../../../adapters/dns/records.ts'
import { createPowerDns } from '../../../adapters/powerdns/adapter.ts'
import { powerdnsSchema } from '../../../adapters/powerdns/schema.ts'
import { createPowerDnsCloud, type PowerDns, type PowerDnsOptions } from '../../../infra/lab/clouds/powerdns.ts'
import { apiKey, type DnsServer, vip, zone } from '../../../infra/lab/dns/servers.ts'
import type { CaseFault, Place, PlainWorld, World } from '../adapter-cases.ts'
import { mixed, names, addresses as plainAddresses, type Targets } from '../dns/targets.ts'
import { createManualTimers } from '../manual-timers.ts'

export { mixed, names, type Targets }

/** One address as somebody might write it: it means the same. */
export const addresses: Targets = { ...plainAddresses, n1: { a: ['192.0.2.11'], aaaa: ['2001:DB8:0::11'] } }

export type AdapterOptions = {
  readonly targets?: Targets
  readonly key?: string
  readonly zone?: string
  readonly serverId?: string
  readonly name?: string
  readonly notify?: boolean
  readonly callTimeoutMs?: number
}

export function adapterAt(url: string, options: AdapterOptions = {}): Adapter {
  const { targets = addresses, key = apiKey, callTimeoutMs, ...config } = options
  vi.stubEnv(`POWERDNS_${key.length}`, key)
  const parsed = powerdnsSchema.config.parse({
    url,
    key: { env: `POWERDNS_${key.length}` },
    zone,
    name: vip,
    ...config,
  })
  const input = { ...names, config: parsed, targets: { n1: targets.n1, n2: targets.n2 } }
  return createPowerDns(input, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

/** A port of the loopback that nobody listens on: somebody did a moment ago. */
async function unreachable(): Promise<Adapter> {
  const gone = await createPowerDnsCloud({ zone: `${zone}.`, apiKey })
  await gone.close()
  return adapterAt(gone.url)
}

type Set = { readonly type: string; readonly values: readonly string[] }

/** As PowerDNS writes it. */
const contentOf = (type: string, value: string): string => (type === 'CNAME' ? `${value}.` : value)

function placeOf(found: readonly Set[], targets: Targets): Place {
  if (found.length === 0) return null
  const text = (sets: readonly Set[]): string =>
    JSON.stringify(sets.map(({ type, values }) => `${type} ${[...values].sort().join(' ')}`).sort())
  const wanted = (node: 'n1' | 'n2') =>
    recordSetsOf(targets[node]).map(({ type, values }) => ({ type, values: values.map((one) => contentOf(type, one)) }))
  return (['n1', 'n2'] as const).find((node) => text(wanted(node)) === text(found)) ?? 'foreign'
}

const setsFor = (place: Place, targets: Targets) =>
  (place === null ? [] : recordSetsOf(targets[place])).map(({ type, values }) => ({
    name: `${vip}.`,
    type,
    ttl: 30,
    records: values.map((value) => ({ content: contentOf(type, value), disabled: false })),
  }))

export async function powerdnsWorld(
  options: AdapterOptions & Pick<PowerDnsOptions, 'kind' | 'soaEditApi' | 'sets'> = {},
): Promise<{ readonly adapter: Adapter; readonly world: World; readonly powerdns: PowerDns }> {
  const { kind, soaEditApi, sets, ...ofAdapter } = options
  const { targets = addresses } = options
  const timers = createManualTimers()
  const given = { ...(kind === undefined ? {} : { kind }), ...(soaEditApi === undefined ? {} : { soaEditApi }) }
  const powerdns = await createPowerDnsCloud({ zone: `${zone}.`, apiKey, timers, sets: sets ?? [], ...given })
  const isHere = ({ name, type }: { name: string; type: string }) =>
    name === `${vip}.` && (recordTypes as readonly string[]).includes(type)
  const actionOf = { observe: 'GET zone', apply: 'PATCH zone' } as const
  const hung = () => powerdns.requests.filter(({ outcome }) => outcome.includes('not answered')).length
  let hangs = 0
  const world: World = {
    owner: async () => {
      const found = powerdns.state().sets.filter(isHere)
      const plain = found.map(({ type, records }) => ({ type, values: records.map(({ content }) => content) }))
      return placeOf(plain, targets)
    },
    setOutOfBand: async (place) =>
      powerdns.setOutOfBand((state) => {
        return { ...state, sets: [...state.sets.filter((set) => !isHere(set)), ...setsFor(place, targets)] }
      }),
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      powerdns.faults.add({ ...faults[fault], action: actionOf[action], next: 1 })
    },
    lag: (what, ms) => {
      powerdns.faults.clear()
      if (what === 'late-write') powerdns.faults.add({ kind: what, action: actionOf.apply, ms })
      if (what === 'stale-reads') powerdns.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(hung()).toBe(hangs)),
    unreachable,
    secrets: [apiKey],
    end: () => powerdns.close(),
  }
  return { adapter: adapterAt(powerdns.url, ofAdapter), world, powerdns }
}

const faults = {
  throttled: { kind: 'error', code: '429', message: 'Too Many Requests' },
  unavailable: { kind: 'error', code: '500', message: `Could not prepare statement: database is locked (${apiKey})` },
  denied: { kind: 'error', code: '401' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** The API of a PowerDNS as it is, past the adapter. */
export async function call(
  server: { readonly url: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
  const text = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  return fetch(`${server.url}/api/v1/servers/localhost/zones/${zone}.${path}`, { method, headers, ...text })
}

/** The real one, which several tests share: each starts with neither records nor an epoch. */
export async function realWorld(
  { api }: DnsServer,
  options: AdapterOptions = {},
): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const { targets = addresses } = options
  const change = async (rrsets: readonly unknown[]) => {
    const response = await call({ url: api }, 'PATCH', '', { rrsets })
    if (response.status !== 204) throw new Error(await response.text())
  }
  const gone = [...recordTypes, 'LUA', 'ALIAS'].map((type) => ({ name: `${vip}.`, type, changetype: 'DELETE' }))
  const world: PlainWorld = {
    owner: async () => {
      const found = (await (await call({ url: api }, 'GET', `?rrset_name=${vip}.`)).json()) as {
        rrsets: { type: string; records: { content: string }[] }[]
      }
      return placeOf(
        found.rrsets.map(({ type, records }) => ({ type, values: records.map(({ content }) => content) })),
        targets,
      )
    },
    setOutOfBand: (place) =>
      change([...gone, ...setsFor(place, targets).map((set) => ({ ...set, changetype: 'REPLACE' }))]),
    unreachable,
    end: async () => undefined,
  }
  await change([...gone, { name: `_holdfast.${vip}.`, type: 'TXT', changetype: 'DELETE' }])
  return { adapter: adapterAt(api, options), world }
}
