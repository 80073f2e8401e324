/** DNS from a Cloudflare Worker: none. */
import type { Exchange } from '../transport.ts'

export const exchange: Exchange = async () => ({
  kind: 'permanent',
  code: 'NoTransport',
  message: 'rfc2136 needs control on a machine: this runtime has no way to a DNS server of yours',
})
