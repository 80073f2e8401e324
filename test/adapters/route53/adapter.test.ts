/** route53 against the strict Route 53: the shared suite and the fault matrix. */
import { beforeEach } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { mixed, route53World, useLabCredentials } from './worlds.ts'

beforeEach(useLabCredentials)

adapterCases({ name: 'route53', setup: () => route53World() })
adapterCases({ name: 'route53, with a CNAME', setup: () => route53World({ targets: mixed }) })
adapterCases({ name: 'route53, of a wildcard', setup: () => route53World({ name: '*.example.com' }) })
faultMatrix({ name: 'route53', setup: () => route53World() })
faultMatrix({
  name: 'route53, slow and busy',
  setup: async () => {
    const made = await route53World({ targets: mixed })
    made.route53.pace({ insyncMs: 45_000, exclusiveMs: 400 })
    return made
  },
})
