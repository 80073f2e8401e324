/** The world of the ovh-ip adapter: a strict OVHcloud with one IP and three servers. */
import { vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createOvhIp } from '../../../adapters/ovh-ip/adapter.ts'
import { ovhIpSchema } from '../../../adapters/ovh-ip/schema.ts'
import type { Options } from '../../../adapters/rest/adapter.ts'
import type { JobOptions } from '../../../infra/lab/clouds/jobs.ts'
import { createOvh, type OvhState, settled } from '../../../infra/lab/clouds/ovh.ts'
import type { Place } from '../adapter-cases.ts'
import { atOnce, names, thinWorld } from '../thin/world.ts'

export const secrets = { secret: 'ovh application secret under test', key: 'ovh consumer key under test' } as const
export const readOnlyKey = 'ovh consumer key for reading'
const block = '203.0.113.10/32'
const services = { n1: 'ns1.example.net', n2: 'ns2.example.net', foreign: 'ns9.example.net' } as const

export function useSecrets({
  secret = secrets.secret,
  key = secrets.key,
}: {
  secret?: string
  key?: string
} = {}): void {
  vi.stubEnv('OVH_SECRET_UNDER_TEST', secret)
  vi.stubEnv('OVH_KEY_UNDER_TEST', key)
}

type More = Options & { readonly now?: () => Date; readonly config?: object }

/** An adapter at `url`, by its own schemas. */
export function adapterAt(endpoint: string, { config = {}, ...options }: More = {}): Adapter {
  const given = {
    ip: '203.0.113.10',
    applicationKey: 'application',
    applicationSecret: { env: 'OVH_SECRET_UNDER_TEST' },
    consumerKey: { env: 'OVH_KEY_UNDER_TEST' },
    endpoint,
    ...config,
  }
  const targets = { n1: { service: services.n1 }, n2: { service: services.n2 } }
  return createOvhIp({ ...names, config: ovhIpSchema.config.parse(given), targets }, { ...atOnce, ...options })
}

export function ovhWorld(more: JobOptions = {}) {
  return thinWorld<OvhState>({
    create: (options) =>
      createOvh({
        ...{ ...options, ...more },
        ips: [{ ip: block, service: null }],
        services: Object.values(services),
        applicationKey: 'application',
        applicationSecret: secrets.secret,
        consumers: [
          { key: secrets.key, mayWrite: true },
          { key: readOnlyKey, mayWrite: false },
        ],
      }),
    adapterAt: (url, now) => adapterAt(url, { now }),
    owner: (state, now) => {
      const { service } = settled(state, now).ips[0]!
      return (Object.entries(services).find(([, name]) => name === service)?.[0] ?? null) as Place
    },
    put: (state, place, now) => ({
      ...settled(state, now),
      ips: [{ ip: block, service: place === null ? null : services[place] }],
    }),
    actions: { observe: 'GET ip', apply: 'POST move' },
    codes: {
      throttled: 'Client::TooManyRequests',
      unavailable: 'Server::InternalServerError',
      denied: 'NOT_GRANTED_CALL',
    },
    secrets: [...Object.values(secrets), '$1$'],
  })
}
