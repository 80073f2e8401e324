/** The strict EC2 as a process: it says when it is ready and what changes, obeys its switches, and leaves when told. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AssociateAddressCommand, EC2Client } from '@aws-sdk/client-ec2'
import { expect, test } from 'vitest'
import { labCredentials } from '../../../infra/lab/clouds/ec2.ts'

const program = join(import.meta.dirname, '..', '..', '..', 'infra', 'lab', 'clouds', 'ec2-main.ts')
const config = {
  addresses: [{ allocationId: 'eipalloc-1', publicIp: '203.0.113.1' }],
  interfaces: [{ networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.1'] }],
}

type Running = { readonly child: ChildProcess; readonly url: string; line(): Promise<Record<string, unknown>> }

async function start(): Promise<Running> {
  const args = [program, '--listen', '127.0.0.1:0', '--config', JSON.stringify(config)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async () => JSON.parse((await lines.next()).value ?? 'null')
  const { listening } = await line()
  return { child, url: String(listening), line }
}

test('as a process', async () => {
  const { child, url, line } = await start()
  const lab = async (path: string, init?: RequestInit) => (await fetch(`${url}/_lab/${path}`, init)).json()
  const client = new EC2Client({ region: 'x', endpoint: url, maxAttempts: 1, credentials: labCredentials })
  const move = new AssociateAddressCommand({ AllocationId: 'eipalloc-1', NetworkInterfaceId: 'eni-1' })

  const fault = { kind: 'error', code: 'InternalError', next: 1 }
  expect(await lab('faults', { method: 'PUT', body: JSON.stringify([fault]) })).toEqual([fault])
  await expect(client.send(move)).rejects.toMatchObject({ name: 'InternalError' })
  expect(await lab('faults')).toEqual([])

  const { AssociationId } = await client.send(move)
  const place = { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.1' }
  expect(await line()).toEqual({
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    event: 'associated',
    allocationId: 'eipalloc-1',
    associationId: AssociationId,
    ...place,
  })
  expect(await lab('state')).toMatchObject({ addresses: [{ association: place }] })
  expect(await lab('requests')).toMatchObject([{ outcome: 'InternalError' }, { outcome: 'ok' }])

  await lab('addresses/eipalloc-1', { method: 'PUT', body: 'null' })
  expect(await line()).toMatchObject({ event: 'disassociated', ...place })

  const wrong = await fetch(`${url}/_lab/faults`, { method: 'PUT', body: '[{"kind":"flood"}]' })
  expect(wrong.status).toBe(400)
  expect((await fetch(`${url}/_lab/elsewhere`)).status).toBe(404)

  client.destroy()
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test.each([
  ['no configuration', [], '--config JSON is missing'],
  ['a wrong one', ['--config', '{"addresses": []}'], 'interfaces'],
  ['no address to listen on', ['--listen', 'here', '--config', JSON.stringify(config)], '--listen wants an address'],
])('%s is wrong usage', (_name, args, said) => {
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  expect(status).toBe(2)
  expect(stderr).toContain(said)
})
