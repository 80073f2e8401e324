/** The world of the hetzner-failover-ip adapter: a strict Robot with a failover IP of each family. */
import { vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createHetznerFailoverIp } from '../../../adapters/hetzner-failover-ip/adapter.ts'
import { hetznerFailoverIpSchema } from '../../../adapters/hetzner-failover-ip/schema.ts'
import { createHetznerRobot, type RobotState, settled } from '../../../infra/lab/clouds/hetzner-robot.ts'
import type { JobOptions } from '../../../infra/lab/clouds/jobs.ts'
import type { Place } from '../adapter-cases.ts'
import { names, thinWorld } from '../thin/world.ts'

/** Each world has its own: what is known of a login is kept for as long as the process lives, and ports come again. */
let user = '#ws+0'
let worlds = 0
export const password = 'robot password under test'
const ips = { ipv4: '203.0.113.10', ipv6: '2001:db8:f::' } as const
const servers = {
  ipv4: { n1: '198.51.100.1', n2: '198.51.100.2', foreign: '198.51.100.9' },
  ipv6: { n1: '2001:db8:1::', n2: '2001:db8:2::', foreign: '2001:db8:9::' },
} as const

export type Family = keyof typeof ips

export function usePassword(value: string | undefined = password): void {
  vi.stubEnv('ROBOT_PASSWORD_UNDER_TEST', value)
}

type More = {
  readonly family?: Family
  readonly config?: object
  readonly callTimeoutMs?: number
  readonly now?: () => number
}

/** An adapter at `url`, by its own schemas. */
export function adapterAt(endpoint: string, { family = 'ipv4', config = {}, ...options }: More = {}): Adapter {
  const given = { ip: ips[family], user, password: { env: 'ROBOT_PASSWORD_UNDER_TEST' }, endpoint, ...config }
  const target = (serverIp: string) => hetznerFailoverIpSchema.target.parse({ serverIp })
  const targets = { n1: target(servers[family].n1), n2: target(servers[family].n2) }
  return createHetznerFailoverIp({ ...names, config: hetznerFailoverIpSchema.config.parse(given), targets }, options)
}

export function robotWorld({ family = 'ipv4', ...more }: Pick<JobOptions, 'jobMs'> & { family?: Family } = {}) {
  const own = ips[family]
  worlds += 1
  user = `#ws+${worlds}`
  return thinWorld<RobotState>({
    create: (options) =>
      createHetznerRobot({
        ...{ ...options, ...more, user, password },
        failovers: Object.values(ips).map((ip) => ({ ip, active: null })),
        servers: Object.keys(servers.ipv4).map((name, i) => ({
          number: i + 1,
          ip: servers.ipv4[name as 'n1'],
          ipv6Net: servers.ipv6[name as 'n1'],
        })),
      }),
    adapterAt: (url) => adapterAt(url, { family }),
    owner: (state, now) => {
      const active = settled(state, now).failovers.find(({ ip }) => ip === own)!.active
      return (Object.entries(servers[family]).find(([, ip]) => ip === active)?.[0] ?? null) as Place
    },
    put: (state, place, now) => {
      const { failovers, ...rest } = settled(state, now)
      const active = place === null ? null : servers[family][place]
      return { ...rest, failovers: failovers.map((each) => (each.ip === own ? { ...each, active } : each)) }
    },
    actions: { observe: 'GET failover', apply: 'POST failover' },
    // Robot does not know addresses that are not the account's.
    codes: { throttled: 'RATE_LIMIT_EXCEEDED', unavailable: 'INTERNAL_ERROR', denied: 'NOT_FOUND' },
    secrets: [password, Buffer.from(`${user}:${password}`).toString('base64')],
  })
}
