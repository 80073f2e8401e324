/** The world of the gcp-route adapter: one network of a strict Compute Engine. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createGcpRoute } from '../../../adapters/gcp-route/adapter.ts'
import { gcpRouteSchema } from '../../../adapters/gcp-route/schema.ts'
import type { Options } from '../../../adapters/rest/adapter.ts'
import { createGoogle, type Google, type GoogleOptions, type GoogleState } from '../../../infra/lab/clouds/google.ts'
import type { Place, World } from '../adapter-cases.ts'
import { account, faults, initial, pem, project } from '../gcp-alias-ip/worlds.ts'
import { createManualTimers } from '../manual-timers.ts'

const hops = { n1: '10.0.1.10', n2: '10.0.2.10', foreign: '10.0.9.9' } as const

export function adapterAt(url: string, config: object = {}, options: Options = {}): Adapter {
  const parsed = gcpRouteSchema.config.parse({
    ...{ project, network: 'default', route: 'vip', destRange: '10.9.0.100/32' },
    ...{ endpoint: url, tokenEndpoint: `${url}/token`, credentials: { env: 'GOOGLE_KEY_UNDER_TEST' }, ...config },
  })
  const targets = { n1: { nextHopIp: hops.n1 }, n2: { nextHopIp: hops.n2 } }
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve))
  return createGcpRoute({ service: 'web', binding: 'vip', config: parsed, targets }, { pause, ...options })
}

function moved(state: GoogleState, to: Place): GoogleState {
  const { vip: _, ...rest } = state.routes
  if (to === null) return { ...state, routes: rest }
  const network = 'https://compute.googleapis.com/compute/v1/projects/lab-project/global/networks/default'
  const id = String(state.count + 1)
  const vip = {
    id,
    name: 'vip',
    network,
    destRange: '10.9.0.100/32',
    priority: 900,
    nextHopIp: hops[to],
    tags: ['lan'],
  }
  return { ...state, routes: { ...rest, vip }, count: state.count + 1 }
}

export async function gcpRouteWorld(operations: Pick<GoogleOptions, 'operationMs'> = {}): Promise<{
  readonly adapter: Adapter
  readonly world: World
  readonly google: Google
}> {
  const timers = createManualTimers()
  const google = await createGoogle({ project, account, initial, timers, ...operations })
  const world: World = {
    owner: async () => {
      const hop = google.state().routes.vip?.nextHopIp
      return (Object.entries(hops).find(([, each]) => each === hop)?.[0] ?? null) as Place
    },
    setOutOfBand: async (place) => google.setOutOfBand((state) => moved(state, place)),
    inject: (action, fault) => {
      // Whichever write comes first; but the answer that matters is that of the second.
      const of = fault === 'lost-response' ? { action: 'insertRoute' } : { about: 'write' }
      google.faults.add({ ...faults[fault], ...(action === 'observe' ? { action: 'getRoute' } : of), next: 1 })
    },
    lag: (what, ms) => {
      google.faults.clear()
      if (what === 'late-write') google.faults.add({ kind: what, about: 'write', ms })
      if (what === 'stale-reads') google.faults.add({ kind: what, action: 'getRoute', ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(google.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: async () => {
      const gone = await createGoogle({ project, account, initial })
      await gone.close()
      return adapterAt(gone.url)
    },
    get secrets() {
      return [pem.slice(40, 90), ...google.tokens]
    },
    end: () => google.close(),
  }
  return { adapter: adapterAt(google.url), world, google }
}
