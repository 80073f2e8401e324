/** The peers' listener and who asks it, over loopback. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { LogEntry } from '../../node-agent/log.ts'
import { createInquirer, servePeers } from '../../node-agent/peers.ts'
import { eventually } from '../support/eventually.ts'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function asking(port: number) {
  const inquirer = createInquirer()
  onTestFinished(inquirer.close)
  const peer = { host: '127.0.0.1', port }
  return (service: string) => inquirer.ask({ peer, service, node: 'n1' })
}

test('what a peer says of a service, and what it does not know', async () => {
  const says: Record<string, 'free' | 'active' | 'unknown'> = { web: 'free', api: 'active', db: 'unknown' }
  const logged: LogEntry[] = []
  const port = await freePort()
  const server = servePeers(
    { host: '127.0.0.1', port },
    (service) => says[service] ?? 'absent',
    (_, entry) => void logged.push(entry),
  )
  onTestFinished(server.close)
  await eventually(
    () => logged.map(({ event }) => event),
    (events) => expect(events).toEqual(['peers-listening']),
  )
  const ask = asking(port)
  expect(await ask('web')).toBe('free')
  expect(await ask('api')).toBe('active')
  expect(await ask('mail')).toBe('absent')
  expect(await ask('db')).toBeUndefined()
  expect((await fetch(`http://127.0.0.1:${port}/v1/failsafe/web?node=n1`)).status).toBe(200)
  expect((await fetch(`http://127.0.0.1:${port}/v1/failsafe/api?node=n1`)).status).toBe(409)
})

test('one that is relieved just then is asked again', async () => {
  const answers = ['active', 'free'] as const
  let asked = 0
  const port = await freePort()
  const server = servePeers(
    { host: '127.0.0.1', port },
    () => answers[asked++] ?? 'absent',
    () => {},
  )
  onTestFinished(server.close)
  const ask = asking(port)
  await eventually(
    () => ask('web'),
    (says) => expect(says).toBe('free'),
  )
})

test('nobody there is no answer', async () => {
  expect(await asking(await freePort())('web')).toBeUndefined()
})

test('an address that can\u2019t be listened on is said once, and tried until it can', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const events: string[] = []
  const server = servePeers(
    { host: '127.0.0.1', port },
    () => 'free',
    (_, { event }) => void events.push(event),
  )
  onTestFinished(server.close)
  const heard = (expected: string[]) =>
    eventually(
      () => events,
      (seen) => expect(seen).toEqual(expected),
    )
  await heard(['peers-refused'])
  await new Promise((resolve) => taken.close(resolve))
  await heard(['peers-refused', 'peers-listening'])
})
