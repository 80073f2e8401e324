/** The two worlds of the route53 adapter: the strict Route 53, which can be made to fail, and moto, which nobody here wrote. */
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from '@aws-sdk/client-route-53'
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { recordSetsOf, recordTypes } from '../../../adapters/dns/records.ts'
import { createRoute53 } from '../../../adapters/route53/adapter.ts'
import { route53Schema } from '../../../adapters/route53/schema.ts'
import { labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { createRoute53Cloud, type Route53, type Route53Options } from '../../../infra/lab/clouds/route53.ts'
import type { RecordSet } from '../../../infra/lab/clouds/route53-rules.ts'
import type { CaseFault, Place, PlainWorld, World } from '../adapter-cases.ts'
import { addresses, mixed, names, type Targets, vip } from '../dns/targets.ts'
import { createManualTimers } from '../manual-timers.ts'

export { addresses, mixed, names, type Targets, vip }

/** The standard chain finds them first here, so that no test depends on the machine it runs on. */
export function useLabCredentials(): void {
  vi.stubEnv('AWS_ACCESS_KEY_ID', labCredentials.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', labCredentials.secretAccessKey)
}

export const zoneId = 'Z0LAB'
export const ttl = 30

export type AdapterOptions = {
  readonly targets?: Targets
  readonly name?: string
  readonly hostedZoneId?: string
  readonly callTimeoutMs?: number
}

export function adapterAt(endpoint: string, options: AdapterOptions = {}): Adapter {
  const { targets = addresses, name = vip, hostedZoneId = zoneId, callTimeoutMs } = options
  const config = route53Schema.config.parse({ hostedZoneId, name, ttl, endpoint })
  const input = { ...names, config, targets: { n1: targets.n1, n2: targets.n2 } }
  return createRoute53(input, callTimeoutMs === undefined ? {} : { callTimeoutMs })
}

/** A port of the loopback that nobody listens on: Route 53 listened there a moment ago. */
async function unreachable(): Promise<Adapter> {
  const gone = await createRoute53Cloud({ zones: [] })
  await gone.close()
  return adapterAt(gone.url)
}

export type WorldOptions = Pick<AdapterOptions, 'targets' | 'name'> & {
  readonly clock?: () => Date
  /** What else the zone has. */
  readonly sets?: readonly RecordSet[]
  readonly protected?: readonly string[]
}

export async function route53World(options: WorldOptions = {}): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly route53: Route53
}> {
  const { targets = addresses, name = vip, clock, sets = [] } = options
  const timers = createManualTimers()
  const zone = { id: zoneId, name: 'example.com', sets, protected: options.protected ?? [] }
  const cloudOptions: Route53Options = { zones: [zone], timers, ...(clock === undefined ? {} : { clock }) }
  const route53 = await createRoute53Cloud(cloudOptions)
  const actionOf = { observe: 'ListResourceRecordSets', apply: 'ChangeResourceRecordSets' } as const
  const hung = () => route53.requests.filter(({ outcome }) => outcome.includes('not answered')).length
  let hangs = 0
  const world: World = {
    owner: async () => placeOf(setsAt(route53, name), targets),
    setOutOfBand: async (place) => {
      const placed = place === null ? [] : recordSetsOf(targets[place]).map((set) => ({ ...set, name, ttl }))
      route53.setOutOfBand(zoneId, name, recordTypes, placed)
    },
    inject: (action, fault) => {
      if (fault === 'hang') hangs += 1
      route53.faults.add({ ...faults[fault], action: actionOf[action], next: 1 })
    },
    lag: (what, ms) => {
      route53.faults.clear()
      if (what === 'late-write') route53.faults.add({ kind: what, action: actionOf.apply, ms })
      if (what === 'stale-reads') route53.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(hung()).toBe(hangs)),
    unreachable,
    secrets: [labCredentials.secretAccessKey, labCredentials.accessKeyId, 'AWS4-HMAC-SHA256', 'Signature='],
    end: () => route53.close(),
  }
  return { adapter: adapterAt(route53.url, { targets, name }), world, route53 }
}

const faults = {
  throttled: { kind: 'error', code: 'Throttling', message: 'Rate exceeded' },
  unavailable: { kind: 'error', code: 'ServiceUnavailable' },
  denied: { kind: 'error', code: 'AccessDenied' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>

/** What the strict Route 53 has under a name. */
export function setsAt(route53: Route53, name: string, types: readonly string[] = recordTypes): readonly RecordSet[] {
  const wire = `${name.replace(/^\*/, '\\052')}.`
  return route53.state().zones[0]!.sets.filter((set) => set.name === wire && types.includes(set.type))
}

export function epochAt(route53: Route53, name: string = vip): string | undefined {
  return setsAt(route53, `_holdfast.${name}`, ['TXT'])[0]?.values[0]
}

type Plain = { readonly type: string; readonly values: readonly string[] }

function placeOf(sets: readonly Plain[], targets: Targets): Place {
  if (sets.length === 0) return null
  const text = (all: readonly Plain[]): string =>
    JSON.stringify(all.map(({ type, values }) => `${type} ${[...values].sort().join(' ')}`).sort())
  const found = (['n1', 'n2'] as const).find((node) => text(recordSetsOf(targets[node])) === text(sets))
  return found ?? 'foreign'
}

/** A zone of its own in a moto that may be shared by many. */
export async function motoWorld(url: string): Promise<{ readonly adapter: Adapter; readonly world: PlainWorld }> {
  const client = new Route53Client({ region: 'us-east-1', endpoint: url })
  const CallerReference = `${performance.now()}`
  const { HostedZone } = await client.send(new CreateHostedZoneCommand({ Name: 'example.com', CallerReference }))
  const HostedZoneId = HostedZone!.Id!.replace('/hostedzone/', '')
  const read = async () => {
    const { ResourceRecordSets = [] } = await client.send(new ListResourceRecordSetsCommand({ HostedZoneId }))
    return ResourceRecordSets.filter(({ Name, Type }) => Name === `${vip}.` && Type !== 'TXT')
  }
  const world: PlainWorld = {
    owner: async () => {
      const sets = (await read()).map(({ Type, ResourceRecords = [] }) => {
        return { type: Type!, values: ResourceRecords.map(({ Value }) => Value!) }
      })
      return placeOf(sets, addresses)
    },
    setOutOfBand: async (place) => {
      // One change a batch: moto is not to be trusted with more.
      const change = async (Action: 'DELETE' | 'UPSERT', ResourceRecordSet: ResourceRecordSet) => {
        const ChangeBatch = { Changes: [{ Action, ResourceRecordSet }] }
        await client.send(new ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch }))
      }
      for (const set of await read()) await change('DELETE', set)
      for (const { type, values } of place === null ? [] : recordSetsOf(addresses[place])) {
        await change('UPSERT', {
          ...{ Name: vip, Type: type, TTL: ttl },
          ResourceRecords: values.map((Value) => ({ Value })),
        })
      }
    },
    unreachable,
    end: async () => client.destroy(),
  }
  return { adapter: adapterAt(url, { hostedZoneId: HostedZoneId }), world }
}
