/** `holdfast status --socket` against the status server of a real agent: what it prints, and how it fails. */
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import type { ReloadOutcome } from '../../../node-agent/reload.ts'
import { type AgentStatus, serveStatus } from '../../../node-agent/status.ts'
import { startHoldfast } from '../../support/cli-process.ts'
import { createFolder, runHoldfast } from '../../support/control-process.ts'

const folder = createFolder()
afterAll(() => folder.remove())

const service: AgentStatus['services'][string] = {
  state: 'active',
  since: new Date(Date.now() - 7_230_000).toISOString(),
  priority: 200,
  basePriority: 200,
  mode: 'vrrp',
  interface: 'eth0',
  vrid: 51,
  addresses: ['10.77.0.50/24'],
  yielding: false,
  yieldsBecause: null,
  owner: { node: 'n1', epoch: 7, contested: false },
  fault: null,
  sent: 7_200,
  received: 0,
  transitions: 1,
  late: 0,
}

const well: AgentStatus = {
  node: 'n1',
  site: 'dc1',
  incarnation: 'i',
  control: { url: 'http://10.0.0.9:8080', connected: true, lease: 'held' },
  vrrp: { pid: 4711, realtime: true, restarts: 0 },
  services: { web: service, api: { ...service, vrid: 52 } },
  checks: { app: { verdict: 'passing', why: null } },
  discards: {},
}

const nothing: ReloadOutcome = { kind: 'reloaded', services: [], checks: [], control: false, peers: false }

/** An agent's status server; `say` changes what it is asked for. Lives until the test is finished. */
async function startAgent(name: string, outcome: ReloadOutcome = nothing) {
  const socket = folder.file(`${name}.sock`)
  let status = well
  const server = await serveStatus(socket, { status: () => status, reload: () => Promise.resolve(outcome) })
  onTestFinished(() => server.close())
  const say = (next: AgentStatus): void => {
    status = next
  }
  return { socket, say }
}

test('what the agent says, to people and to programs; the flag, or the environment', async () => {
  const { socket } = await startAgent('well')
  const text = await runHoldfast(['status', '--socket', socket])
  expect(text).toEqual({
    code: 0,
    stdout: [
      'n1 (site dc1), control http://10.0.0.9:8080',
      'SERVICE  STATE   SINCE  PRIORITY  WHERE         ADDRESSES',
      'web      active  2h     200       eth0 vrid 51  10.77.0.50/24',
      'api      active  2h     200       eth0 vrid 52  10.77.0.50/24',
      '',
    ].join('\n'),
    stderr: '',
  })
  const one = await runHoldfast(['status', 'web', '--json'], { HOLDFAST_SOCKET: socket })
  expect(JSON.parse(one.stdout)).toEqual({ ...well, services: { web: service } })
  // A socket is asked though a control is named, which may be why somebody looks here.
  const both = await runHoldfast(['status', '--socket', socket, '--url', 'http://127.0.0.1:9'])
  expect(both.stdout).toBe(text.stdout)
})

test('a service that the agent does not have', async () => {
  const { socket } = await startAgent('other')
  expect(await runHoldfast(['status', 'wbe', '--socket', socket])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'holdfast: n1 has no service wbe; it has web, api\n',
  })
})

test('nobody listens there', async () => {
  const socket = folder.file('nowhere.sock')
  expect(await runHoldfast(['status', '--socket', socket])).toEqual({
    code: 1,
    stdout: '',
    stderr: `holdfast: no agent is listening on ${socket}: start it, give its --socket, or name a control with --url\n`,
  })
})

test('somebody else listens there', async () => {
  const socket = folder.file('else.sock')
  const server = createServer((_, response) => response.writeHead(404).end('{"message":"page not found"}'))
  const mute = createTcpServer((connection) => connection.end('SSH-2.0\r\n'))
  onTestFinished(() => void [server.close(), mute.close()])
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  await new Promise<void>((resolve) => mute.listen(folder.file('mute.sock'), resolve))
  expect(await runHoldfast(['status', '--socket', socket])).toMatchObject({
    code: 1,
    stderr: `holdfast: ${socket} does not answer like an agent; is --socket right?\n`,
  })
  const { code, stderr } = await runHoldfast(['status', '--socket', folder.file('mute.sock')])
  expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 1, lines: 2 })
  expect(stderr).toMatch(/^holdfast: no answer from the agent on .*mute\.sock: /)
})

test('--watch shows what changes, also that the agent is gone and back', async () => {
  const socket = folder.file('watched.sock')
  let status = well
  const calls = { status: () => status, reload: () => Promise.resolve(nothing) }
  const first = await serveStatus(socket, calls)
  const watching = startHoldfast(['status', '--watch', '--socket', socket])
  await watching.prints('web      active')
  status = { ...well, services: { web: { ...service, state: 'fault', fault: 'its link is down' } } }
  await watching.prints('it is in fault: its link is down')
  await first.close()
  await watching.prints(`no agent is listening on ${socket}`)
  status = { ...well, services: { web: { ...service, state: 'backup' } } }
  const second = await serveStatus(socket, calls)
  onTestFinished(() => second.close())
  await watching.prints('web      backup')
  watching.interrupt()
  expect(await watching.ended).toMatchObject({ code: 0, stderr: '' })
})

test('reload: what changed, a line each; nothing; as JSON', async () => {
  const outcome: ReloadOutcome = {
    ...nothing,
    services: [
      { kind: 'removed', name: 'old' },
      { kind: 'changed', name: 'web', keys: ['addresses', 'priority'] },
      { kind: 'added', name: 'api' },
    ],
    checks: [{ kind: 'changed', name: 'app', keys: ['http'] }],
    ...{ control: true, peers: true },
  }
  const { socket } = await startAgent('reloaded', outcome)
  expect(await runHoldfast(['reload', '--socket', socket])).toEqual({
    code: 0,
    stdout:
      'old: removed\nweb: changed (addresses, priority)\napi: added\ncheck app: changed (http)\ncontrol: changed\npeers: changed\n',
    stderr: '',
  })
  const json = await runHoldfast(['reload', '--json'], { HOLDFAST_SOCKET: socket })
  expect([json.code, JSON.parse(json.stdout)]).toEqual([0, outcome])
  const { socket: same } = await startAgent('same')
  expect(await runHoldfast(['reload', '--socket', same])).toMatchObject({ code: 0, stdout: 'nothing is different\n' })
})

test('reload: mistakes of the file are wrong configuration, what the machine does not do is a failure', async () => {
  const problems = ['n1.yaml:3: services.web.vrid: must be 1..255', 'node can’t change while the agent runs']
  const { socket: bad } = await startAgent('bad', { kind: 'refused', problems })
  expect(await runHoldfast(['reload', '--socket', bad])).toEqual({
    code: 2,
    stdout: '',
    stderr: `${problems.join('\n')}\n`,
  })
  const { socket: failed } = await startAgent('failed', { kind: 'failed', problem: 'nft is not installed' })
  expect(await runHoldfast(['reload', '--socket', failed])).toMatchObject({
    code: 1,
    stderr: 'holdfast: nft is not installed\n',
  })
  expect(await runHoldfast(['reload', '--socket', folder.file('none.sock')])).toMatchObject({ code: 1 })
})
