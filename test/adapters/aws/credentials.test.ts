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
import type { Adapter, Failure } from '../../../adapters/adapter.ts'
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

async function assumeRole(
  request: IncomingMessage,
  response: ServerResponse,
  roles: string[],
  action = 'AssumeRole',
): Promise<void> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  roles.push(new URLSearchParams(body).get('RoleArn') ?? 'none')
  const credentials = [
    `<AccessKeyId>${handedOut.accessKeyId}</AccessKeyId>`,
    `<SecretAccessKey>${handedOut.secretAccessKey}</SecretAccessKey>`,
    `<SessionToken>${sessionToken}</SessionToken><Expiration>${soon()}</Expiration>`,
  ].join('')
  const result = `<${action}Result><Credentials>${credentials}</Credentials></${action}Result>`
  response.setHeader('content-type', 'text/xml')
  response.end(`<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</${action}Response>`)
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

  test.each<[what: string, serve: Serve | null, says: RegExp]>([
    ['is not there', null, /: neither the environment nor a file has any, and .* does not answer: /],
    ['fails', (_request, response) => void response.writeHead(503).end(), /has trouble \(HTTP status 503\)/],
    ['has too much to do', (_request, response) => void response.writeHead(429).end(), /has trouble/],
    ['answers a page', (_request, response) => void response.end('<html>portal</html>'), /none of its answers/],
    ['answers no credentials', say({ Code: 'Success' }), /none of its answers/],
    ['cuts its answer short', say('{"Code": "Succ'), /none of its answers/],
  ])('%s is named, and asked again later', async (_what, handle, says) => {
    const failure = await failureWith(handle)
    expect(failure).toMatchObject({ kind: 'retry', code: 'NoCredentials' })
    expect(failure.message).toMatch(/^no AWS credentials: .*the instance metadata service \(IMDS\) at http:/)
    expect(failure.message).toMatch(says)
  })

  test.each<[what: string, serve: Serve, says: RegExp]>([
    ['knows no role', (_request, response) => void response.writeHead(404).end(), /this machine has no role/],
    ['has an empty list of roles', (_request, response) => void response.end(''), /this machine has no role/],
    [
      'may not use the role',
      say({ Code: 'AssumeRoleUnauthorizedAccess', Message: 'no trust' }),
      /says Assume.*no trust/,
    ],
    [
      'is closed to this machine',
      (_request, response) => void response.writeHead(403).end(),
      /refuses \(HTTP status 403/,
    ],
  ])('%s is for a person to mend', async (_what, handle, says) => {
    const failure = await failureWith(handle)
    expect(failure).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
    expect(failure.message).toMatch(says)
    expect(failure.message).toContain('IMDS')
  })

  test('is switched off, and nothing else has any', async () => {
    const message = 'no AWS credentials: neither the environment nor a file has any'
    expect(await adapter.observe(signal)).toMatchObject({ failure: { kind: 'permanent', message } })
  })
})

/** Names a role, and says this of it. */
function say(what: object | string): Serve {
  return ({ method, url = '' }, response) => {
    if (method === 'PUT') return void response.end('session')
    if (url.endsWith('/')) return void response.end('failover')
    response.end(typeof what === 'string' ? what : JSON.stringify(what))
  }
}

/** Null: nobody is there. */
async function failureWith(handle: Serve | null): Promise<Failure> {
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined)
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', handle === null ? 'http://127.0.0.1:9' : await serve(handle))
  return failureSeen()
}

async function failureSeen(): Promise<Failure> {
  const seen = await adapter.observe(signal)
  if (seen.kind !== 'unknown') throw new Error(`it was observed: ${JSON.stringify(seen)}`)
  return seen.failure
}

const given = (more: object = {}) => ({
  AccessKeyId: handedOut.accessKeyId,
  SecretAccessKey: handedOut.secretAccessKey,
  Token: sessionToken,
  Expiration: soon(),
  ...more,
})

describe("a container's endpoint", () => {
  const tokens: unknown[] = []
  async function container(handle: Serve): Promise<void> {
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${await serve(handle)}/creds?id=1`)
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'container-token')
  }

  test('gives some to whoever has its token', async () => {
    await container(({ headers }, response) => {
      tokens.push(headers.authorization)
      response.end(JSON.stringify(given()))
    })
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(tokens).toEqual(['container-token'])
  })

  test.each<[what: string, serve: Serve, kind: string]>([
    ['fails', (_request, response) => void response.writeHead(500).end(), 'retry'],
    ['refuses', (_request, response) => void response.writeHead(400).end('{"Code": "AccessDenied"}'), 'permanent'],
  ])(
    '%s and is named',
    async (_what, handle, kind) => {
      await container(handle)
      const failure = await failureSeen()
      expect(failure).toMatchObject({ kind, code: 'NoCredentials' })
      expect(failure.message).toMatch(/^no AWS credentials: the container credentials endpoint http:/)
      expect(failure.message).not.toContain('container-token')
    },
    20_000,
  )

  test('never answers, and is named when the time of a call is over', async () => {
    await container(() => {})
    adapter.dispose()
    adapter = adapterAt(ec2.url, { callTimeoutMs: 300 })
    const failure = await failureSeen()
    expect(failure).toMatchObject({ kind: 'retry', code: 'NoCredentials' })
    expect(failure.message).toMatch(/^no AWS credentials within 300 ms: the container credentials endpoint/)
  })
})

describe('a web identity', () => {
  async function identity(handle: Serve | null): Promise<void> {
    const file = join(folder, 'token')
    writeFileSync(file, 'a.web.token')
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', file)
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/failover')
    vi.stubEnv('AWS_REGION', 'eu-west-1')
    vi.stubEnv('AWS_ENDPOINT_URL_STS', handle === null ? 'http://127.0.0.1:9' : await serve(handle))
  }
  const refuse = (status: number, code: string): Serve => {
    const error = `<ErrorResponse><Error><Code>${code}</Code><Message>so it is</Message></Error></ErrorResponse>`
    return (_request, response) => void response.writeHead(status, { 'content-type': 'text/xml' }).end(error)
  }

  test('is exchanged for some at STS', async () => {
    const roles: string[] = []
    await identity((request, response) => void assumeRole(request, response, roles, 'AssumeRoleWithWebIdentity'))
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(roles).toHaveLength(1)
  })

  test.each<[what: string, serve: Serve | null, failure: object]>([
    ['is refused', refuse(403, 'AccessDenied'), { kind: 'permanent', code: 'AccessDenied' }],
    ['has run out', refuse(400, 'ExpiredTokenException'), { kind: 'permanent', code: 'ExpiredTokenException' }],
    [
      'cannot be checked now',
      refuse(400, 'IDPCommunicationError'),
      { kind: 'retry', code: 'IDPCommunicationErrorException' },
    ],
    ['meets trouble', refuse(500, 'InternalFailure'), { kind: 'retry', code: 'InternalFailure' }],
    ['finds nobody there', null, { kind: 'retry', code: 'ECONNREFUSED' }],
  ])(
    '%s',
    async (_what, handle, expected) => {
      await identity(handle)
      const failure = await failureSeen()
      expect(failure).toMatchObject(expected)
      expect(failure.message).toMatch(/^no AWS credentials: /)
    },
    20_000,
  )

  test('has no file', async () => {
    await identity(null)
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'missing'))
    expect(await failureSeen()).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
  })
})

describe('credentials that are refused', () => {
  test.each(['ExpiredToken', 'RequestExpired', 'AuthFailure'])('as by %s are renewed once, and used', async (code) => {
    let asked = 0
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', undefined)
    const endpoint = await serve((request, response) => {
      if (!request.url!.endsWith('failover')) return metadata(request, response, [])
      asked += 1
      response.end(JSON.stringify({ Code: 'Success', ...given(asked === 1 ? {} : { Token: 'a newer token' }) }))
    })
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', endpoint)
    ec2.faults.add({ kind: 'error', code, next: 1 })
    expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
    expect(asked).toBe(2)
    expect(ec2.requests.map(({ outcome }) => outcome)).toEqual([code, 'ok'])
  })

  test('are not tried again when there are no others', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', handedOut.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', handedOut.secretAccessKey)
    ec2.faults.add({ kind: 'error', code: 'ExpiredToken', next: 1 })
    const failure = await failureSeen()
    expect(failure).toMatchObject({ kind: 'permanent', code: 'ExpiredToken' })
    expect(failure.message).toMatch(/^the credentials have expired/)
    expect(ec2.requests).toHaveLength(1)
  })

  test('by a program, which is not quoted: its words may be a secret', async () => {
    writeFileSync(join(folder, 'config'), '[profile failover]\ncredential_process = echo hunter2\n')
    vi.stubEnv('AWS_PROFILE', 'failover')
    const failure = await failureSeen()
    expect(failure).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
    expect(failure.message).not.toContain('hunter2')
  })
})
