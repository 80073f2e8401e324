/** The world of the azure-route adapter: one route table of a strict Azure. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createAzureRoute } from '../../../adapters/azure-route/adapter.ts'
import { azureRouteSchema } from '../../../adapters/azure-route/schema.ts'
import type { Options } from '../../../adapters/rest/adapter.ts'
import { type Azure, type AzureState, createAzure, type Operations } from '../../../infra/lab/clouds/azure.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'
import { clockOf } from '../thin/world.ts'

const id = '8d5c9f3e-51d8-4a6b-9d0d-2f1f6f0c7a11'
export const secret = 'client secret under test'
const hops = { n1: '10.0.1.10', n2: '10.0.2.10', foreign: '10.0.9.9' } as const
const other = { version: 1, properties: { addressPrefix: '0.0.0.0/0', nextHopType: 'Internet' } }
export const cloud = { table: 'lan', client: { id, secret }, initial: { routes: { out: other }, operations: {} } }

/** Where adapters find the secret. */
export function useSecret(value: string = secret): void {
  vi.stubEnv('AZURE_SECRET_UNDER_TEST', value)
}

const own: Record<'n1' | 'n2', { readonly nextHopIpAddress: string }> = {
  n1: { nextHopIpAddress: hops.n1 },
  n2: { nextHopIpAddress: hops.n2 },
}

export function adapterAt(url: string, config: object = {}, options: Options = {}, given = own): Adapter {
  const parsed = azureRouteSchema.config.parse({
    ...{ subscription: id, resourceGroup: 'network', routeTable: 'lan', route: 'vip', addressPrefix: '10.9.0.100/32' },
    ...{ tenant: id, clientId: id, clientSecret: { env: 'AZURE_SECRET_UNDER_TEST' } },
    ...{ endpoint: url, tokenEndpoint: `${url}/token`, ...config },
  })
  const targets = { n1: azureRouteSchema.target.parse(given.n1), n2: azureRouteSchema.target.parse(given.n2) }
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve))
  return createAzureRoute({ service: 'web', binding: 'vip', config: parsed, targets }, { pause, ...options })
}

function moved(state: AzureState, to: Place): AzureState {
  const { vip, ...rest } = state.routes
  if (to === null) return { ...state, routes: rest }
  const properties = { addressPrefix: '10.9.0.100/32', nextHopType: 'VirtualAppliance', nextHopIpAddress: hops[to] }
  return { ...state, routes: { ...rest, vip: { version: (vip?.version ?? 0) + 1, properties } } }
}

export async function azureRouteWorld(operations: Operations = {}): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly azure: Azure
}> {
  const timers = createManualTimers()
  const azure = await createAzure({ ...cloud, ...operations, timers, clock: clockOf(timers) })
  const nameOf = { observe: 'getTable', apply: 'putRoute' } as const
  const world: World = {
    owner: async () => {
      const hop = azure.state().routes.vip?.properties.nextHopIpAddress
      return (Object.entries(hops).find(([, each]) => each === hop)?.[0] ?? null) as Place
    },
    setOutOfBand: async (place) => azure.setOutOfBand((state) => moved(state, place)),
    inject: (action, fault) => azure.faults.add({ ...faults[fault], action: nameOf[action], next: 1 }),
    lag: (what, ms) => {
      azure.faults.clear()
      if (what === 'late-write') azure.faults.add({ kind: what, action: 'putRoute', ms })
      if (what === 'stale-reads') azure.faults.add({ kind: what, action: 'getTable', ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(azure.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: async () => {
      const gone = await createAzure(cloud)
      await gone.close()
      return adapterAt(gone.url)
    },
    get secrets() {
      return [secret, ...azure.tokens]
    },
    end: () => azure.close(),
  }
  return { adapter: adapterAt(azure.url), world, azure }
}

const faults = {
  throttled: { kind: 'error', code: 'TooManyRequests', retryAfterSeconds: 7 },
  unavailable: { kind: 'error', code: 'ServiceUnavailable' },
  denied: { kind: 'error', code: 'AuthorizationFailed' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>
