/**
 * 8: control is killed in the middle of a move, at many moments of it, and started again on the same database.
 *
 *   report ──decided, durable──▶ DescribeAddresses ──▶ AssociateAddress ──effect──▶ DescribeAddresses ──▶ settled
 *         ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    ▲    killed here
 *
 * Whatever was on its way, the address ends at the owner, epochs only grow, and what anybody was told stays true.
 */
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { beginBinding } from '../../../control/binding.ts'
import type { ServiceView } from '../../../control/core/view.ts'
import { reconcile } from '../../../control/reconcile.ts'
import { type Cloud, startCloud } from '../../support/cloud.ts'
import {
  type ControlProcess,
  createFolder,
  nodeToken,
  type StartControl,
  startControl,
  writeControlConfig,
} from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { createAgent, type ScriptedAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
afterAll(() => folder.remove())

/** Each EC2 call takes this long, half of it before its effect, in milliseconds. */
const latencyMs = 50

/** When control is killed: so long after the report left, or when the cloud sees something. */
type Moment = number | 'acknowledged' | 'observing' | 'applying' | 'applied' | 'verifying'

const chains: readonly { readonly name: string; readonly moments: readonly Moment[] }[] = [
  { name: 'early', moments: [0, 1, 2, 4, 7, 12, 'acknowledged', 'observing', 25, 40] },
  { name: 'late', moments: [55, 'applying', 70, 'applied', 85, 100, 'verifying', 120, 150, 200] },
]

type World = {
  readonly cloud: Cloud
  readonly agents: readonly [ScriptedAgent, ScriptedAgent]
  readonly configFile: string
  readonly database: string
  /** What the API has said before a kill: each epoch and its owner. */
  readonly told: Map<number, string>
  onApplied: () => void
}

describe.concurrent.each(chains)('8: killed $name in a move', ({ name, moments }) => {
  test(`at ${moments.join(', ')}`, { timeout: 120_000 }, async () => {
    const world = await createWorld(name)
    let control = await start(world)
    await control.until('web', { phase: 'settled', owner: { node: 'n1', epoch: 1 } })
    for (const [i, moment] of moments.entries()) {
      const active = world.agents[(i + 1) % 2]!
      await killDuringMove({ world, control, active, moment })
      control = await start(world)
      await control.until('web', { phase: 'settled', owner: { node: active.node } })
      expect(world.cloud.at(), `after a kill at ${moment}`).toBe(active.node)
      await checkTrail(control, world)
    }
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
    checkDatabase(world, moments.length)
    await world.cloud.ec2.close()
  })
})

test('a control that has just started looks again when nothing of its predecessor can be on its way any more', () => {
  const policy = {
    drift: 'reassert' as const,
    restMs: 30_000,
    targets: new Set(['n1']),
    settleMs: 30_000,
    maxInFlightMs: 35_000,
    unsureMs: 5_000,
    fenced: true,
  }
  const resumed = reconcile(policy, beginBinding({ node: 'n1', epoch: 7 }, 'settled'), { kind: 'resumed' }, at(1_000))
  const observation = { kind: 'node', node: 'n1', token: 'a', raw: {} } as const
  const { state } = reconcile(policy, resumed.state, { kind: 'observed', observation }, at(1_050))
  expect(state).toMatchObject({ state: 'settled', lateCheckAt: 36_000 })
})

const at = (ms: number) => ({ ms, random: 0.5 })

test.concurrent('4, 8: a write of the killed control lands when its successor has come to rest elsewhere', async () => {
  const speed = 10
  const world = await createWorld('flight')
  const { cloud, agents } = world
  const [n1, n2] = agents
  let control = await start(world, { speed })
  await control.until('web', { phase: 'settled', owner: { node: 'n1' } })
  // It is on its way for as long as the test likes.
  cloud.ec2.faults.replace([{ kind: 'reset-before', action: 'AssociateAddress', next: 1 }])
  n1.say('backup')
  n2.say('active')
  await seen(cloud, { calls: 0, writes: 2 })
  control.signal('SIGKILL')
  await control.ended
  n2.say('backup')
  n1.say('active')
  control = await start(world, { speed })
  await control.until('web', { phase: 'settled', owner: { node: 'n1' } })
  cloud.moveTo('n2')
  await eventually(
    () => cloud.at(),
    (node) => expect(node).toBe('n1'),
  )
  await control.until('web', { phase: 'settled', bindings: [{ observed: 'n1' }] })
  control.signal('SIGTERM')
  await control.ended
  await cloud.ec2.close()
})

async function createWorld(name: string): Promise<World> {
  const cloud = await startCloud({ nodes: ['n1', 'n2'], onChange: () => world.onApplied() })
  cloud.ec2.faults.add({ kind: 'latency', ms: latencyMs })
  const n1 = createAgent({ node: 'n1', service: 'web', priority: 200 })
  const n2 = createAgent({ node: 'n2', service: 'web', priority: 100 })
  const database = folder.file(`${name}.db`)
  const configFile = writeControlConfig({
    file: folder.file(`${name}.json`),
    database,
    nodes: ['n1', 'n2'],
    services: { web: cloud.service },
  })
  n1.say('active')
  n2.say('backup')
  const world: World = {
    cloud,
    agents: [n1, n2],
    configFile,
    database,
    told: new Map(),
    onApplied: () => undefined,
  }
  return world
}

/** Control, and the agents back with what is so now. Before they are: nothing that anybody was told has been forgotten. */
async function start(world: World, options: StartControl = {}): Promise<ControlProcess> {
  const control = await startControl(world.configFile, options)
  const epochs = [...world.told.keys()]
  if (epochs.length > 0) {
    const highest = Math.max(...epochs)
    const { owner } = await control.service('web')
    expect(owner!.epoch).toBeGreaterThanOrEqual(highest)
    if (owner!.epoch === highest) expect(owner!.node).toBe(world.told.get(highest))
  }
  await Promise.all(world.agents.map((agent) => agent.connect(control.url)))
  return control
}

type Move = {
  readonly world: World
  readonly control: ControlProcess
  readonly active: ScriptedAgent
  readonly moment: Moment
}

async function killDuringMove({ world, control, active, moment }: Move): Promise<void> {
  const { cloud, told, agents } = world
  const kill = (): void => control.signal('SIGKILL')
  const calls = cloud.ec2.requests.length
  if (moment === 'applied') world.onApplied = kill
  let watching = true
  const watch = async (): Promise<void> => {
    while (watching) {
      const view = (await control.service('web')) as ServiceView
      told.set(view.owner!.epoch, view.owner!.node)
    }
  }
  const watched = watch().catch(() => undefined)
  for (const agent of agents) if (agent !== active) agent.say('backup')
  if (moment === 'acknowledged') await postAndRemember({ world, control, active, moment })
  else active.say('active')
  if (typeof moment === 'number') await new Promise((resolve) => setTimeout(resolve, moment))
  const arrivals = { observing: 1, applying: 2, verifying: 3 } as const
  if (moment === 'observing' || moment === 'applying' || moment === 'verifying') {
    await seen(cloud, { calls: calls + arrivals[moment], writes: 0 })
  }
  if (moment !== 'applied') kill()
  expect(await control.ended).toBe('SIGKILL')
  watching = false
  world.onApplied = () => undefined
  await watched
}

/** Waits until the cloud has been called so often, to the turn of the event loop. */
async function seen(cloud: Cloud, least: { readonly calls: number; readonly writes: number }): Promise<void> {
  while (cloud.ec2.requests.length < least.calls || cloud.writes().length < least.writes) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A report that was answered is a decision that was acknowledged. */
async function postAndRemember({ world, control, active }: Move): Promise<void> {
  const before = Math.max(...world.told.keys(), (await control.service('web')).owner!.epoch)
  const body = active.report('active')
  const answer = await control.call('POST', `/v1/nodes/${active.node}/report`, { body, token: nodeToken(active.node) })
  expect(answer.status).toBe(200)
  world.told.set(before + 1, active.node)
}

async function checkTrail(control: ControlProcess, { told, cloud }: World): Promise<void> {
  const events = await control.events('web')
  expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
  const owners = events.filter(({ kind }) => kind === 'owner-changed')
  expect(owners.map(({ epoch }) => epoch)).toEqual(owners.map((_, i) => i + 1))
  for (const [epoch, node] of told) expect(owners[epoch - 1]).toMatchObject({ epoch, node })
  // No call went out for an owner that had not been written down, and none for an owner of the past.
  const written = cloud.writes().map(({ node }) => node)
  const changes = written.filter((node, i) => node !== written[i - 1])
  expect(changes).toEqual(owners.slice(0, changes.length).map(({ node }) => node))
}

/** One write for a move, and one more only where control was killed with one under way. */
function checkDatabase({ database, cloud }: World, kills: number): void {
  const file = new DatabaseSync(database, { readOnly: true })
  const [service] = file.prepare('SELECT epoch, node FROM services').all()
  const [binding] = file.prepare('SELECT epoch, node, state, observed FROM bindings').all()
  file.close()
  expect(service).toEqual({ epoch: kills + 1, node: cloud.at() })
  expect(binding).toEqual({ epoch: kills + 1, node: cloud.at(), state: 'settled', observed: cloud.at() })
  expect(cloud.writes().length).toBeGreaterThanOrEqual(kills + 1)
  expect(cloud.writes().length).toBeLessThanOrEqual(2 * kills + 1)
}
