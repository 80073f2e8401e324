/** Rule 6: a control that has just started has heard nobody, and takes nobody for gone during one lease. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { leaseMs } from '../../../control/contract.ts'
import { type Cloud, startCloud } from '../../support/cloud.ts'
import { type ControlProcess, createFolder, startControl, writeControlConfig } from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const stages = ['late', 'gone', 'yields'] as const
type Stage = (typeof stages)[number]
type Pair = { readonly cloud: Cloud; readonly n1: ScriptedAgent; readonly n2: ScriptedAgent }

const folder = createFolder()
const pairs = new Map<Stage, Pair>()
let control: ControlProcess
let startedAt = 0

/** A control that is killed while each first node owns. The agents are still away when it is back. */
beforeAll(async () => {
  for (const stage of stages) {
    const cloud = await startCloud({ nodes: [`${stage}-1`, `${stage}-2`], confirm: '10s' })
    const n1 = createAgent({ node: `${stage}-1`, service: stage, priority: 200 })
    const n2 = createAgent({ node: `${stage}-2`, service: stage, priority: 100 })
    pairs.set(stage, { cloud, n1, n2 })
  }
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: [...pairs.values()].flatMap(({ n1, n2 }) => [n1.node, n2.node]),
    services: Object.fromEntries([...pairs].map(([stage, { cloud }]) => [stage, cloud.service])),
  })
  control = await startControl(configFile)
  for (const [stage, { n1, n2 }] of pairs) {
    await Promise.all([n1.connect(control.url), n2.connect(control.url)])
    n2.say('backup')
    n1.say('active')
    await control.until(stage, { phase: 'settled', owner: { node: n1.node } })
  }
  control.signal('SIGKILL')
  expect(await control.ended).toBe('SIGKILL')
  control = await startControl(configFile)
  startedAt = performance.now()
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  for (const { cloud } of pairs.values()) await cloud.ec2.close()
  folder.remove()
})

/** The rival comes back at once and is active. */
async function rivalIsBack(stage: Stage): Promise<Pair> {
  const pair = pairs.get(stage)!
  expect(await control.service(stage)).toMatchObject({
    owner: { node: pair.n1.node, epoch: 1 },
    members: [
      { node: pair.n1.node, state: 'active', connected: false },
      { node: pair.n2.node, state: 'backup', connected: false },
    ],
  })
  await pair.n2.connect(control.url)
  pair.n2.say('active')
  await control.until(stage, { members: [{ connected: false }, { state: 'active', connected: true }] })
  return pair
}

describe.concurrent('20: all connections lost', () => {
  test('an owner that comes back late, but within the lease, stays the owner', async () => {
    const { n1, n2, cloud } = await rivalIsBack('late')
    await eventually(
      () => performance.now() - startedAt,
      (waited) => expect(waited).toBeGreaterThan(leaseMs * 0.3),
    )
    expect(await control.service('late')).toMatchObject({ phase: 'settled', owner: { node: n1.node, epoch: 1 } })
    await n1.connect(control.url)
    await n1.told('ask')
    await eventually(
      () => control.events('late'),
      (events) => expect(events).toContainEqual(expect.objectContaining({ kind: 'dual-active', node: n2.node })),
    )
    // The lease of the start is over long since, and the owner answers.
    await eventually(
      () => performance.now() - startedAt,
      (waited) => expect(waited).toBeGreaterThan(leaseMs * 1.2),
    )
    expect(await control.service('late')).toMatchObject({ phase: 'settled', owner: { node: n1.node, epoch: 1 } })
    expect(cloud.writes()).toHaveLength(1)
  })

  test('an owner that does not come back is succeeded when the lease is over, and not before', async () => {
    const { n2, cloud } = await rivalIsBack('gone')
    await control.until('gone', { phase: 'settled', owner: { node: n2.node, epoch: 2 } })
    expect(performance.now() - startedAt).toBeGreaterThan(leaseMs * 0.9)
    const changes = (await control.events('gone')).filter(({ kind }) => kind === 'owner-changed')
    expect(changes.map(({ epoch, detail }) => [epoch, detail.reason])).toEqual([
      [1, 'first'],
      [2, 'owner-silent'],
    ])
    expect(cloud.at()).toBe(n2.node)
    expect(cloud.writes()).toHaveLength(2)
  })

  test('an owner that comes back and says that it is backup is succeeded at once', async () => {
    const { n1, n2, cloud } = await rivalIsBack('yields')
    await n1.connect(control.url)
    n1.say('backup')
    n2.say('active')
    await control.until('yields', { phase: 'settled', owner: { node: n2.node, epoch: 2 } })
    const changes = (await control.events('yields')).filter(({ kind }) => kind === 'owner-changed')
    expect(changes.at(-1)!.detail.reason).toBe('owner-not-active')
    expect(cloud.at()).toBe(n2.node)
  })
})
