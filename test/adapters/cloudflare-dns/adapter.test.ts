/** cloudflare-dns against the strict Cloudflare: the shared suite and the fault matrix. */
import { beforeEach } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { cloudflareDnsWorld, mixed, useLabToken } from './worlds.ts'

beforeEach(() => useLabToken())

adapterCases({ name: 'cloudflare-dns', setup: () => cloudflareDnsWorld() })
adapterCases({ name: 'cloudflare-dns, with a CNAME', setup: () => cloudflareDnsWorld({ targets: mixed }) })
adapterCases({
  name: 'cloudflare-dns, a proxied wildcard',
  setup: () => cloudflareDnsWorld({ name: '*.example.com', proxied: true }),
})
faultMatrix({ name: 'cloudflare-dns', setup: () => cloudflareDnsWorld() })
faultMatrix({ name: 'cloudflare-dns, with a CNAME', setup: () => cloudflareDnsWorld({ targets: mixed }) })
