/** Commands against what is no control, or one that hangs: one line that says so, nothing claimed, and no stack trace. */
import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runLine, startHoldfast } from '../../support/cli-process.ts'
import { createFolder, runHoldfast } from '../../support/control-process.ts'

const folder = createFolder()
const services = folder.file('services.yaml')
const backup = folder.file('backup.db')
beforeAll(() => writeFileSync(services, 'services: {web: {}}'))
afterAll(() => folder.remove())

const commands = [
  'status',
  'status web',
  'status --watch',
  'nodes',
  'events',
  'events --follow',
  'events --follow --since 1',
  'operations',
  'operation op-1 --wait',
  'switchover web --wait',
  'hold web',
  'release web',
  'acknowledge web',
  'drain n1 --wait',
  'undrain n1',
  'token list',
  'token create x --role viewer',
  'token revoke x',
  `apply --yes -f ${services}`,
  `control backup ${backup}`,
]

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const answering =
  (status: number, type: string, text: string): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': type, connection: 'close' }).end(text)

describe.each([
  {
    name: 'a web page',
    listener: answering(200, 'text/html', '<html></html>'),
    said: /does not answer like a control/,
  },
  {
    name: 'JSON of somebody else',
    listener: answering(200, 'application/json', '{}'),
    said: /does not answer like a c/,
  },
  {
    name: 'JSON that is null',
    listener: answering(200, 'application/json', 'null'),
    said: /does not answer like a con/,
  },
  {
    name: 'a proxy',
    listener: answering(502, 'text/html', 'Bad gateway'),
    said: /answered 502: is there a proxy before/,
  },
])('$name', ({ listener, said }) => {
  test('every command', async () => {
    const url = await listen(createServer(listener))
    for (const typed of commands) {
      const { code, stdout, stderr } = await runHoldfast(typed.split(' '), { HOLDFAST_URL: url })
      expect({ typed, code, stdout }).toEqual({ typed, code: 1, stdout: '' })
      expect(stderr, typed).toMatch(/^holdfast: [^\n]*\n$/)
      expect(stderr, typed).toMatch(said)
    }
    expect(existsSync(backup)).toBe(false)
  }, 60_000)
})

test('no TLS where https:// is asked for is one line, without what OpenSSL says about itself', async () => {
  const url = await listen(createServer(answering(200, 'text/html', '')))
  const { code, stderr } = await runHoldfast(['nodes', '--url', url.replace('http:', 'https:')])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^holdfast: no answer from control at https:[^\n]*: it does not speak TLS, [^\n]*\n$/)
})

describe('a control that accepts the connection and says nothing', () => {
  async function hang() {
    const connected = Promise.withResolvers<void>()
    const server = createTcpServer((socket) => void socket.on('error', () => undefined).once('data', connected.resolve))
    return { env: { HOLDFAST_URL: await listen(server) }, connected: connected.promise }
  }

  test.each(['events --follow', 'status --watch'])('%s: Ctrl-C ends it at once, and is no failure', async (typed) => {
    const { env, connected } = await hang()
    const running = startHoldfast(typed.split(' '), { env })
    await connected
    const begun = performance.now()
    running.interrupt()
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
    // Its patience for an answer would be 10 s.
    expect(performance.now() - begun).toBeLessThan(8_000)
  })

  test('what was asked to be done may have been done, which is said', async () => {
    const server = createServer((request) => request.socket.destroy())
    const { code, stdout, stderr } = await runHoldfast(['hold', 'web'], { HOLDFAST_URL: await listen(server) })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^holdfast: no answer from control at .*; it may have done it all the same: look before /)
  })
})

test('set and empty is not given', async () => {
  const empty = { HOLDFAST_URL: '', HOLDFAST_TOKEN: '', HOLDFAST_SOCKET: '' }
  expect(await runHoldfast(['nodes'], empty)).toMatchObject({
    code: 2,
    stderr: 'holdfast: which control? Give --url, or set HOLDFAST_URL\n',
  })
})

test.skipIf(!existsSync('/dev/full'))('an output that cannot be written is a failure in one line', () => {
  const { code, stdout, stderr } = runLine('--version > /dev/full')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^holdfast: its output cannot be written: ENOSPC[^\n]*\n$/)
})

test('a reader that leaves early is no failure, and a failure stays one', () => {
  expect(runLine('--help | true; echo $PIPESTATUS')).toMatchObject({ stdout: '0\n', stderr: '' })
  expect(runLine('--bogus 2>&1 | true; echo $PIPESTATUS')).toMatchObject({ stdout: '2\n', stderr: '' })
})
