/**
 * route53 against moto: a Route 53 that nobody here wrote, for the wire format. It is lenient where the strict one is
 * not, and wrong where a batch creates again what it deletes.
 */
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { describeWith, type MotoServer, moto, startMoto } from '../../support/peers.ts'
import { plainAdapterCases } from '../adapter-cases.ts'
import { motoWorld, useLabCredentials } from './worlds.ts'

describeWith(moto, 'moto tests', () => {
  let server: MotoServer

  beforeAll(async () => {
    server = await startMoto()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(useLabCredentials)

  const again = 'moto refuses to create again what was created before, though the same batch deletes it first'
  plainAdapterCases({
    name: 'route53 against moto',
    setup: () => motoWorld(server.url),
    except: {
      'applies from nothing, from a node and from something foreign': again,
      'is at the same place after the same move twice': again,
      'refuses a write that was based on a token of the past, where it can refuse anything':
        'moto takes a DELETE that does not match',
    },
  })
})
