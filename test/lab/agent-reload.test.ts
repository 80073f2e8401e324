/** Reloading a real agent: a bad file changes nothing, a good one only what is different in it. */
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { type AgentProcess, startAgent } from '../../infra/lab/agent.ts'
import { startWebService } from '../../infra/lab/web-service.ts'
import {
  agentPair,
  expectAtRest,
  labFor,
  startWeb,
  statusOf,
  transitionsOf,
  until,
  vip,
  vrrpPid,
  webService,
} from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { startLabControl } from '../support/lab-control.ts'
import { describeWith } from '../support/peers.ts'
import { reload, rewrite } from '../support/reload.ts'
import { type Frame, startTap } from '../support/tap.ts'

const timedLab = repeatedWhenHeldUp(lab)

const solo = { mode: 'solo', checks: ['app'] }

/** A check that passes, or fails, with a program that does nothing else. */
const check = (program: 'true' | 'false', changes: object = {}) => ({
  ...{ exec: [`/bin/${program}`], interval: '100ms', rise: 1, fall: 1 },
  ...changes,
})

const soloState = async (agent: AgentProcess, service = 'api') => (await statusOf(agent)).services[service]?.state

describeWith(lab, 'a file that is not good', () => {
  test('changes nothing, is told with file and line to who asked, and stands in the log', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startWeb(made, 'n1')
    await n1.untilState('active')
    const pid = vrrpPid(n1)
    const { code, outcome, stderr } = await reload(n1, { services: { web: webService({ vrid: 999 }) } })
    expect(code).toBe(2)
    expect(outcome).toMatchObject({
      kind: 'refused',
      problems: [expect.stringMatching(/agent\.json:\d+: services\.web\.vrid/)],
    })
    expect(stderr).toMatch(/^\/.*agent\.json:\d+: services\.web\.vrid: must be 1\.\.255/)
    await writeFile(n1.configFile, '{"services": ')
    n1.program.signal('SIGHUP')
    const { msg } = await n1.untilEvent(({ event, msg }) => event === 'reload-refused' && /YAML/.test(String(msg)))
    expect(msg).toMatch(/agent\.json:1: is not valid YAML/)
    expect([n1.state('web'), vrrpPid(n1)]).toEqual(['active', pid])
    expect(transitionsOf(n1).filter((line) => line.startsWith('active'))).toEqual([])
  })

  test('nor does one for another start, or for other interfaces', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startWeb(made, 'n1')
    const refused = await reload(n1, { node: 'n9', socket: '/tmp/other.sock', services: {} })
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^node can’t change.*\nsocket can’t change/),
    })
    const elsewhere = await reload(n1, {
      node: 'n1',
      socket: n1.socket,
      services: { web: webService({ interface: 'eth7' }) },
    })
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/there is no interface eth7/) })
    expect((await statusOf(n1)).node).toBe('n1')
  })
})

describeWith(lab, 'checks and solo services', () => {
  test('come, change and go; those that are the same keep their verdicts, without another probe', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const web = await startWebService(made, 'n1', 8080)
    const app = { http: 'http://127.0.0.1:8080/', interval: '1h', timeout: '5s', rise: 1, fall: 1 }
    const n1 = await startAgent(made, 'n1', { services: { api: solo }, checks: { app } })
    await n1.untilEvent(({ event, to }) => event === 'state' && to === 'active')
    // Another probe would fail now.
    await web.kill()
    const added = await reload(n1, {
      services: { api: solo, job: { mode: 'solo', checks: ['bad'] } },
      checks: { app, bad: check('false') },
    })
    expect(added).toMatchObject({ code: 0, outcome: { services: [{ kind: 'added', name: 'job' }] } })
    await until(async () => (await statusOf(n1)).checks.bad?.verdict === 'failing', 'the new check has a verdict')
    expect(await soloState(n1, 'job')).toBe('fault')
    expect(await soloState(n1)).toBe('active')

    const changed = await reload(n1, { checks: { app, bad: check('true') } })
    expect(changed.outcome).toMatchObject({ checks: [{ kind: 'changed', name: 'bad', keys: ['exec'] }] })
    await until(async () => (await soloState(n1, 'job')) === 'active', 'job is active')

    const gone = await reload(n1, { services: { job: undefined }, checks: { app } })
    expect(gone.outcome).toMatchObject({
      services: [{ kind: 'removed', name: 'job' }],
      checks: [{ kind: 'removed', name: 'bad' }],
    })
    expect(await statusOf(n1)).toMatchObject({
      services: { api: { state: 'active' } },
      checks: { app: { verdict: 'passing' } },
    })
    expect((await statusOf(n1)).services).not.toHaveProperty('job')
    expect(await reload(n1)).toMatchObject({ code: 0, outcome: { kind: 'reloaded', services: [], checks: [] } })
  })

  test('SIGHUP does the same, and says it in the log', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startAgent(made, 'n1', { services: { api: { mode: 'solo' } } })
    await n1.untilEvent(({ event }) => event === 'agent-started')
    await rewrite(n1, { services: { job: { mode: 'solo' } } })
    n1.program.signal('SIGHUP')
    expect(await n1.untilEvent(({ event }) => event === 'reloaded')).toMatchObject({ msg: 'reloaded: job: added' })
    expect(await soloState(n1, 'job')).toBe('active')
  })

  test('checks of a router that change nothing of it leave its process alone', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startWeb(made, 'n1', { checks: ['app'] }, { checks: { app: check('true') } })
    await n1.untilState('active')
    const pid = vrrpPid(n1)
    const { code } = await reload(n1, { checks: { app: check('false', { fall: 2 }) } })
    expect(code).toBe(0)
    await n1.untilState('fault')
    expect(vrrpPid(n1)).toBe(pid)
  })
})

describeWith(lab, 'control', () => {
  test('another URL is connected to, and the same one is not connected to again', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const { config } = await startLabControl(made)
    const link = { ...config, token: 'a-token-of-n1' }
    const n1 = await startAgent(made, 'n1', {
      services: { web: { mode: 'solo' } },
      control: { ...link, url: 'http://127.0.0.1:9' },
    })
    await n1.untilEvent(({ event }) => event === 'control-lost')
    const changed = await reload(n1, { control: link })
    expect(changed).toMatchObject({ code: 0, outcome: { control: true } })
    await n1.untilEvent(({ event }) => event === 'control-connected')
    expect(changed.stderr + JSON.stringify(n1.events())).not.toContain(link.token)
    await reload(n1, { services: { more: { mode: 'solo' } } })
    expect((await statusOf(n1)).control).toMatchObject({ connected: true })
    expect(n1.events().filter(({ event }) => event === 'control-connected')).toHaveLength(1)
    const without = await reload(n1, { control: undefined })
    expect(without.outcome).toMatchObject({ control: true })
    expect((await statusOf(n1)).control).toBeNull()
  })
})

describeWith(lab, 'the VRRP process', () => {
  test('begins with the first router, and ends politely with the last', async () => {
    const made = await labFor({ nodes: ['n1'] })
    const n1 = await startAgent(made, 'n1', { services: { web: { mode: 'solo' } } })
    const begun = await reload(n1, { services: { web: webService() } })
    expect(begun).toMatchObject({ code: 0, outcome: { services: [{ kind: 'changed', name: 'web' }] } })
    await n1.untilState('active')
    await made.untilHeldBy(vip, ['n1'])
    expect((await reload(n1, { services: { web: { mode: 'solo' } } })).code).toBe(0)
    await made.untilHeldBy(vip, [])
    expect(() => vrrpPid(n1)).toThrow('no VRRP process')
    await until(async () => (await soloState(n1, 'web')) === 'active', 'it is solo again')
    expect((await statusOf(n1)).vrrp.restarts).toBe(0)
    expect((await reload(n1, { services: { web: webService() } })).code).toBe(0)
    await made.untilHeldBy(vip, ['n1'])
    expect(await n1.stop()).toBe(0)
    await made.untilHeldBy(vip, [])
  })
})

const isVrrp = (frame: Frame) => frame.kind === 'vrrp'
const priorities = (frames: readonly Frame[]): number[] =>
  frames.flatMap((frame) => (frame.kind === 'vrrp' ? [frame.header.priority] : []))

const other = '10.77.0.51'

describeWith(timedLab, 'what the LAN sees', () => {
  test('an address that is added to an active service: no priority 0, no probe lost, and the new one is announced', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    await tap.until(isVrrp)
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    const addresses = [`${vip}/24`, `${other}/24`]
    const pid = vrrpPid(n1)
    // The backup first, so that both know both when the active one says so.
    expect((await reload(n2, { services: { web: webService({ priority: 100, addresses }) } })).code).toBe(0)
    expect((await reload(n1, { services: { web: webService({ addresses }) } })).code).toBe(0)
    await made.untilHeldBy(other, ['n1'])
    await tap.until((frame) => frame.kind === 'arp' && frame.gratuitous && frame.address === other)
    expect((await reload(n1, { services: { web: webService() } })).code).toBe(0)
    await made.untilHeldBy(other, [])
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect([since(n1), since(n2), vrrpPid(n1)]).toEqual([[], [], pid])
    expect(new Set(priorities(tap.frames))).toEqual(new Set([200]))
    expect((await prober.report()).lost).toBe(0)
  })

  test('priority and preempt change in place: the next advertisement has it, and the other takes over by rule', async () => {
    const { made, n1, n2, since } = await agentPair()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    const tap = await startTap(made)
    expect((await reload(n1, { services: { web: webService({ priority: 150 }) } })).code).toBe(0)
    await tap.until((frame) => frame.kind === 'vrrp' && frame.header.priority === 150)
    expect((await reload(n2, { services: { web: webService({ priority: 210, preempt: false }) } })).code).toBe(0)
    // Thrice the time in which it would have preempted.
    const from = tap.frames.length
    while (priorities(tap.frames.slice(from)).length < 10) await tap.until(isVrrp, { from: tap.frames.length })
    expect([since(n1), since(n2)]).toEqual([[], []])
    expect((await reload(n2, { services: { web: webService({ priority: 210 }) } })).code).toBe(0)
    await n2.untilState('active')
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    expect(priorities(tap.frames)).not.toContain(0)
    expect((await prober.report()).lost).toBe(0)
  })

  test('an interval changes in place, on the backup and then on the active node', async () => {
    const { made, n1, n2, since } = await agentPair()
    const tap = await startTap(made)
    expect((await reload(n2, { services: { web: webService({ priority: 100, interval: '200ms' }) } })).code).toBe(0)
    expect((await reload(n1, { services: { web: webService({ interval: '200ms' }) } })).code).toBe(0)
    await tap.until(
      (frame) => frame.kind === 'vrrp' && frame.header.version === 3 && frame.header.maxAdvertiseInterval === 20,
    )
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect([since(n1), since(n2)]).toEqual([[], []])
    expect(priorities(tap.frames)).not.toContain(0)
  })

  test('a removed service resigns to its backup; one beside it is not disturbed, and comes to where it was', async () => {
    const made = await labFor()
    const api = (priority: number) => webService({ vrid: 52, addresses: [`${other}/24`], priority })
    const start = (node: string, priority: number) =>
      startAgent(made, node, { services: { web: webService({ priority }), api: api(priority) } })
    const [n1, n2] = await Promise.all([start('n1', 200), start('n2', 100)])
    await made.untilHeldBy(vip, ['n1'])
    await made.untilHeldBy(other, ['n1'])
    const [beside, removed] = await Promise.all([made.probe({ target: vip }), made.probe({ target: other })])
    await Promise.all([beside.answered(), removed.answered()])
    for (const prober of [beside, removed]) prober.mark()
    const tap = await startTap(made)
    expect(await reload(n1, { services: { api: undefined } })).toMatchObject({
      code: 0,
      outcome: { services: [{ kind: 'removed', name: 'api' }] },
    })
    await made.untilHeldBy(other, ['n2'])
    await tap.until((frame) => frame.kind === 'vrrp' && frame.header.vrid === 52 && frame.header.priority === 0)
    expect((await removed.report()).lost).toBe(0)
    expect((await statusOf(n1)).services).not.toHaveProperty('api')
    expect((await reload(n1, { services: { api: api(200) } })).code).toBe(0)
    await made.untilHeldBy(other, ['n1'])
    expect((await removed.report()).lost).toBe(0)
    expect((await beside.report()).lost).toBe(0)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(
      tap.frames.filter((frame) => frame.kind === 'vrrp' && frame.header.vrid === 51 && frame.header.priority === 0),
    ).toEqual([])
  })

  test('a process that is killed while nobody waits for it knows the new routers when it starts again', async () => {
    const { made, n1, n2 } = await agentPair()
    const addresses = [`${vip}/24`, `${other}/24`]
    expect((await reload(n1, { services: { web: webService({ addresses }) } })).code).toBe(0)
    n1.killVrrp()
    const died = await n1.untilEvent(({ event }) => event === 'vrrp-died')
    // It hands over what its former self held, and takes it back, by the new configuration.
    await n1.untilEvent(({ event, to, at }) => event === 'state' && to === 'active' && at > died.at)
    await made.untilHeldBy(other, ['n1'])
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })
})
