/** cloudflare-load-balancer against the strict Cloudflare: the shared suite and the fault matrix, in both modes. */
import { beforeEach, describe } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { useLabToken } from '../cloudflare-dns/worlds.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { loadBalancerWorld } from './worlds.ts'

beforeEach(() => useLabToken())

describe.each(['enabled', 'order'] as const)('by %s', (by) => {
  adapterCases({ name: `cloudflare-load-balancer by ${by}`, setup: () => loadBalancerWorld({ by }) })
  faultMatrix({ name: `cloudflare-load-balancer by ${by}`, setup: () => loadBalancerWorld({ by }) })
})
