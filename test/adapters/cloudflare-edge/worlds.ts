/** The world of the cloudflare-edge adapter: the edge Worker as it is deployed, in workerd, behind a proxy that fails. */
import { expect, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createCloudflareEdge } from '../../../adapters/cloudflare-edge/adapter.ts'
import type { EdgeRoute } from '../../../control/edge/contract.ts'
import { createFaultProxy, type FaultProxy } from '../../../infra/lab/clouds/fault-proxy.ts'
import type { Reply } from '../../../infra/lab/clouds/strict-cloud.ts'
import { type Edge, serve } from '../../support/edge.ts'
import type { CaseFault, Place, World } from '../adapter-cases.ts'
import { createManualTimers } from '../manual-timers.ts'

export const edgeToken = 'edge-token-0123456789'

/** The standard place of it here. */
export function useEdgeToken(): void {
  vi.stubEnv('HOLDFAST_SECRET_EDGE', edgeToken)
}

export const targets = {
  n1: { site: 'dc1', url: 'http://127.0.0.1:9001' },
  n2: { site: 'dc2', url: 'http://127.0.0.1:9002' },
}

export const hosts = ['www.example.com', '*.example.net']

export function adapterAt(
  endpoint: string,
  more: { readonly service?: string; readonly targets?: typeof targets; readonly hosts?: string[] } = {},
): Adapter {
  const config = { endpoint, token: { env: 'HOLDFAST_SECRET_EDGE' }, hosts: more.hosts ?? hosts }
  return createCloudflareEdge({
    service: more.service ?? 'web',
    binding: 'edge',
    config,
    targets: more.targets ?? targets,
  })
}

const foreign = { site: 'elsewhere', url: 'http://127.0.0.1:9009', healthy: true }

/** What the adapter would have written, written by somebody else. */
function routeAt(place: Exclude<Place, null>, service: string, epoch: number): EdgeRoute {
  if (place === 'foreign') return { service, epoch, hosts, owner: null, sites: [foreign] }
  const other = place === 'n1' ? 'n2' : 'n1'
  const sites = [targets[place], targets[other]].map((site) => ({ ...site, healthy: true }))
  return { service, epoch, hosts, owner: { node: place, site: targets[place].site }, sites }
}

/** As Cloudflare answers in front of a Worker, or as the Worker does. */
const refusals: Readonly<Record<string, Reply>> = {
  throttled: { status: 429, headers: { 'retry-after': '2' }, body: 'error code: 1015', outcome: 'throttled' },
  unavailable: { status: 503, headers: { 'content-type': 'text/html' }, body: '<html>', outcome: 'unavailable' },
  denied: {
    status: 401,
    headers: { 'content-type': 'application/problem+json' },
    body: JSON.stringify({ status: 401, code: 'unauthorized', detail: 'the token is not that of this edge' }),
    outcome: 'denied',
  },
}

/** A service of its own on an edge that many worlds share. */
export async function edgeWorld(
  edge: Edge,
  service: string,
): Promise<{ readonly adapter: Adapter; readonly world: World; readonly proxy: FaultProxy }> {
  const timers = createManualTimers()
  const object = await edge.object()
  const proxy = await createFaultProxy({
    to: edge.url,
    timers,
    actionOf: ({ method }) => ({ action: method, kind: method === 'GET' ? 'read' : 'write' }),
    look: async () => {
      const body = JSON.stringify(await object.held(service))
      return { status: 200, headers: { 'content-type': 'application/json' }, body, outcome: 'ok' }
    },
    refuse: (code) => refusals[code]!,
  })
  const world: World = {
    owner: async () => {
      const route = await object.get(service)
      return route === null ? null : ((route.owner?.node ?? 'foreign') as Place)
    },
    setOutOfBand: async (place) => {
      await proxy.changing()
      const { epoch } = await object.held(service)
      if (place === null) await object.learn([], [service])
      else await object.put(routeAt(place, service, epoch))
    },
    inject: (action, fault) => proxy.faults.add({ ...faults[fault], action: actions[action], next: 1 }),
    lag: (what, ms) => {
      proxy.faults.clear()
      if (what === 'late-write') proxy.faults.add({ kind: what, action: 'PUT', ms })
      if (what === 'stale-reads') proxy.faults.add({ kind: what, ms })
    },
    pass: async (ms) => {
      timers.pass(ms)
      await proxy.quiet()
    },
    hanging: () => vi.waitFor(() => expect(proxy.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: async () => {
      const gone = await serve(() => undefined)
      await gone.stop()
      return adapterAt(gone.url, { service })
    },
    secrets: [edgeToken],
    end: () => proxy.close(),
  }
  return { adapter: adapterAt(proxy.url, { service }), world, proxy }
}

const actions = { observe: 'GET', apply: 'PUT' } as const

const faults = {
  throttled: { kind: 'error', code: 'throttled' },
  unavailable: { kind: 'error', code: 'unavailable' },
  denied: { kind: 'error', code: 'denied' },
  'lost-response': { kind: 'reset-after' },
  hang: { kind: 'hang-after' },
} as const satisfies Record<CaseFault, unknown>
