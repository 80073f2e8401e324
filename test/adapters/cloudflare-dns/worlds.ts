/** The world of the cloudflare-dns adapter: a zone of the strict Cloudflare, which can be made to fail. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createCloudflareDns } from '../../../adapters/cloudflare-dns/adapter.ts'
import { cloudflareDnsSchema } from '../../../adapters/cloudflare-dns/schema.ts'
import { recordSetsOf, recordTypes } from '../../../adapters/dns/records.ts'
import { type Cloudflare, type CloudflareOptions, createCloudflare } from '../../../infra/lab/clouds/cloudflare.ts'
import { labToken } from '../../../infra/lab/clouds/cloudflare-access.ts'
import type { CloudflareRecord } from '../../../infra/lab/clouds/cloudflare-dns-rules.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { addresses, mixed, names, type Targets, vip } from '../dns/targets.ts'
import { createManualTimers } from '../manual-timers.ts'

export { addresses, mixed, names, type Targets, vip }

/** Where `adapterAt` finds the token. */
export function useLabToken(value: string = labToken.value): void {
  vi.stubEnv('CLOUDFLARE_TOKEN_UNDER_TEST', value)
}

export const accountId = '9a7806061c88ada191ed06f989cc3dac'
export const zoneId = '023e105f4ecef8ad9ca31a8372d0c353'

export type AdapterOptions = {
  readonly targets?: Targets
  readonly name?: string
  readonly zoneId?: string
  readonly ttl?: number
  readonly proxied?: boolean
  readonly callTimeoutMs?: number
}

export function adapterAt(endpoint: string, options: AdapterOptions = {}): Adapter {
  const { targets = addresses, callTimeoutMs, ...more } = options
  const token = { env: 'CLOUDFLARE_TOKEN_UNDER_TEST' }
  const config = cloudflareDnsSchema.config.parse({ zoneId, name: vip, token, endpoint, ...more })
  const input = { ...names, config, targets: { n1: targets.n1, n2: targets.n2 } }
  return createCloudflareDns(input, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

/** A port of the loopback that nobody listens on: Cloudflare listened there a moment ago. */
async function unreachable(): Promise<Adapter> {
  const gone = await createCloudflare({ accountId, zones: [] })
  await gone.close()
  return adapterAt(gone.endpoint)
}

export type WorldOptions = AdapterOptions &
  Pick<CloudflareOptions, 'clock' | 'tokens' | 'limit'> & {
    /** What else the zone has. */
    readonly records?: NonNullable<CloudflareOptions['zones'][number]['records']>
  }

export async function cloudflareDnsWorld(options: WorldOptions = {}): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly cloudflare: Cloudflare
}> {
  const { clock, tokens, limit, records = [], ...adapterOptions } = options
  const { targets = addresses, name = vip, proxied = false, ttl = proxied ? 1 : 60 } = options
  const timers = createManualTimers()
  const zones = [{ id: zoneId, name: 'example.com', records }]
  const given = Object.fromEntries(Object.entries({ clock, tokens, limit }).filter(([, value]) => value !== undefined))
  const cloudflare = await createCloudflare({ accountId, zones, timers, ...given })
  const actionOf = { observe: 'GET dns_records', apply: 'POST dns_records/batch' } as const
  const hung = () => cloudflare.requests.filter(({ outcome }) => outcome.includes('not answered')).length
  let hangs = 0
  const world: World = {
    owner: async () => placeOf(recordsAt(cloudflare, name), targets),
    setOutOfBand: async (place) => {
      const sets = place === null ? [] : recordSetsOf(targets[place])
      const placed = sets.flatMap(({ type, values }) => values.map((content) => ({ type, content, ttl, proxied })))
      cloudflare.setOutOfBand(zoneId, name, recordTypes, placed)
    },
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      cloudflare.faults.add({ ...faults[fault], action: actionOf[action], next: 1 })
    },
    lag: (what, ms) => {
      cloudflare.faults.clear()
      if (what === 'late-write') cloudflare.faults.add({ kind: what, action: actionOf.apply, ms })
      if (what === 'stale-reads') cloudflare.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(hung()).toBe(hangs)),
    unreachable,
    secrets: [labToken.value, 'Bearer'],
    end: () => cloudflare.close(),
  }
  return { adapter: adapterAt(cloudflare.endpoint, adapterOptions), world, cloudflare }
}

export const faults = {
  throttled: { kind: 'error', code: '10429' },
  unavailable: { kind: 'error', code: '10013' },
  denied: { kind: 'error', code: '10000' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** What the strict Cloudflare has under a name. */
export function recordsAt(
  cloudflare: Cloudflare,
  name: string = vip,
  types: readonly string[] = recordTypes,
): readonly CloudflareRecord[] {
  return cloudflare.state().zones[0]!.records.filter((record) => record.name === name && types.includes(record.type))
}

/** The texts that fence a name. */
export function fenceAt(cloudflare: Cloudflare, name: string = vip): readonly string[] {
  return recordsAt(cloudflare, `_holdfast.${name}`, ['TXT']).map(({ content }) => content)
}

function placeOf(records: readonly CloudflareRecord[], targets: Targets): Place {
  if (records.length === 0) return null
  const lines = records.map(({ type, content }) => `${type} ${content}`)
  const text = (all: readonly string[]): string => [...all].sort().join('\n')
  const found = (['n1', 'n2'] as const).find((node) => {
    const wanted = recordSetsOf(targets[node]).flatMap(({ type, values }) => values.map((value) => `${type} ${value}`))
    return text(wanted) === text(lines)
  })
  return found ?? 'foreign'
}
