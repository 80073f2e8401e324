/** TLS on a real server: its certificate, how that is renewed, and what is said of one that is of no use. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get as getHttps } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { expiryWarning, TlsError, tlsProblems } from '../../../control/node/tls.ts'
import { runHoldfast, startControl } from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { folder, link, start, writeConfig } from './controls.ts'

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
    const { code, stderr } = await runHoldfast(['check-config', writeConfig('checked-tls', { tls })])
    expect([code, stderr]).toEqual([2, expect.stringMatching(new RegExp(says.source.slice(1)))])
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
