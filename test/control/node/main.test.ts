/** Control as a process part: a real server, real WebSockets, a real database file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { ConfigError } from '../../../control/config/config-file.ts'
import { type Command, commandsSchema, type Report, type RouterState } from '../../../control/contract.ts'
import type { LogEntry } from '../../../control/core/ports.ts'
import { ListenError, type RunningControl, runControl } from '../../../control/node/main.ts'
import { DatabaseError } from '../../../control/node/node-sqlite.ts'
import { serviceReport } from '../world.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-control-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const running: RunningControl[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.close()
})

const configuration = (name: string, listen = '127.0.0.1:0') => `
listen: ${listen}
database: ${join(folder, `${name}.db`)}
tokens:
  - {name: ops, role: operator, token: operator-token}
  - {name: n1, role: node, node: n1, token: "\${N1_TOKEN}"}
  - {name: n2, role: node, node: n2, token: node-token-2}
services:
  web:
    bindings:
      - {name: dry, adapter: memory, config: {}, targets: {n1: {}, n2: {}}}
`

async function start(name: string, text = configuration(name)) {
  const configFile = join(folder, `${name}.yaml`)
  writeFileSync(configFile, text)
  const logged: LogEntry[] = []
  const environment = { N1_TOKEN: 'node-token-1' }
  const log = (_: unknown, entry: LogEntry): void => void logged.push(entry)
  const control = await runControl({ configFile, environment, log, signals: false })
  running.push(control)
  return { ...control, logged, get: (path: string) => get(control.url, path) }
}

async function get(url: string, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: 'Bearer operator-token' } })
  return (await response.json()) as Record<string, unknown>
}

/** An agent's link, as the agent will hold it. */
async function agent(url: string, node: string) {
  const authorization = `Bearer node-token-${node.slice(1)}`
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/agent`, { headers: { authorization } })
  const received: Command[] = []
  const waiting = new Set<() => void>()
  socket.on('message', (data) => {
    received.push(...commandsSchema.parse(JSON.parse(String(data))).commands)
    for (const wake of waiting) wake()
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
  let sequence = 0
  const say = (state: RouterState, more: Partial<Report> & { priority?: number } = {}): void => {
    const { priority, ...rest } = more
    const services = { web: serviceReport(node, state, priority) }
    sequence += 1
    socket.send(JSON.stringify({ node, site: 'dc1', incarnation: `${node}-${url}`, sequence, services, ...rest }))
  }
  const command = async (kind: Command['kind']): Promise<Command> => {
    for (;;) {
      const found = received.find((item) => item.kind === kind)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => waiting.add(resolve))
    }
  }
  return { say, command, socket, closed }
}

/** Polls what people see until it is as expected. */
async function until(
  control: { get(path: string): Promise<Record<string, unknown>> },
  expected: object,
): Promise<void> {
  await expect.poll(() => control.get('/v1/services/web'), { timeout: 5_000, interval: 10 }).toMatchObject(expected)
}

test('two agents, a failover and a switchover, over real sockets', async () => {
  const control = await start('pair')
  const [n1, n2] = [await agent(control.url, 'n1'), await agent(control.url, 'n2')]
  n1.say('active')
  n2.say('backup')
  await until(control, { phase: 'settled', owner: { node: 'n1', epoch: 1 } })

  const posted = fetch(`${control.url}/v1/services/web/switchover`, {
    method: 'POST',
    headers: { authorization: 'Bearer operator-token', 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'n2' }),
  })
  const told = await n2.command('take-over')
  expect(told).toMatchObject({ priority: 201 })
  const { operation } = (await (await posted).json()) as { operation: { id: string } }
  n2.say('active', { priority: 201, results: [{ id: told.id, ok: true }] })
  n1.say('backup')
  expect(await control.get(`/v1/operations/${operation.id}?wait=5s`)).toMatchObject({ status: 'done' })

  n1.say('active')
  const ask = await n2.command('ask')
  n2.say('backup', { answers: [ask.id] })
  await until(control, { phase: 'settled', owner: { node: 'n1', epoch: 3 } })
  n1.socket.terminate()
  n2.say('backup')
  await until(control, {
    owner: { node: 'n1' },
    members: [
      { node: 'n1', connected: false },
      { node: 'n2', connected: true },
    ],
  })
})

test('a newer link of a node takes the older one’s place, without the node being taken for gone', async () => {
  const control = await start('twice')
  const first = await agent(control.url, 'n1')
  first.say('active')
  await until(control, { owner: { node: 'n1' } })
  const second = await agent(control.url, 'n1')
  expect(await first.closed).toBe(4000)
  await until(control, { members: [{ node: 'n1', connected: true }] })
  second.socket.close()
  await until(control, { members: [{ node: 'n1', connected: false }] })
})

test.each([
  { name: 'no token', headers: {}, status: 401 },
  { name: 'a wrong token', headers: { authorization: 'Bearer nonsense' }, status: 401 },
  { name: 'an operator’s token', headers: { authorization: 'Bearer operator-token' }, status: 403 },
])('a link with $name is refused before it opens', async ({ headers, status }) => {
  const control = await start(`refused-${status}-${Object.keys(headers).length}`)
  const socket = new WebSocket(`${control.url.replace('http', 'ws')}/v1/agent`, { headers })
  const refused = await new Promise<Error>((resolve) => socket.once('error', resolve))
  expect(refused.message).toBe(`Unexpected server response: ${status}`)
})

test.each([
  { name: 'not JSON', text: 'hello' },
  { name: 'not a report', text: '{}' },
  {
    name: 'a report of another node',
    text: JSON.stringify({ node: 'n2', site: 'x', incarnation: '12345678', sequence: 1, services: {} }),
  },
])('a message that is $name ends the link', async ({ text, name }) => {
  const control = await start(name.replaceAll(' ', '-'))
  const { socket, closed } = await agent(control.url, 'n1')
  socket.send(text)
  expect(await closed).toBe(1008)
  expect(control.logged).toContainEqual(expect.objectContaining({ event: 'bad-report', node: 'n1' }))
})

test('what was decided is there after a restart, and tokens that were removed are gone', async () => {
  const before = await start('restart')
  const n1 = await agent(before.url, 'n1')
  n1.say('active')
  await until(before, { phase: 'settled', owner: { node: 'n1', epoch: 1 } })
  await before.close()
  expect(await n1.closed).toBe(1001)
  const after = await start('restart', configuration('restart').replace(/.*name: n1, role.*\n/, ''))
  await until(after, { owner: { node: 'n1', epoch: 1 }, members: [{ node: 'n1', state: 'active', connected: false }] })
  await expect(agent(after.url, 'n1')).rejects.toThrow('401')
})

test('a port in use, a bad database and a bad file each say what to do', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : 0
  const busy = start('busy', configuration('busy', `127.0.0.1:${port}`))
  await expect(busy).rejects.toThrow(ListenError)
  await expect(busy).rejects.toThrow(`listen 127.0.0.1:${port}: the port is in use`)
  taken.close()
  await expect(start('lost', configuration('missing/lost'))).rejects.toThrow(DatabaseError)
  await expect(start('typo', 'listn: x')).rejects.toThrow(ConfigError)
})

test('closing twice is closing once, and the server is gone', async () => {
  const control = await start('close')
  await Promise.all([control.close(), control.close()])
  await control.closed
  await expect(fetch(`${control.url}/healthz`)).rejects.toThrow()
})
