/** The API on a real server: TLS, links and streams that end with their token, and what is there after a restart. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get as getHttps } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { commandsSchema, type RefusedService, type RouterState } from '../../../control/contract.ts'
import type { LogEntry } from '../../../control/core/ports.ts'
import { type RunningControl, runControl } from '../../../control/node/main.ts'
import { openDatabase } from '../../../control/node/node-sqlite.ts'
import { expiryWarning, TlsError, tlsProblems } from '../../../control/node/tls.ts'
import { createFolder, runHoldfast, startControl } from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { serviceReport } from '../world.ts'

const folder = createFolder()
afterAll(() => folder.remove())
const running: RunningControl[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.close()
})

const tokens = [
  { name: 'root', role: 'admin', token: 'admin-token-of-this-test' },
  { name: 'n1', role: 'node', node: 'n1', token: 'node-token-of-n1' },
  { name: 'n3', role: 'node', node: 'n3', token: 'node-token-of-n3' },
]
const declaration = { bindings: [{ name: 'dry', adapter: 'memory', config: {}, targets: { n1: {}, n2: {} } }] }

function writeConfig(name: string, more: object = {}): string {
  const database = folder.file(`${name}.db`)
  const config = { listen: '127.0.0.1:0', database, tokens, services: { web: declaration }, ...more }
  writeFileSync(folder.file(`${name}.json`), JSON.stringify(config))
  return folder.file(`${name}.json`)
}

async function start(name: string, more: object = {}) {
  const logged: LogEntry[] = []
  const log = (_: unknown, entry: LogEntry): void => void logged.push(entry)
  const control = await runControl({ configFile: writeConfig(name, more), log, signals: false, environment: {} })
  running.push(control)
  const call = async (method: string, path: string, body?: unknown, token = 'admin-token-of-this-test') => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const text = body === undefined ? null : JSON.stringify(body)
    const response = await fetch(`${control.url}${path}`, { method, headers, body: text })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { ...control, logged, call }
}

/** A node's link. `ca`: of a server whose certificate nobody else has signed. */
async function link(url: string, token: string, ca?: string) {
  const headers = { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/agent`, {
    headers,
    ...(ca === undefined ? {} : { ca }),
  })
  const refused: RefusedService[] = []
  socket.on('message', (data) => {
    if (String(data) !== 'pong') refused.push(...(commandsSchema.parse(JSON.parse(String(data))).refused ?? []))
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return { socket, closed, refused }
}

const report = (node: string, state: RouterState, sequence = 1) => ({
  node,
  site: 'dc1',
  incarnation: `${node}-incarnation`,
  sequence,
  services: { web: serviceReport(node, state) },
})

describe('a node speaks only for itself, and only for services that name it', () => {
  test('over POST', async () => {
    const control = await start('scope-post')
    const post = (node: string, said: string) =>
      control.call('POST', `/v1/nodes/${node}/report`, report(said, 'active'), 'node-token-of-n3')
    expect(await post('n3', 'n3')).toMatchObject({
      status: 200,
      body: { refused: [{ service: 'web', why: expect.stringMatching(/does not name n3 for web/) }] },
    })
    expect((await post('n1', 'n1')).status).toBe(403)
    expect((await post('n3', 'n1')).status).toBe(400)
    expect((await control.call('GET', '/v1/services/web')).body).toMatchObject({ owner: null, members: [] })
  })

  test('over its link', async () => {
    const control = await start('scope-link')
    const { socket, refused, closed } = await link(control.url, 'node-token-of-n3')
    socket.send(JSON.stringify(report('n3', 'active')))
    await eventually(
      () => refused,
      (all) => expect(all).toMatchObject([{ service: 'web' }]),
    )
    expect((await control.call('GET', '/v1/services/web')).body).toMatchObject({ owner: null, members: [] })
    socket.send(JSON.stringify(report('n1', 'active', 2)))
    expect(await closed).toBe(1008)
  })
})

describe('a token that is no longer valid', () => {
  test('takes the node’s link with it when it is revoked, and the node can come back with another', async () => {
    const control = await start('revoke')
    const make = async () => (await control.call('POST', '/v1/tokens', { name: 'n1', role: 'node', node: 'n1' })).body
    const [first, second] = [await make(), await make()]
    const old = await link(control.url, String(first.token))
    old.socket.send(JSON.stringify(report('n1', 'active')))
    await eventually(
      () => control.call('GET', '/v1/services/web'),
      ({ body }) => expect(body).toMatchObject({ members: [{ node: 'n1', connected: true }] }),
    )
    expect((await control.call('DELETE', `/v1/tokens/${String(first.id)}`)).status).toBe(200)
    expect(await old.closed).toBe(1008)
    await expect(link(control.url, String(first.token))).rejects.toThrow('401')
    const fresh = await link(control.url, String(second.token))
    fresh.socket.send(JSON.stringify(report('n1', 'active', 2)))
    await eventually(
      () => control.call('GET', '/v1/services/web'),
      ({ body }) => expect(body).toMatchObject({ owner: { node: 'n1' }, members: [{ node: 'n1', connected: true }] }),
    )
  })

  test('ends a link at its next word when it has expired', async () => {
    const control = await start('expire')
    const { body } = await control.call('POST', '/v1/tokens', { name: 'n1', role: 'node', node: 'n1', expiresIn: '1s' })
    const { socket, closed } = await link(control.url, String(body.token))
    const pinging = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('ping'), 100)
    expect(await closed).toBe(1008)
    clearInterval(pinging)
  })
})

test('what was declared over the API is there after a restart, and the file wins over it', async () => {
  const before = await start('stored')
  await before.call('PUT', '/v1/services/api', declaration)
  await before.call('PUT', '/v1/services/both', declaration)
  await before.close()
  const after = await start('stored', { services: { web: declaration, both: { confirm: '1s' } } })
  expect((await after.call('GET', '/v1/services/api/declaration')).body).toEqual({
    service: 'api',
    version: 1,
    origin: 'api',
    declaration,
  })
  const both = await after.call('GET', '/v1/services/both/declaration')
  expect(both.body).toEqual({ service: 'both', version: 0, origin: 'file', declaration: { confirm: '1s' } })
  expect(after.logged).toContainEqual(expect.objectContaining({ event: 'declaration-skipped', service: 'both' }))
})

test('a stream of events is cut off by a restart and taken up after it, without gap and without repetition', async () => {
  const ids: number[] = []
  const read = async (url: string, until: number): Promise<void> => {
    const headers = {
      authorization: 'Bearer admin-token-of-this-test',
      accept: 'text/event-stream',
      ...(ids.length === 0 ? {} : { 'last-event-id': String(ids.at(-1)) }),
    }
    const response = await fetch(`${url}/v1/events?since=0`, { headers })
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const id = /^id: (\d+)\nevent: /m.exec(block)?.[1]
        if (id !== undefined) ids.push(Number(id))
      }
      if (ids.length >= until) return
    }
  }
  const first = await start('stream')
  const reading = read(first.url, Number.POSITIVE_INFINITY)
  for (let i = 0; i < 10; i++) await first.call('PUT', '/v1/services/web/hold', { reason: `reason ${i}` })
  // Ends by itself, when control has said everything that it had to say.
  await first.close()
  await reading
  const second = await start('stream')
  await second.call('DELETE', '/v1/services/web/hold')
  await read(second.url, 22)
  expect(ids).toEqual(Array.from({ length: 22 }, (_, i) => i + 1))
})

const openssl = spawnSync('openssl', ['version']).status === 0

function certify(name: string): { certificate: string; key: string; pem: string } {
  const [certificate, key] = [`${name}.pem`, `${name}.key`]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-nodes']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const files = ['-keyout', folder.file(key), '-out', folder.file(certificate)]
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, ...files], { stdio: 'ignore' })
  return { certificate, key, pem: readFileSync(folder.file(certificate), 'utf8') }
}

/** Whose certificate the server shows. */
function subjectAt(url: string, options: object = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls(
      { host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false, ...options },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      },
    )
    socket.once('error', reject)
  })
}

test('a stored declaration that does not fit any more is no service, and can be deleted for good', async () => {
  const before = await start('unfit')
  await before.call('PUT', '/v1/services/api', declaration)
  await before.close()
  const database = openDatabase(folder.file('unfit.db'))
  database.tx(() => database.all(`UPDATE declarations SET text = '{"shape":"of tomorrow"}'`))
  database.close()

  const after = await start('unfit')
  expect(after.logged).toContainEqual(expect.objectContaining({ event: 'declaration-skipped', service: 'api' }))
  expect((await after.call('GET', '/v1/services/api')).status).toBe(404)
  const gone = await after.call('DELETE', '/v1/services/api?reason=gone')
  expect([gone.status, gone.body]).toEqual([200, { service: 'api', forgotten: true }])
  expect((await after.call('DELETE', '/v1/services/api')).status).toBe(404)
  const { body } = await after.call('GET', '/v1/events?service=api')
  expect(body).toMatchObject({
    events: [{ kind: 'declared' }, { kind: 'call' }, { kind: 'forgotten' }, { kind: 'call' }, { kind: 'call' }],
  })
  await after.close()
  const again = await start('unfit')
  expect(again.logged.filter(({ event }) => event === 'declaration-skipped')).toEqual([])
})

describe.skipIf(!openssl)('TLS (needs openssl, to make certificates)', () => {
  test('HTTPS and wss, with paths beside the configuration file', async () => {
    const { certificate, key, pem } = certify('first')
    const control = await start('tls', { tls: { certificate, key } })
    expect(control.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const status = await new Promise<number | undefined>((resolve, reject) => {
      getHttps(`${control.url}/healthz`, { ca: pem }, (response) => resolve(response.resume().statusCode)).once(
        'error',
        reject,
      )
    })
    expect(status).toBe(200)
    const { socket } = await link(control.url, 'node-token-of-n1', pem)
    const pong = new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))))
    socket.send('ping')
    expect(await pong).toBe('pong')
    socket.close()
    await expect(subjectAt(control.url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow()
  })

  test('a certificate that was renewed is taken up while links stay open; a bad one changes nothing', async () => {
    const first = certify('before')
    const second = certify('after')
    const control = await start('renew', { tls: { certificate: 'now.pem', key: 'now.key' }, ...put(first) })
    const { socket } = await link(control.url, 'node-token-of-n1', first.pem)
    expect(await subjectAt(control.url)).toBe('before')
    put(second)
    control.renew()
    expect(await subjectAt(control.url)).toBe('after')
    writeFileSync(folder.file('now.key'), readFileSync(folder.file(first.key)))
    control.renew()
    expect(await subjectAt(control.url)).toBe('after')
    expect(control.logged.at(-1)).toMatchObject({
      event: 'certificate-refused',
      msg: expect.stringMatching(/does not belong to the certificate.*the former one stays in use/),
    })
    expect(socket.readyState).toBe(WebSocket.OPEN)
    socket.close()

    function put({ certificate, key }: typeof first): object {
      writeFileSync(folder.file('now.pem'), readFileSync(folder.file(certificate)))
      writeFileSync(folder.file('now.key'), readFileSync(folder.file(key)))
      return {}
    }
  })

  test('SIGHUP renews it, and ends nothing', async () => {
    const [first, second] = [certify('hup-before'), certify('hup-after')]
    const tls = { certificate: first.certificate, key: first.key }
    const control = await startControl(writeConfig('hup', { tls }))
    expect(await subjectAt(control.url)).toBe('hup-before')
    for (const kind of ['certificate', 'key'] as const) {
      writeFileSync(folder.file(first[kind]), readFileSync(folder.file(second[kind])))
    }
    control.signal('SIGHUP')
    await eventually(
      () => subjectAt(control.url),
      (subject) => expect(subject).toBe('hup-after'),
    )
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
  })

  test('check-config finds what is wrong with the files, where they are named', async () => {
    const good = certify('checked')
    certify('stranger')
    const check = async (tls: object, ...more: string[]) => {
      const config = writeConfig('checked', { tls })
      const text = readFileSync(config, 'utf8')
      writeFileSync(config, JSON.stringify(JSON.parse(text), undefined, 2))
      const { code, stderr } = await runHoldfast(['check-config', ...more, config])
      const lines = readFileSync(config, 'utf8').split('\n')
      const found = stderr
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const [, at, key, message] = /^[^:]+:(\d+): ([^:]+): (.*)$/.exec(line)!
          // The line that it names is the one where that is written.
          return { key, message, line: lines[Number(at) - 1]!.trim() }
        })
      return { code, found }
    }
    const { certificate, key } = good
    expect(await check({ certificate, key })).toEqual({ code: 0, found: [] })
    expect(await check({ certificate: 'none.pem', key: 'none.key' })).toMatchObject({
      code: 2,
      found: [
        { key: 'tls.certificate', line: '"certificate": "none.pem",', message: /there is no such file/ },
        { key: 'tls.key', line: '"key": "none.key"', message: /there is no such file/ },
      ].map(({ message, ...rest }) => ({ ...rest, message: expect.stringMatching(message) })),
    })
    expect(await check({ certificate: 'none.pem', key: 'none.key' }, '--elsewhere')).toEqual({ code: 0, found: [] })
    expect(await check({ certificate, key: 'stranger.key' })).toMatchObject({
      code: 2,
      found: [{ key: 'tls', line: '"tls": {', message: expect.stringMatching(/does not belong to the certificate/) }],
    })
    const inThreeDays = new Date(Date.now() + 3 * 24 * 3_600_000)
    expect(tlsProblems({ certificate, key }, folder.file('checked.json'), new Date())).toEqual([])
    expect(tlsProblems({ certificate, key }, folder.file('checked.json'), inThreeDays)).toMatchObject([
      { key: 'tls.certificate', reason: expect.stringMatching(/checked\.pem has expired on .*: renew it/) },
    ])
  })

  test.each([
    {
      name: 'a certificate that is not there',
      tls: { certificate: 'none.pem', key: 'good.key' },
      says: /^tls\.certificate: .*none\.pem: there is no such file/,
    },
    {
      name: 'a key that is not there',
      tls: { certificate: 'good.pem', key: 'none.key' },
      says: /^tls\.key: .*none\.key: there is no such file/,
    },
    { name: 'a folder', tls: { certificate: '.', key: 'good.key' }, says: /^tls\.certificate: .*: is a folder/ },
    {
      name: 'a certificate that is none',
      tls: { certificate: 'good.key', key: 'good.key' },
      says: /^tls\.certificate: .*good\.key holds no certificate/,
    },
    {
      name: 'a key that is none',
      tls: { certificate: 'good.pem', key: 'good.pem' },
      says: /^tls\.key: .*good\.pem holds no private key/,
    },
    {
      name: 'a key of another certificate',
      tls: { certificate: 'good.pem', key: 'other.key' },
      says: /^tls: the key in .*other\.key does not belong to the certificate in .*good\.pem/,
    },
    {
      name: 'a key under a passphrase',
      tls: { certificate: 'good.pem', key: 'locked.key' },
      says: /^tls\.key: .*locked\.key is encrypted/,
    },
  ])('$name is named, with what to do', async ({ tls, says }) => {
    certify('good')
    certify('other')
    const locked = [
      'pkey',
      '-in',
      folder.file('good.key'),
      '-aes256',
      '-passout',
      'pass:secret',
      '-out',
      folder.file('locked.key'),
    ]
    execFileSync('openssl', locked, { stdio: 'ignore' })
    const starting = start('bad-tls', { tls })
    await expect(starting).rejects.toThrow(TlsError)
    await expect(starting).rejects.toThrow(says)
  })
})

test.each([
  { name: 'in a year', now: '2025-11-22T00:00:00Z', says: null },
  {
    name: 'in a week',
    now: '2026-11-16T00:00:00Z',
    says: /^tls\.certificate: a\.pem expires on 2026-11-22T.*; renew it/,
  },
  { name: 'yesterday', now: '2026-11-23T00:00:00Z', says: /has expired on 2026-11-22T.*: agents and people refuse it/ },
])('a certificate that expires $name', ({ now, says }) => {
  const warning = expiryWarning('a.pem', new Date('2026-11-22T00:00:00Z'), new Date(now))
  if (says === null) expect(warning).toBe(null)
  else expect(warning).toMatch(says)
})

test('the command says so in one line', async () => {
  const config = writeConfig('one-line', { tls: { certificate: 'none.pem', key: 'none.key' } })
  const { code, stderr } = await runHoldfast(['control', '--config', config])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^holdfast: tls\.certificate: .*no such file[^\n]*\n$/)])
})

test('a path of a certificate may be anywhere', async () => {
  const starting = start('elsewhere', { tls: { certificate: join('/nowhere', 'a.pem'), key: 'b.key' } })
  await expect(starting).rejects.toThrow('tls.certificate: /nowhere/a.pem: there is no such file')
})
