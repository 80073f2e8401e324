/** What the names of DNS adapters point at in their tests. */
import type { DnsTarget } from '../../../adapters/dns/records.ts'

export const names = { service: 'web', binding: 'dns' }
export const vip = 'vip.example.com'

export type Targets = Readonly<Record<'n1' | 'n2' | 'foreign', DnsTarget>>

export const addresses: Targets = {
  n1: { a: ['192.0.2.11'], aaaa: ['2001:db8::11'] },
  n2: { a: ['192.0.2.12', '192.0.2.22'] },
  foreign: { a: ['192.0.2.99'] },
}

export const mixed: Targets = {
  n1: { a: ['192.0.2.11'] },
  n2: { cname: 'n2.example.net' },
  foreign: { cname: 'elsewhere.example.net' },
}
