/** Health checks that move a service, or only its priority; and services without VRRP. */
import { rm, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { startAgent } from '../../infra/lab/agent.ts'
import { familyOf } from '../../infra/lab/program.ts'
import { createLog } from '../../infra/lab/router-process.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { startWebService } from '../../infra/lab/web-service.ts'
import { expectAtRest, labFor, startWeb, statusOf, transitionsOf, until, vip } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { startLabControl } from '../support/lab-control.ts'
import { describeWith } from '../support/peers.ts'
import { startTap } from '../support/tap.ts'

const timedLab = repeatedWhenHeldUp(lab)

const appCheck = { http: 'http://127.0.0.1:8080/', interval: '250ms', timeout: '250ms', rise: 2, fall: 3 }

/** n1 with priority 200 and these checks is active, n2 with 100 and none its backup. */
async function checkedPair(made: Lab, checks: object, use: readonly unknown[]) {
  const [n1, n2] = await Promise.all([
    startWeb(made, 'n1', { checks: use }, { checks }),
    startWeb(made, 'n2', { priority: 100 }),
  ])
  await n1.untilState('active')
  await n2.untilState('backup')
  await made.untilHeldBy(vip, ['n1'])
  return { n1, n2 }
}

/** A check that passes while a file is there. */
async function fileCheck(made: Lab) {
  const file = join(made.folder, 'ready')
  await writeFile(file, '')
  const check = { exec: ['/usr/bin/test', '-e', file], interval: '100ms', rise: 1, fall: 1 }
  return { check, fail: () => rm(file), pass: () => writeFile(file, '') }
}

describeWith(timedLab, 'a check without weight', () => {
  test('http: when the service behind it dies the address moves, and it comes back when that is back; no probe is lost', async () => {
    const made = await labFor()
    const app = await startWebService(made, 'n1', 8080)
    const { n1, n2 } = await checkedPair(made, { app: appCheck }, ['app'])
    await until(async () => (await statusOf(n1)).checks.app!.verdict === 'passing', 'the check passes')
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    await app.kill()
    await n1.untilState('fault')
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n2'])
    expect(transitionsOf(n1).at(-1)).toMatch(/fault \(/)
    expect(transitionsOf(n1)).toContainEqual(
      expect.stringMatching(/^active to fault \(check app failed: .*ECONNREFUSED/),
    )
    expect((await statusOf(n1)).services.web).toMatchObject({
      state: 'fault',
      fault: expect.stringMatching(/^check app failed: /),
    })
    await startWebService(made, 'n1', 8080)
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await prober.report()).lost).toBe(0)
  })

  test('interface: a cable that carries nothing of VRRP, but without which the node is of no use', async () => {
    const made = await labFor({ nodes: ['n1', 'n2'], management: true })
    const { n1, n2 } = await checkedPair(made, { uplink: { interface: 'eth1' } }, ['uplink'])
    await made.run('ip', ['link', 'set', 'dev', 'n1-mgt', 'down'])
    await n1.untilState('fault')
    await n2.untilState('active')
    expect((await statusOf(n1)).services.web!.fault).toBe('check uplink failed: interface eth1 has no carrier')
    await made.run('ip', ['link', 'set', 'dev', 'n1-mgt', 'up'])
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })

  test('one that fails from the start: the node serves until that is a verdict, and no longer', async () => {
    const made = await labFor()
    const n1 = await startWeb(made, 'n1', { checks: ['app'] }, { checks: { app: { ...appCheck, fall: 10 } } })
    await n1.untilState('active')
    await n1.untilState('fault')
    await made.untilHeldBy(vip, [])
  })
})

describeWith(timedLab, 'a check with a weight', () => {
  test('changes the priority in place: it is advertised, and the state stays', async () => {
    const made = await labFor()
    const ready = await fileCheck(made)
    const { n1, n2 } = await checkedPair(made, { ready: ready.check }, [{ check: 'ready', weight: -20 }])
    const before = transitionsOf(n1)
    const tap = await startTap(made)
    const advertised = (priority: number) =>
      tap.until(
        (frame) => frame.kind === 'vrrp' && frame.source === '10.77.0.1' && frame.header.priority === priority,
        {
          from: tap.frames.length,
        },
      )
    await advertised(200)
    await ready.fail()
    await advertised(180)
    await until(async () => (await statusOf(n1)).services.web!.priority === 180, 'status shows the lower priority')
    expect((await statusOf(n1)).services.web).toMatchObject({ state: 'active', basePriority: 200, fault: null })
    await ready.pass()
    await advertised(200)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(transitionsOf(n1)).toEqual(before)
  })

  test('that outweighs the difference moves the service there and back without a lost probe', async () => {
    const made = await labFor()
    const ready = await fileCheck(made)
    const { n1, n2 } = await checkedPair(made, { ready: ready.check }, [{ check: 'ready', weight: -150 }])
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    await ready.fail()
    await n2.untilState('active')
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    await ready.pass()
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect((await prober.report()).lost).toBe(0)
  })
})

describeWith(timedLab, 'a solo service', () => {
  test('is active whenever healthy, and control hears so', async () => {
    const made = await labFor({ nodes: ['n1'], client: false })
    const control = await startLabControl(made)
    const services = { api: { mode: 'solo', checks: ['app'] } }
    const n1 = await startAgent(made, 'n1', { control: control.config, checks: { app: appCheck }, services })
    await control.untilReported('n1', 'api', { state: 'fault', healthy: false, solo: true, priority: 100 })
    const app = await startWebService(made, 'n1', 8080)
    await control.untilReported('n1', 'api', { state: 'active', healthy: true, solo: true })
    control.tell('n1', { kind: 'yield', id: 'y-1', service: 'api', on: true })
    await control.untilReported('n1', 'api', { state: 'backup', yielding: true })
    control.tell('n1', { kind: 'yield', id: 'y-2', service: 'api', on: false })
    await control.untilReported('n1', 'api', { state: 'active' })
    await app.kill()
    await control.untilReported('n1', 'api', { state: 'fault', healthy: false })
    expect(familyOf(n1.program.pid)).toEqual([n1.program.pid])
    expect(await n1.stop()).toBe(0)
    await control.untilReported('n1', 'api', { state: 'initialize' })
  })

  test('needs no right to anything: an agent with nothing else runs without a capability', async () => {
    const made = await labFor({ nodes: ['n1'], client: false })
    const socket = join(made.folder, 'solo.sock')
    const file = join(made.folder, 'solo.json')
    await writeFile(file, JSON.stringify({ node: 'n1', socket, services: { api: { mode: 'solo' } } }))
    const log = createLog('the solo agent')
    const holdfast = join(import.meta.dirname, '../../control/cli/main.ts')
    const command = ['--inh-caps=-all', '--bounding-set=-all', process.execPath, holdfast, 'agent', '--config', file]
    const program = await made.spawn('setpriv', command, { in: 'n1', onLine: log.add })
    void program.exited.then((code) => log.end(`ended with ${code}`))
    await log.until(({ text }) => text.includes('"event":"agent-started"'), 30_000)
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ socketPath: socket, path: '/v1/status' }, resolve).on('error', reject)
    })
    expect(await json(response)).toMatchObject({
      services: { api: { state: 'active', mode: 'solo' } },
      vrrp: { pid: null },
    })
    program.signal('SIGTERM')
    expect(await program.exited).toBe(0)
  })
})
