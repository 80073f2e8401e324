/** Every probe against something real on loopback, and the runner that turns results into verdicts. */
import { createServer as createHttpServer, type Server } from 'node:http'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Check, Probe } from '../../../node-agent/checks/check.ts'
import { probeExec } from '../../../node-agent/checks/exec.ts'
import type { Health } from '../../../node-agent/checks/health.ts'
import { probeHttp } from '../../../node-agent/checks/http.ts'
import { probeInterface } from '../../../node-agent/checks/interface.ts'
import { runChecks } from '../../../node-agent/checks/runner.ts'
import { probeTcp } from '../../../node-agent/checks/tcp.ts'
import { eventually } from '../../support/eventually.ts'

const patient = (): AbortSignal => AbortSignal.timeout(10_000)

async function listening(server: Server | NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe('http', () => {
  const range = { from: 200, to: 399 }
  test.each([
    { answer: 200, says: null },
    { answer: 302, says: null },
    { answer: 399, says: null },
    { answer: 404, says: 'HTTP 404' },
    { answer: 503, says: 'HTTP 503' },
  ])('$answer', async ({ answer, says }) => {
    const server = createHttpServer((_, response) => response.writeHead(answer, { location: '/elsewhere' }).end())
    const url = `http://127.0.0.1:${await listening(server)}/healthz`
    expect(await probeHttp({ kind: 'http', url, status: range }, patient())).toBe(says)
  })

  test('a status that is asked for', async () => {
    const port = await listening(createHttpServer((_, response) => response.writeHead(503).end()))
    const url = `http://127.0.0.1:${port}/`
    expect(await probeHttp({ kind: 'http', url, status: { from: 503, to: 503 } }, patient())).toBeNull()
  })

  test('nobody listens', async () => {
    const server = createServer()
    const port = await listening(server)
    await new Promise((resolve) => server.close(resolve))
    const url = `http://127.0.0.1:${port}/`
    expect(await probeHttp({ kind: 'http', url, status: range }, patient())).toMatch(/ECONNREFUSED/)
  })

  test('each probe makes a connection of its own', async () => {
    const server = createHttpServer((_, response) => response.end())
    let connections = 0
    server.on('connection', () => {
      connections += 1
    })
    const url = `http://127.0.0.1:${await listening(server)}/`
    for (let i = 0; i < 3; i += 1) await probeHttp({ kind: 'http', url, status: range }, patient())
    expect(connections).toBe(3)
  })
})

describe('tcp', () => {
  test('accepted, refused', async () => {
    const server = createServer((socket) => socket.on('error', () => {}))
    const probe = { kind: 'tcp', host: '127.0.0.1', port: await listening(server) } as const
    expect(await probeTcp(probe, patient())).toBeNull()
    await new Promise((resolve) => server.close(resolve))
    expect(await probeTcp(probe, patient())).toMatch(/ECONNREFUSED/)
  })
})

test('interface: one with a carrier, and one that is not there', async () => {
  expect(await probeInterface({ kind: 'interface', name: 'lo' })).toBeNull()
  expect(await probeInterface({ kind: 'interface', name: 'no-such-eth' })).toBe('there is no interface no-such-eth')
})

describe('exec', () => {
  const run = (...command: string[]) => probeExec({ kind: 'exec', command }, patient())
  test('by exit code', async () => {
    expect(await run('/bin/sh', '-c', 'exit 0')).toBeNull()
    expect(await run('/bin/sh', '-c', 'exit 3')).toBe('exit code 3')
    expect(await run('/bin/sh', '-c', 'kill -TERM $$')).toBe('ended by SIGTERM')
    expect(await run('/no/such/program')).toMatch(/ENOENT/)
  })

  test('it sees nothing of the agent\u2019s environment', async () => {
    process.env.HOLDFAST_TOKEN = 'a-secret'
    onTestFinished(() => {
      delete process.env.HOLDFAST_TOKEN
    })
    expect(await run('/bin/sh', '-c', '[ -z "$HOLDFAST_TOKEN" ]')).toBeNull()
  })
})

describe('the runner', () => {
  const run = (probe: Probe, changes: Partial<Check> = {}) => {
    const verdicts: Health[] = []
    const check: Check = { probe, intervalMs: 50, timeoutMs: 50, rise: 2, fall: 2, ...changes }
    const runner = runChecks({ app: check }, (_, health) => verdicts.push(health))
    onTestFinished(() => runner.stop())
    return { verdicts, runner }
  }

  test('tells each change of a verdict once', async () => {
    let answer = 200
    const port = await listening(createHttpServer((_, response) => response.writeHead(answer).end()))
    const probe = { kind: 'http', url: `http://127.0.0.1:${port}/`, status: { from: 200, to: 399 } } as const
    const { verdicts, runner } = run(probe, { timeoutMs: 5_000 })
    expect(runner.healthOf('app').verdict).toBe('unknown')
    const toldOf = (expected: string[]) =>
      eventually(
        () => verdicts.map(({ verdict }) => verdict),
        (seen) => expect(seen).toEqual(expected),
      )
    await toldOf(['passing'])
    answer = 500
    await toldOf(['passing', 'failing'])
    expect(runner.healthOf('app')).toMatchObject({ verdict: 'failing', why: 'HTTP 500' })
    answer = 200
    await toldOf(['passing', 'failing', 'passing'])
  })

  test('a probe that does not end in time has failed, and what it started is killed', async () => {
    const { verdicts } = run({ kind: 'exec', command: ['/bin/sh', '-c', 'sleep 1000'] })
    await eventually(
      () => verdicts,
      (seen) => expect(seen).toMatchObject([{ verdict: 'failing', why: 'no answer within 50 ms' }]),
    )
  })

  test('what is stopped tells nothing any more', async () => {
    const { verdicts, runner } = run({ kind: 'interface', name: 'lo' })
    runner.stop()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(verdicts).toEqual([])
  })
})
