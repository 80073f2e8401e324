/** aws-eip against moto: an EC2 that nobody here wrote, for the wire format. It is lenient where the strict EC2 is not. */
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { describeWith, type MotoServer, moto, startMoto } from '../../support/peers.ts'
import { plainAdapterCases } from '../adapter-cases.ts'
import { useLabCredentials } from '../aws/ec2-world.ts'
import { motoWorld } from './worlds.ts'

describeWith(moto, 'moto tests', () => {
  let server: MotoServer

  beforeAll(async () => {
    server = await startMoto()
  }, 60_000)
  afterAll(() => server.stop())
  beforeEach(useLabCredentials)

  plainAdapterCases({ name: 'aws-eip against moto', setup: () => motoWorld(server.url) })
})
