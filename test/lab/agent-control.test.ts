/** What control does to real agents by what it says, and by saying nothing any more. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { holderLeaseMs } from '../../control/contract.ts'
import type { AgentProcess } from '../../infra/lab/agent.ts'
import { nowMs } from '../../infra/lab/clock.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { expectAtRest, labFor, startWeb, statusOf, transitionsOf, until, vip } from '../support/agents.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { type LabControl, startLabControl } from '../support/lab-control.ts'
import { bothOf, describeWith, nftables } from '../support/peers.ts'

const timedLab = repeatedWhenHeldUp(lab)

type World = {
  readonly made: Lab
  readonly control: LabControl
  readonly n1: AgentProcess
  readonly n2: AgentProcess
  /** The file without which a node's check `ready` fails. */
  ready(node: string): string
}

/** n1 with priority 200 is active, n2 with 100 its backup, both have been answered by control. */
async function world(service: object = {}, peers = false): Promise<World> {
  const made = await labFor()
  const control = await startLabControl(made)
  const ready = (node: string): string => join(made.folder, `${node}-is-ready`)
  const configOf = async (node: string, own: number, peer: string, other: number) => {
    await writeFile(ready(node), '')
    const asked = { listen: `10.77.0.${own}:9556`, nodes: { [peer]: `10.77.0.${other}:9556` } }
    const check = { exec: ['/usr/bin/test', '-e', ready(node)], interval: '100ms', rise: 1, fall: 1 }
    return { control: control.config, checks: { ready: check }, ...(peers ? { peers: asked } : {}) }
  }
  const [n1, n2] = await Promise.all([
    startWeb(made, 'n1', { ...service }, await configOf('n1', 1, 'n2', 2)),
    startWeb(made, 'n2', { priority: 100, ...service }, await configOf('n2', 2, 'n1', 1)),
  ])
  await control.untilReported('n1', 'web', { state: 'active' })
  await control.untilReported('n2', 'web', { state: 'backup' })
  for (const agent of [n1, n2]) await until(async () => (await leaseOf(agent)) === 'held', 'a lease on control')
  await made.untilHeldBy(vip, ['n1'])
  return { made, control, n1, n2, ready }
}

const leaseOf = async (agent: AgentProcess) => (await statusOf(agent)).control!.lease
const web = async (agent: AgentProcess) => (await statusOf(agent)).services.web!

describeWith(timedLab, 'yield', () => {
  test('hands over without losing a probe, and stays out though its priority is higher; then it takes part again', async () => {
    const { made, control, n1, n2 } = await world()
    const prober = await made.probe({ target: vip })
    await prober.answered()
    prober.mark()
    control.tell('n1', { kind: 'yield', id: 'y-1', service: 'web', on: true })
    await n2.untilState('active')
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    expect((await prober.report()).lost).toBe(0)
    await control.untilReported('n1', 'web', { state: 'backup', yielding: true })
    const results = control.heard('n1').flatMap((line) => (line.kind === 'report' ? (line.report.results ?? []) : []))
    expect(results).toContainEqual({ id: 'y-1', ok: true })

    // Ten of its intervals with a lower active, and then with none at all.
    await sleep(1_000)
    expect(n1.state()).toBe('backup')
    control.tell('n1', { kind: 'take-over', id: 't-1', service: 'web', priority: 201 })
    await until(
      () => JSON.stringify(control.heard('n1')).includes('"t-1","ok":false'),
      'the take-over is refused while it yields',
    )
    n1.killVrrp()
    await n1.untilEvent(({ event }) => event === 'vrrp-died')
    await n2.stop()
    await sleep(1_000)
    expect(await made.holdersOf(vip)).toEqual([])
    expect(await web(n1)).toMatchObject({ state: 'backup', yielding: true, yieldsBecause: 'control says yield' })

    control.tell('n1', { kind: 'yield', id: 'y-2', service: 'web', on: false })
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
  })
})

describeWith(timedLab, 'owner', () => {
  test('its epoch is reported; contested, a service with split: yield yields until it is contested no more', async () => {
    const { made, control, n1, n2 } = await world({ split: 'yield' })
    const owner = { kind: 'owner', service: 'web', node: 'n2', epoch: 7 } as const
    control.tell('n1', { ...owner, id: 'o-1', contested: true })
    await n2.untilState('active')
    await control.untilReported('n1', 'web', { state: 'backup', yielding: true, epochSeen: 7 })
    expect(n1.events().filter(({ event }) => event === 'contested')).toHaveLength(1)
    expect((await web(n1)).owner).toEqual({ node: 'n2', epoch: 7, contested: true })
    control.tell('n1', { ...owner, id: 'o-2', contested: false })
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })
})

describeWith(timedLab, 'heartbeats', () => {
  test('while nothing changes they are pings, and a ping needs the VRRP process', async () => {
    const { control, n1 } = await world()
    const quiet = control.heard('n1').length
    await until(() => control.heard('n1').length >= quiet + 4, 'four heartbeats')
    expect(
      control
        .heard('n1')
        .slice(quiet, quiet + 4)
        .map(({ kind }) => kind),
    ).toEqual(Array(4).fill('ping'))
    n1.freeze()
    n1.program.signal('SIGCONT')
    await sleep(500)
    const hung = control.heard('n1').length
    await sleep(2_500)
    expect(control.heard('n1').length).toBe(hung)
    n1.thaw()
    await until(() => control.heard('n1').length > hung, 'a heartbeat of the process that goes on')
  })
})

describeWith(timedLab, 'control is cut off', () => {
  test('onLost: hold: nothing changes', async () => {
    const { made, control, n1, n2 } = await world()
    control.freeze()
    await n1.untilEvent(({ event }) => event === 'lease-over')
    await sleep(1_000)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    expect(transitionsOf(n1).at(-1)).toMatch(/to active/)
  })

  test('onLost: release: it gives up within the lease, and takes part again when control is back', async () => {
    const { made, control, n1, n2 } = await world({ onLost: 'release' })
    const cutAt = nowMs()
    control.freeze()
    await n1.untilEvent(({ event }) => event === 'on-lost')
    await made.untilHeldBy(vip, [])
    // The lease, a second in which the handover waits for a successor that yields as well, and slack.
    expect(nowMs() - cutAt).toBeLessThan(holderLeaseMs + 1_500)
    expect(nowMs() - cutAt).toBeGreaterThan(holderLeaseMs - 1_100)
    await until(async () => (await web(n2)).yielding, 'n2 yields as well')
    expect((await web(n1)).yieldsBecause).toBe('control is lost (onLost: release)')
    await sleep(1_000)
    expect(await made.holdersOf(vip)).toEqual([])
    control.thaw()
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })

  test('an agent that never had a control serves, whatever onLost says', async () => {
    const made = await labFor()
    const nowhere = { url: 'http://10.77.0.9:1', token: 'any' }
    const n1 = await startWeb(made, 'n1', { onLost: 'release' }, { control: nowhere })
    await n1.untilState('active')
    await sleep(holderLeaseMs + 500)
    await expectAtRest(made, { holder: 'n1', agents: [n1] })
  })
})

describeWith(bothOf(timedLab, nftables), 'control is cut off, onLost: failsafe', () => {
  test('while the peer answers it keeps; when the peer is cut off too it gives up', async () => {
    const { made, control, n1, n2 } = await world({ onLost: 'failsafe' }, true)
    control.freeze()
    for (const agent of [n1, n2]) await agent.untilEvent(({ event }) => event === 'lease-over')
    // Four polls and more.
    await sleep(4_500)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    await made.lose({ from: 'n2', to: 'n1', protocol: 'all' })
    await n1.untilEvent(({ event }) => event === 'on-lost')
    for (const agent of [n1, n2]) await until(async () => (await web(agent)).yielding, `${agent.node} yields`)
    await made.untilHeldBy(vip, [])
    await made.heal()
    // Heard again, its peer changes nothing: only control does.
    await sleep(2_500)
    expect(await made.holdersOf(vip)).toEqual([])
    control.thaw()
    await n1.untilState('active')
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })

  test('the service moves there and back while all peers answer', async () => {
    const { made, control, n1, n2, ready } = await world({ onLost: 'failsafe', checks: ['ready'] }, true)
    control.freeze()
    for (const agent of [n1, n2]) await agent.untilEvent(({ event }) => event === 'lease-over')
    await rm(ready('n1'))
    await n1.untilState('fault')
    await n2.untilState('active')
    await made.untilHeldBy(vip, ['n2'])
    // Two polls and more, each of which finds one active peer at most.
    await sleep(2_500)
    expect(n2.state()).toBe('active')
    await writeFile(ready('n1'), '')
    await n1.untilState('active')
    await sleep(2_500)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
    for (const agent of [n1, n2]) expect(agent.events().filter(({ event }) => event === 'on-lost')).toEqual([])
  })
})
