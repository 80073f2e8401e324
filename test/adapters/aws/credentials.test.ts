/**
 * Where the credentials of a control on Node come from: wherever AWS's own tools find them. The metadata service and STS
 * are small servers of the loopback; the strict EC2 only answers whoever signs with what they hand out.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Adapter } from '../../../adapters/adapter.ts'
import { createEc2, type Ec2 } from '../../../infra/lab/clouds/ec2.ts'
import { adapterAt, allocationId } from '../aws-eip/worlds.ts'

const handedOut = { accessKeyId: 'ASIALABLABLABLABLAB1', secretAccessKey: 'handed-out-secret' }
const sessionToken = 'handed-out-session-token'
const signal = new AbortController().signal

let ec2: Ec2
let adapter: Adapter
let folder: string
let servers: Server[]

beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined)
  folder = mkdtempSync(join(tmpdir(), 'holdfast-aws-'))
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  servers = []
  ec2 = await createEc2({
    addresses: [{ allocationId, publicIp: '203.0.113.10' }],
    interfaces: [],
    credentials: [handedOut],
  })
  adapter = adapterAt(ec2.url)
})

afterEach(async () => {
  adapter.dispose()
  await ec2.close()
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  rmSync(folder, { recursive: true })
})

type Serve = (request: IncomingMessage, response: ServerResponse) => void

async function serve(handle: Serve): Promise<string> {
  const server = createServer(handle)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const keys = [
  `aws_access_key_id = ${handedOut.accessKeyId}`,
  `aws_secret_access_key = ${handedOut.secretAccessKey}`,
].join('\n')

describe('are found in', () => {
  test('the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', handedOut.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', handedOut.secretAccessKey)
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  })

  test('a profile of the credentials file', async () => {
    writeFileSync(join(folder, 'credentials'), `[failover]\n${keys}\n`)
    vi.stubEnv('AWS_PROFILE', 'failover')
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  })

  test('a program that a profile names', async () => {
    const said = { Version: 1, AccessKeyId: handedOut.accessKeyId, SecretAccessKey: handedOut.secretAccessKey }
    const program = join(folder, 'keys')
    writeFileSync(program, `#!/bin/sh\necho '${JSON.stringify(said)}'\n`)
    chmodSync(program, 0o700)
    writeFileSync(join(folder, 'config'), `[profile failover]\ncredential_process = ${program}\n`)
    vi.stubEnv('AWS_PROFILE', 'failover')
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  })

  test('a role that another profile may assume', async () => {
    const roles: string[] = []
    const sts = await serve((request, response) => void assumeRole(request, response, roles))
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sts)
    vi.stubEnv('AWS_PROFILE', 'failover')
    const role = 'arn:aws:iam::123456789012:role/failover'
    const base = `[profile base]\naws_access_key_id = AKIABASEBASEBASEBASE\naws_secret_access_key = base\n`
    const failover = `[profile failover]\nregion = eu-west-1\nrole_arn = ${role}\nsource_profile = base\n`
    writeFileSync(join(folder, 'config'), base + failover)
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(roles).toEqual([role])
  })

  test("the machine's metadata service, by a session of version 2, once", async () => {
    const asked: string[] = []
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined)
    vi.stubEnv(
      'AWS_EC2_METADATA_SERVICE_ENDPOINT',
      await serve((request, response) => metadata(request, response, asked)),
    )
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    const role = 'GET /latest/meta-data/iam/security-credentials/'
    expect(asked).toEqual(['PUT /latest/api/token', role, `${role}failover`])
  })
})

async function assumeRole(request: IncomingMessage, response: ServerResponse, roles: string[]): Promise<void> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  roles.push(new URLSearchParams(body).get('RoleArn') ?? 'none')
  const credentials = [
    `<AccessKeyId>${handedOut.accessKeyId}</AccessKeyId>`,
    `<SecretAccessKey>${handedOut.secretAccessKey}</SecretAccessKey>`,
    `<SessionToken>${sessionToken}</SessionToken><Expiration>${soon()}</Expiration>`,
  ].join('')
  const result = `<AssumeRoleResult><Credentials>${credentials}</Credentials></AssumeRoleResult>`
  response.setHeader('content-type', 'text/xml')
  response.end(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</AssumeRoleResponse>`)
}

function metadata(
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
  asked: string[],
  expiration = soon(),
): void {
  asked.push(`${method} ${url}`)
  if (method === 'PUT' && url === '/latest/api/token') return void response.end('session')
  if (headers['x-aws-ec2-metadata-token'] !== 'session') return void response.writeHead(401).end()
  if (url === '/latest/meta-data/iam/security-credentials/') return void response.end('failover')
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = handedOut
  const given = { Code: 'Success', Type: 'AWS-HMAC', AccessKeyId, SecretAccessKey }
  response.end(
    JSON.stringify({ ...given, Token: sessionToken, LastUpdated: new Date().toISOString(), Expiration: expiration }),
  )
}

function soon(): string {
  return new Date(Date.now() + 3_600_000).toISOString()
}

describe('a metadata service that', () => {
  let isHanging: boolean

  /** One that hands out credentials which run out at `expiration`, or does not answer. */
  async function unreliable(expiration?: string): Promise<void> {
    const endpoint = await serve((request, response) => {
      if (!isHanging) metadata(request, response, [], expiration)
    })
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined)
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', endpoint)
  }

  test('never answers keeps no observation longer than its eight seconds, and is not the end of it', async () => {
    await unreliable()
    isHanging = true
    const began = performance.now()
    const seen = await adapter.observe(signal)
    expect(performance.now() - began).toBeLessThan(8_500)
    expect(seen).toMatchObject({ kind: 'unknown' })
    isHanging = false
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  }, 20_000)

  test('never answers when they are about to run out: those of before are used on', async () => {
    await unreliable(new Date(Date.now() + 60_000).toISOString())
    isHanging = false
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    isHanging = true
    const began = performance.now()
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(performance.now() - began).toBeLessThan(8_500)
  }, 20_000)

  test('is not there, or fails, is no credentials', async () => {
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined)
    const failing = await serve((_request, response) => void response.writeHead(500).end())
    for (const endpoint of ['http://127.0.0.1:9', failing]) {
      vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', endpoint)
      expect(await adapter.observe(signal)).toMatchObject({
        failure: { kind: 'permanent', code: 'CredentialsProviderError' },
      })
    }
  })
})
