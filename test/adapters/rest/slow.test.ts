/** Providers whose jobs outlast a call: a move is done when it was accepted, and happens later. */
import { beforeEach } from 'vitest'
import * as digitalOcean from '../digitalocean-reserved-ip/worlds.ts'
import { faultMatrix } from '../fault-matrix.ts'
import * as robot from '../hetzner-failover-ip/worlds.ts'
import * as hetzner from '../hetzner-floating-ip/worlds.ts'
import * as ovh from '../ovh-ip/worlds.ts'
import { clockOf } from '../thin/world.ts'

beforeEach(() => {
  digitalOcean.useToken()
  hetzner.useToken()
  ovh.useSecrets()
  robot.usePassword()
})

/** Too short to ask about a job. */
const impatient = { callTimeoutMs: 1_200 }

faultMatrix({
  name: 'hetzner-floating-ip, whose actions take 4 s',
  seeds: 6,
  setup: async () => {
    const all = await hetzner.hetznerWorld({ jobMs: 4_000 })
    return { ...all, adapter: hetzner.adapterAt(all.cloud.url, {}, impatient) }
  },
})
faultMatrix({
  name: 'digitalocean-reserved-ip, whose actions take 11 s',
  seeds: 6,
  setup: async () => {
    const all = await digitalOcean.digitalOceanWorld({ jobMs: 11_000 })
    return { ...all, adapter: digitalOcean.adapterAt(all.cloud.url, {}, impatient) }
  },
})
faultMatrix({
  name: 'ovh-ip, whose tasks take a minute',
  seeds: 6,
  setup: async () => {
    const all = await ovh.ovhWorld({ jobMs: 60_000 })
    return { ...all, adapter: ovh.adapterAt(all.cloud.url, { ...impatient, now: clockOf(all.timers) }) }
  },
})
faultMatrix({
  name: 'hetzner-failover-ip, whose switches take a minute and a half',
  seeds: 6,
  setup: () => robot.robotWorld({ jobMs: 90_000 }),
})
