/** The world of the digitalocean-reserved-ip adapter: a strict DigitalOcean with an address of each family. */
import { vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createDigitalOceanReservedIp } from '../../../adapters/digitalocean-reserved-ip/adapter.ts'
import { digitaloceanReservedIpSchema } from '../../../adapters/digitalocean-reserved-ip/schema.ts'
import type { Options } from '../../../adapters/rest/adapter.ts'
import {
  allScopes,
  createDigitalOcean,
  type DigitalOceanState,
  settled,
} from '../../../infra/lab/clouds/digitalocean.ts'
import type { JobOptions } from '../../../infra/lab/clouds/jobs.ts'
import type { Place } from '../adapter-cases.ts'
import { atOnce, names, thinWorld } from '../thin/world.ts'

export const token = 'digitalocean token under test'
export const readOnlyToken = 'digitalocean token for reading'
export const addresses = { ipv4: '203.0.113.10', ipv6: '2001:db8::10' } as const
const droplets = { n1: 42, n2: 43, foreign: 99 } as const

export function useToken(value: string | undefined = token): void {
  vi.stubEnv('DIGITALOCEAN_TOKEN_UNDER_TEST', value)
}

/** An adapter at `url`, by its own schemas. */
export function adapterAt(endpoint: string, config: object = {}, options: Options = atOnce): Adapter {
  const given = { ip: addresses.ipv4, token: { env: 'DIGITALOCEAN_TOKEN_UNDER_TEST' }, endpoint, ...config }
  const parsed = digitaloceanReservedIpSchema.config.parse(given)
  const targets = { n1: { dropletId: droplets.n1 }, n2: { dropletId: droplets.n2 } }
  return createDigitalOceanReservedIp({ ...names, config: parsed, targets }, options)
}

export type More = JobOptions & { readonly family?: keyof typeof addresses }

export function digitalOceanWorld({ family = 'ipv4', ...more }: More = {}) {
  const address = addresses[family]
  return thinWorld<DigitalOceanState>({
    create: (options) =>
      createDigitalOcean({
        ...{ ...options, ...more },
        reservedIps: Object.values(addresses).map((ip) => ({ ip, region: 'fra1', droplet: null })),
        droplets: Object.entries(droplets).map(([name, id]) => ({ id, name, region: 'fra1' })),
        tokens: [
          { token, scopes: allScopes },
          { token: readOnlyToken, scopes: allScopes.filter((scope) => scope.endsWith(':read')) },
        ],
      }),
    adapterAt: (url) => adapterAt(url, { ip: address }),
    owner: (state, now) => placeOf(settled(state, now).reservedIps.find(({ ip }) => ip === address)!.droplet),
    put: (state, place, now) => {
      const { reservedIps, ...rest } = settled(state, now)
      const droplet = place === null ? null : droplets[place]
      return { ...rest, reservedIps: reservedIps.map((each) => (each.ip === address ? { ...each, droplet } : each)) }
    },
    actions:
      family === 'ipv6'
        ? { observe: 'GET reserved_ipv6', apply: 'POST reserved_ipv6' }
        : { observe: 'GET reserved_ips', apply: 'POST reserved_ips' },
    codes: { throttled: 'too_many_requests', unavailable: 'service_unavailable', denied: 'forbidden' },
    secrets: [token, 'Bearer '],
  })
}

function placeOf(droplet: number | null): Place {
  const found = Object.entries(droplets).find(([, id]) => id === droplet)
  return (found?.[0] ?? null) as Place
}
