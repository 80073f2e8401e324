/** rfc2136 against a real BIND that is made to go wrong: the shared suite, and faults through control's own driver. */
import { afterAll, beforeAll } from 'vitest'
import { type DnsServer, startDns } from '../../../infra/lab/dns/servers.ts'
import { describeWith, programRequirement } from '../../support/peers.ts'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { faultyWorld } from './worlds.ts'

describeWith(programRequirement('named'), 'rfc2136 against a BIND that goes wrong', () => {
  let server: DnsServer
  beforeAll(async () => {
    server = await startDns('bind')
  }, 30_000)
  afterAll(() => server?.stop())

  adapterCases({ name: 'rfc2136', setup: () => faultyWorld(server) })
  faultMatrix({ name: 'rfc2136', setup: () => faultyWorld(server), seeds: 6 })
})
