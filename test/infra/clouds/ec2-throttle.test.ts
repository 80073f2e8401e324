/** How many calls the strict EC2 takes, when it is told to count them. */
import { DescribeAddressesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { expect, test } from 'vitest'
import { createEc2, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { createThrottle } from '../../../infra/lab/clouds/ec2-throttle.ts'
import { createManualTimers } from '../../adapters/manual-timers.ts'

const narrowed = { 'Filter.1.Name': 'subnet-id' }

test.each([
  ['DescribeRouteTables', {}, 100, 20],
  ['DescribeNetworkInterfaces', narrowed, 100, 20],
  ['DescribeNetworkInterfaces', {}, 50, 10],
  ['AssociateAddress', {}, 50, 5],
  ['ReplaceRoute', {}, 50, 5],
  ['AssignPrivateIpAddresses', {}, 100, 5],
])('%s %o: %i at once, and %i a second after that', (action, params, capacity, perSecond) => {
  let now = 0
  const throttle = createThrottle(() => now)
  const taken = () => Array.from({ length: 200 }, () => throttle.take(action, params)).filter(Boolean).length
  expect(taken()).toBe(capacity)
  now += 1_000
  expect(taken()).toBe(perSecond)
  expect(throttle.take('CreateRoute', {})).toBe(true)
})

test('whoever calls too often is refused, and not for good', async () => {
  const timers = createManualTimers()
  const ec2 = await createEc2({ addresses: [], interfaces: [], throttle: true, timers })
  const client = new EC2Client({ region: 'x', endpoint: ec2.url, maxAttempts: 1, credentials: labCredentials })
  const look = () => client.send(new DescribeAddressesCommand({}))
  for (let i = 0; i < 100; i += 1) await look()
  await expect(look()).rejects.toMatchObject({
    name: 'RequestLimitExceeded',
    $metadata: { httpStatusCode: 503 },
  })
  timers.pass(50)
  await look()
  client.destroy()
  await ec2.close()
})
