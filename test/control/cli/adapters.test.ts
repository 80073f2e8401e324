/** `holdfast adapters`: what is printed of a configuration, and what it says of a cloud that would refuse. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEc2, type Ec2, labCredentials } from '../../../infra/lab/clouds/ec2.ts'
import { runHoldfast } from '../../support/control-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-adapters-'))
const file = join(folder, 'control.yaml')
let ec2: Ec2

beforeAll(async () => {
  ec2 = await createEc2({
    addresses: [{ allocationId: 'eipalloc-1', publicIp: '203.0.113.10' }],
    interfaces: [
      { networkInterfaceId: 'eni-1', instanceId: 'i-1', privateIpAddresses: ['10.0.0.11'] },
      { networkInterfaceId: 'eni-2', instanceId: 'i-2', privateIpAddresses: ['10.0.0.12'] },
    ],
  })
  writeFileSync(
    file,
    `
tokens: [{name: ops, role: admin, token: 0123456789abcdef0123456789abcdef}]
services:
  web:
    bindings:
      - name: eip
        adapter: aws-eip
        config: {region: eu-west-1, allocationId: eipalloc-1, endpoint: "${ec2.url}"}
        targets:
          n1: {networkInterfaceId: eni-1, privateIpAddress: 10.0.0.11}
          n2: {networkInterfaceId: eni-2, privateIpAddress: 10.0.0.12}
      - name: dns
        adapter: rfc2136
        config: {server: "127.0.0.1:1", name: vip.example.com, key: {name: holdfast, secret: {env: HOLDFAST_SECRET_TSIG}}}
        targets: {n1: {a: [192.0.2.1]}, n2: {a: [192.0.2.2]}}
`,
  )
})
afterAll(async () => {
  await ec2.close()
  rmSync(folder, { recursive: true, force: true })
})

const environment = {
  AWS_ACCESS_KEY_ID: labCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: labCredentials.secretAccessKey,
  HOLDFAST_SECRET_TSIG: Buffer.from('a secret of the test').toString('base64'),
}
const adapters = (...args: string[]) => runHoldfast(['adapters', ...args], environment)

test('policy is one IAM document of least privilege, and what to grant elsewhere, without asking anybody', async () => {
  const asked = ec2.requests.length
  const { code, stdout } = await adapters('policy', '--config', file, '--json')
  const { aws, grants } = JSON.parse(stdout)
  expect([code, ec2.requests.length]).toEqual([0, asked])
  const actions = aws.Statement.flatMap(({ Action }: { Action: string[] }) => Action)
  expect(actions).toEqual([...new Set(actions)])
  expect(actions.toSorted()).toEqual(['ec2:AssociateAddress', 'ec2:DescribeAddresses', 'ec2:DescribeNetworkInterfaces'])
  const associate = aws.Statement.find(({ Action }: { Action: string[] }) => Action.includes('ec2:AssociateAddress'))
  expect(JSON.stringify(associate.Resource)).toMatch(/elastic-ip\/eipalloc-1.*network-interface\/eni-1/s)
  expect(JSON.stringify(associate.Resource)).not.toContain('"*"')
  expect(JSON.stringify(grants)).toMatch(/update-policy.*_holdfast\.vip\.example\.com/)
  expect(stdout).not.toContain(environment.HOLDFAST_SECRET_TSIG)
})

test('preflight says what would fail, by name, and changes nothing', async () => {
  const before = ec2.state()
  const { code, stdout } = await adapters('preflight', '--config', file, '--json')
  const found = JSON.parse(stdout) as { binding: string; result: string; message: string | null }[]
  expect(code).toBe(1)
  expect(found.filter(({ binding }) => binding === 'eip').map(({ result }) => result)).not.toContain('failed')
  expect(found.filter(({ binding, result }) => binding === 'dns' && result === 'failed').length).toBeGreaterThan(0)
  expect(ec2.state()).toEqual(before)
  const passed = await adapters('preflight', '--config', file, '--service', 'web')
  expect(passed.stdout).toMatch(/web\/dns\s+failed\s.*ECONNREFUSED/)
  expect(passed.stdout).toMatch(/Nothing was changed/)
})

test('a permission that is missing is found before it is needed', async () => {
  ec2.faults.add({ kind: 'error', code: 'UnauthorizedOperation', action: 'AssociateAddress (dry run)' })
  const { stdout } = await adapters('preflight', '--config', file)
  ec2.faults.clear()
  expect(stdout).toMatch(/web\/eip\s+failed\s.*UnauthorizedOperation/)
})

test('show and list teach every adapter; a slip is told with the nearest name', async () => {
  const list = await adapters('list', '--json')
  const names = (JSON.parse(list.stdout) as { name: string }[]).map(({ name }) => name)
  for (const name of names) {
    const { code, stdout } = await adapters('show', name)
    expect([code, stdout]).toEqual([0, expect.stringContaining(`adapter: ${name}`)])
  }
  expect(await adapters('show', 'aws-epi')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/did you mean aws-eip/),
  })
})
