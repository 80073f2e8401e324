/** The world of the hetzner-floating-ip adapter: a strict Hetzner Cloud with one address and three servers. */
import { vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createHetznerFloatingIp } from '../../../adapters/hetzner-floating-ip/adapter.ts'
import { hetznerFloatingIpSchema } from '../../../adapters/hetzner-floating-ip/schema.ts'
import type { Options } from '../../../adapters/rest/adapter.ts'
import { createHetzner, type HetznerState, settled } from '../../../infra/lab/clouds/hetzner.ts'
import type { JobOptions } from '../../../infra/lab/clouds/jobs.ts'
import type { Place } from '../adapter-cases.ts'
import { atOnce, names, thinWorld } from '../thin/world.ts'

export const token = 'hetzner token under test'
export const readOnlyToken = 'hetzner token for reading'
const servers = { n1: 42, n2: 43, foreign: 99 } as const

export function useToken(value: string | undefined = token): void {
  vi.stubEnv('HETZNER_TOKEN_UNDER_TEST', value)
}

/** An adapter at `url`, by its own schemas. */
export function adapterAt(endpoint: string, config: object = {}, options: Options = atOnce): Adapter {
  const given = { floatingIpId: 4711, token: { env: 'HETZNER_TOKEN_UNDER_TEST' }, endpoint, ...config }
  const targets = { n1: { serverId: servers.n1 }, n2: { serverId: servers.n2 } }
  return createHetznerFloatingIp({ ...names, config: hetznerFloatingIpSchema.config.parse(given), targets }, options)
}

export function hetznerWorld(more: JobOptions = {}) {
  return thinWorld<HetznerState>({
    create: (options) =>
      createHetzner({
        ...{ ...options, ...more },
        floatingIps: [{ id: 4711, ip: '203.0.113.10', type: 'ipv4', server: null }],
        servers: Object.entries(servers).map(([name, id]) => ({ id, name })),
        tokens: [{ token }, { token: readOnlyToken, readOnly: true }],
      }),
    adapterAt: (url) => adapterAt(url),
    owner: (state, now) => placeOf(settled(state, now).floatingIps[0]!.server),
    put: (state, place, now) => {
      const { floatingIps, ...rest } = settled(state, now)
      const server = place === null ? null : servers[place]
      return { ...rest, floatingIps: floatingIps.map((address) => ({ ...address, server })) }
    },
    actions: { observe: 'GET floating_ips', apply: 'POST assign' },
    codes: { throttled: 'rate_limit_exceeded', unavailable: 'unavailable', denied: 'forbidden' },
    secrets: [token, 'Bearer '],
  })
}

function placeOf(server: number | null): Place {
  const found = Object.entries(servers).find(([, id]) => id === server)
  return (found?.[0] ?? null) as Place
}
