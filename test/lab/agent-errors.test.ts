/** What an agent says when it cannot start or must stop early: one line, the right exit code, and nothing left behind. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { AgentProcess } from '../../infra/lab/agent.ts'
import type { SpawnOptions } from '../../infra/lab/sandbox.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { labFor, startWeb, statusOf, until, vip, vrrpPid } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { describeWith } from '../support/peers.ts'

const root = process.getuid?.() === 0
const source = (name: string): string => join(import.meta.dirname, '../..', name)
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']
/** The checkout may be in a folder that only root may enter; then nobody can't run anything of it. */
const nobodyMayRead =
  root && spawnSync('setpriv', [...nobody, 'test', '-r', source('control/cli/main.ts')]).status === 0

const singleNode = { nodes: ['n1'], client: false }

const lines = [
  'node: n1',
  'socket: SOCKET',
  'services:',
  '  web:',
  '    interface: eth0',
  '    vrid: 51',
  '    addresses: [10.77.0.50/24]',
  '    interval: 100ms',
]

type Attempt = {
  /** Lines of the configuration by their number; the others are the good ones. */
  readonly change?: Readonly<Record<number, string>>
  readonly file?: string
  readonly prefix?: readonly string[]
  readonly env?: SpawnOptions['env']
}

/** Starts an agent that is expected to end by itself; its exit code, what it said, and where its file was. */
async function attempt(made: Lab, { change = {}, file, prefix = [], env }: Attempt) {
  const folder = await mkdtemp(join(made.folder, 'attempt-'))
  const configFile = file ?? join(folder, 'agent.yaml')
  const socket = join(folder, 'agent.sock')
  if (file === undefined) {
    const content = lines.map((line, i) => change[i + 1] ?? line).join('\n')
    await writeFile(configFile, `${content.replace('SOCKET', socket)}\n`)
  }
  const said: string[] = []
  const command = [...prefix, process.execPath, source('control/cli/main.ts'), 'agent', '--config', configFile]
  const program = await made.spawn(command[0]!, command.slice(1), {
    in: 'n1',
    onLine: (line) => said.push(line),
    ...(env === undefined ? {} : { env }),
  })
  return { code: await program.exited, said, configFile, folder, socket }
}

const scheduling = async (pid: number) => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const lockedKb = Number(/VmLck:\s+(\d+)/.exec(status)?.[1])
  return { priority: Number(fields[37]), policy: Number(fields[38]), lockedKb }
}

const SCHED_OTHER = 0
const SCHED_FIFO = 1

const timedLab = repeatedWhenHeldUp(lab)

describeWith(timedLab, 'an agent with a wrong configuration', () => {
  const wrong: { name: string; attempt: Attempt; says: RegExp }[] = [
    {
      name: 'an interface that does not exist',
      attempt: { change: { 5: '    interface: eth7' } },
      says: /agent\.yaml:5: services\.web\.interface: there is no interface eth7 on this machine.*did you mean eth0\?/,
    },
    {
      name: 'an unknown key',
      attempt: { change: { 8: '    intervall: 100ms' } },
      says: /agent\.yaml:8: services\.web\.intervall: is not a known key.*did you mean interval\?/,
    },
    {
      name: 'a missing environment variable',
      attempt: { change: { 1: `node: "\${NO_SUCH_NAME}"` } },
      says: /agent\.yaml:1: node: .*NO_SUCH_NAME/,
    },
    {
      name: 'a number out of range',
      attempt: { change: { 6: '    vrid: 0' } },
      says: /agent\.yaml:6: services\.web\.vrid: must be 1\.\.255/,
    },
    {
      name: 'a file that is not there',
      attempt: { file: '/nowhere/agent.yaml' },
      says: /\/nowhere\/agent\.yaml: .*no such file/,
    },
    { name: 'a folder for a file', attempt: { file: '/proc' }, says: /\/proc: is a folder/ },
  ]
  test('exits 2 with one line that names file, line and remedy', async () => {
    const made = await labFor(singleNode)
    const results = await Promise.all(wrong.map((each) => attempt(made, each.attempt)))
    for (const [i, { name, says }] of wrong.entries()) {
      const { code, said } = results[i]!
      expect({ name, code, said }).toEqual({ name, code: 2, said: [expect.stringMatching(says)] })
    }
  })

  test.runIf(root)('a file that it may not read', async ({ skip }) => {
    skip(!nobodyMayRead, 'the user nobody may not read this checkout')
    const made = await labFor(singleNode)
    await chmod(made.folder, 0o711)
    const secret = join(made.folder, 'secret.yaml')
    await writeFile(secret, lines.join('\n'), { mode: 0o600 })
    const { code, said } = await attempt(made, { file: secret, prefix: ['setpriv', ...nobody] })
    expect({ code, said }).toEqual({ code: 2, said: [expect.stringMatching(/secret\.yaml: permission denied/)] })
  })
})

describeWith(timedLab, 'an agent that may not work here', () => {
  test('another agent has its socket: exit 1 with one line; the other one is not disturbed', async () => {
    const made = await labFor(singleNode)
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    const { code, said } = await attempt(made, { change: { 2: `socket: ${n1.socket}` } })
    expect({ code, said }).toEqual({
      code: 1,
      said: [expect.stringMatching(/another agent is listening on .*agent\.sock: stop it, or set another socket/)],
    })
    expect((await statusOf(n1)).services.web!.state).toBe('active')
    expect(await made.holdersOf(vip)).toEqual(['n1'])
  })

  test('a socket in a place where none can be: exit 1 with one line', async () => {
    const made = await labFor(singleNode)
    const { code, said } = await attempt(made, { change: { 2: 'socket: /proc/agent.sock' } })
    expect({ code, said }).toEqual({ code: 1, said: [expect.stringContaining('/proc/agent.sock')] })
  })

  test.runIf(root)('no right to raw sockets: exit 1, and one line names the capabilities', async ({ skip }) => {
    skip(!nobodyMayRead, 'the user nobody may not read this checkout')
    const made = await labFor(singleNode)
    await chmod(made.folder, 0o777)
    const { code, said } = await attempt(made, {
      change: { 2: `socket: ${made.folder}/nobody.sock` },
      prefix: ['sh', '-c', `chmod -R a+rX ${made.folder} && exec setpriv ${nobody.join(' ')} "$@"`, 'sh'],
    })
    const refusals = said.filter((line) => line.includes('CAP_NET_RAW'))
    expect({ code, said, refusals: refusals.length }).toMatchObject({ code: 1, refusals: 1 })
    expect(JSON.parse(refusals[0]!)).toMatchObject({ level: 'error', event: 'refused' })
    expect(refusals[0]).toMatch(/Operation not permitted.*CAP_NET_ADMIN/)
  })
})

describeWith(timedLab, 'SIGTERM while the agent starts', () => {
  const stopOf = (n1: AgentProcess) => Promise.race([n1.stop(), sleep(4_000, 'still running', { ref: false })])

  test('before it is there to be told: it ends as any program does, and nothing is left', async () => {
    const made = await labFor(singleNode)
    for (const afterMs of [0, 150, 300]) {
      const n1 = await startWeb(made, 'n1')
      await sleep(afterMs)
      expect({ afterMs, code: await stopOf(n1) }).toEqual({ afterMs, code: expect.toBeOneOf([0, 143]) })
      expect(await made.holdersOf(vip)).toEqual([])
    }
  })

  test('from the moment it says that it started: it leaves politely and at once, whatever its VRRP process is at', async () => {
    const made = await labFor(singleNode)
    for (const afterMs of [0, 150, 300, 450, 700]) {
      const n1 = await startWeb(made, 'n1')
      await n1.untilEvent(({ event }) => event === 'agent-started')
      await sleep(afterMs)
      expect({ afterMs, code: await stopOf(n1) }).toEqual({ afterMs, code: 0 })
      expect(n1.events().at(-1)).toMatchObject({ event: 'agent-stopped', polite: true })
      expect(await made.holdersOf(vip)).toEqual([])
    }
  })
})

describeWith(timedLab, 'real-time scheduling', () => {
  test.runIf(root)('root: SCHED_FIFO and locked code; the supervisor is an ordinary process', async () => {
    const made = await labFor(singleNode)
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    expect((await statusOf(n1)).vrrp.realtime).toBe(true)
    const vrrp = await scheduling(vrrpPid(n1))
    expect(vrrp).toMatchObject({ policy: SCHED_FIFO, priority: 50 })
    expect(vrrp.lockedKb).toBeGreaterThan(10_000)
    expect(await scheduling(n1.program.pid)).toEqual({ policy: SCHED_OTHER, priority: 0, lockedKb: 0 })
    expect(n1.events().filter(({ event }) => event === 'warning')).toEqual([])
  })

  test('realtime: false asks for nothing, and warns of nothing', async () => {
    const made = await labFor(singleNode)
    const n1 = await startWeb(made, 'n1', {}, { realtime: false })
    await n1.untilState('active')
    expect((await statusOf(n1)).vrrp.realtime).toBe(false)
    expect(await scheduling(vrrpPid(n1))).toEqual({ policy: SCHED_OTHER, priority: 0, lockedKb: 0 })
    expect(n1.events().filter(({ event }) => event === 'warning')).toEqual([])
  })

  test.runIf(root)('an ordinary user, in a lab of his own: it warns with the remedy, and goes on', async ({ skip }) => {
    const program = `
      import { sandboxProblem } from '${source('infra/lab/sandbox.ts')}'
      import { createLab } from '${source('infra/lab/topology.ts')}'
      import { startAgent } from '${source('infra/lab/agent.ts')}'
      const problem = sandboxProblem()
      if (problem) { console.log(JSON.stringify({ problem })); process.exit() }
      const lab = await createLab({ nodes: ['n1'] })
      const service = { interface: 'eth0', vrid: 51, addresses: ['${vip}/24'], interval: '100ms' }
      const n1 = await startAgent(lab, 'n1', { services: { web: service } })
      await n1.untilState('active')
      await lab.untilHeldBy('${vip}', ['n1'])
      const status = await n1.status()
      const code = await n1.stop()
      console.log(JSON.stringify({ events: n1.events(), status, code, left: await lab.addresses('n1') }))
      await lab[Symbol.asyncDispose]()`
    skip(!nobodyMayRead, 'the user nobody may not read this checkout')
    const creator = spawn(
      'runuser',
      ['-u', 'nobody', '--', process.execPath, '--input-type=module-typescript', '--eval', program],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const complaints = text(creator.stderr)
    const answer = once(createInterface({ input: creator.stdout }), 'line').then(([line]) => JSON.parse(line as string))
    const ended = once(creator, 'close').then(async () => Promise.reject(new Error(await complaints)))
    ended.catch(() => {}) // it ends after its answer too
    const { problem, events, status, code, left } = await Promise.race([answer, ended])
    skip(problem !== undefined, problem)
    const warnings = (events as { event: string; msg: string }[]).filter(({ event }) => event === 'warning')
    expect(warnings[0]!.msg).toMatch(/no real-time scheduling .*Operation not permitted.*CAP_SYS_NICE.*realtime: false/)
    expect(status.vrrp.realtime).toBe(false)
    expect(status.services.web.state).toBe('active')
    expect({ code, left }).toEqual({ code: 0, left: expect.not.arrayContaining([vip]) })
    await until(() => creator.exitCode !== null, 'the lab of the other user is gone')
  })
})
