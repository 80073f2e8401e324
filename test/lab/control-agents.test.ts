/** The real control and real agents: a node is emptied for maintenance, and control's database is an old copy. */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { NodeView, ServiceView } from '../../control/core/view.ts'
import type { EventRecord } from '../../control/store/store.ts'
import { type ControlProcess, startControl } from '../../infra/lab/control.ts'
import type { Lab } from '../../infra/lab/topology.ts'
import { expectAtRest, labFor, startWeb, statusOf, transitionsOf, until, vip } from '../support/agents.ts'
import { eventually } from '../support/eventually.ts'
import { repeatedWhenHeldUp } from '../support/held-up.ts'
import { lab } from '../support/lab.ts'
import { startLabCloud } from '../support/lab-cloud.ts'
import { describeWith } from '../support/peers.ts'

const timedLab = repeatedWhenHeldUp(lab)
const token = (name: string): string => `lab-token-of-${name}`

/** n1 with priority 200 owns the service, n2 with 100 is its backup, and the Elastic IP is at n1. */
async function world() {
  const made = await labFor()
  const cloud = await startLabCloud(made, 40)
  const tokens = [
    { name: 'ops', role: 'operator', token: token('ops') },
    ...['n1', 'n2'].map((node) => ({ name: node, role: 'node', node, token: token(node) })),
  ]
  const database = join(made.folder, 'control.db')
  const config = { tokens, database, services: { web: cloud.service } }
  const begin = () => startControl(made, { config, env: cloud.credentials })
  let control = await begin()
  onTestFinished(() => control.kill())
  const startNode = (node: string, service: Readonly<Record<string, unknown>>) =>
    startWeb(made, node, service, { control: { url: control.url, token: token(node) } })
  const [n1, n2] = await Promise.all([startNode('n1', {}), startNode('n2', { priority: 100 })])
  await made.untilHeldBy(vip, ['n1'])
  const api = clientOf(() => control)
  await api.untilWeb({ phase: 'settled', owner: { node: 'n1' }, bindings: [{ observed: 'n1' }] })
  await eventually(api.nodes, (nodes) => expect(nodes.filter(({ connected }) => connected)).toHaveLength(2))
  return {
    ...{ made, cloud, n1, n2, database, startNode, ...api },
    /** Stops control, lets `meanwhile` happen, and starts it again. */
    async restart(meanwhile: () => Promise<void>): Promise<void> {
      expect(await control.stop()).toBe(0)
      await meanwhile()
      control = await begin()
    },
  }
}

function clientOf(control: () => ControlProcess) {
  const call = async <Body>(method: string, path: string, body?: object): Promise<{ status: number; body: Body }> => {
    const headers = { authorization: `Bearer ${token('ops')}`, 'content-type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${control().outsideUrl}${path}`, { method, headers, ...sent })
    return { status: response.status, body: (await response.json()) as Body }
  }
  const web = async () => (await call<ServiceView>('GET', '/v1/services/web')).body
  return {
    call,
    web,
    nodes: async () => (await call<{ nodes: NodeView[] }>('GET', '/v1/nodes')).body.nodes,
    events: async () => (await call<{ events: EventRecord[] }>('GET', '/v1/events?service=web&limit=1000')).body.events,
    untilWeb: (expected: object, withinMs = 30_000) =>
      eventually(web, (seen) => expect(seen).toMatchObject(expected), { withinMs }),
  }
}

async function probing(made: Lab) {
  const prober = await made.probe({ target: vip })
  await prober.answered()
  prober.mark()
  return prober
}

describeWith(timedLab, 'drain', () => {
  test('a client loses nothing, the node is empty and stays so over a restart of its agent; undrain ends that', async () => {
    const { made, cloud, n1, n2, startNode, call, untilWeb } = await world()
    const prober = await probing(made)
    const answer = await call('PUT', '/v1/nodes/n1/drain', { reason: 'a new kernel' })
    expect(answer).toMatchObject({ status: 202, body: { operations: [{ service: 'web', from: 'n1', to: 'n2' }] } })
    const moved = await untilWeb({ phase: 'settled', owner: { node: 'n2' }, bindings: [{ observed: 'n2' }] })
    await until(async () => (await statusOf(n1)).services.web!.yielding, 'n1 yields')
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    expect(cloud.moves.at(-1)).toBe('n2')
    expect(await prober.report()).toMatchObject({ lost: 0 })

    expect(await n1.stop()).toBe(0)
    const again = await startNode('n1', {})
    await again.untilState('backup')
    await until(async () => (await statusOf(again)).services.web!.yielding, 'n1 yields again')
    // Its priority is the higher one: ten intervals in which it would take over.
    await sleep(1_000)
    await expectAtRest(made, { holder: 'n2', agents: [again, n2] })
    await untilWeb({ phase: 'settled', owner: { node: 'n2' }, bindings: [{ observed: 'n2' }] })
    expect(await prober.report()).toMatchObject({ lost: 0 })

    expect((await call('DELETE', '/v1/nodes/n1/drain')).status).toBe(200)
    const back = await untilWeb({ phase: 'settled', owner: { node: 'n1' }, bindings: [{ observed: 'n1' }] }, 20_000)
    await expectAtRest(made, { holder: 'n1', agents: [again, n2] })
    expect(back.owner!.epoch).toBeGreaterThan(moved.owner!.epoch)
    expect(transitionsOf(again).at(-1)).toMatch(/to active/)
    expect(await prober.report()).toMatchObject({ lost: 0 })
  })
})

describeWith(timedLab, 'scenario 22: control\u2019s database is an old copy', () => {
  test('nothing is written until an operator has looked; the LAN goes on', async () => {
    const { made, cloud, n1, n2, database, restart, call, web, events, untilWeb } = await world()
    const copy = `${database}.old`
    // Stopped, so that the copy is whole without its log.
    await restart(() => copyFile(database, copy))
    const old = (await untilWeb({ phase: 'settled', owner: { node: 'n1' } })).owner!.epoch
    for (const to of ['n2', 'n1', 'n2']) {
      await eventually(
        () => call('POST', '/v1/services/web/switchover', { to }),
        ({ status }) => expect(status).toBe(202),
        { withinMs: 30_000 },
      )
      await untilWeb({ phase: 'settled', owner: { node: to }, bindings: [{ observed: to }] })
    }
    const newest = (await web()).owner!.epoch
    expect(newest).toBe(old + 3)
    for (const agent of [n1, n2])
      await until(async () => (await statusOf(agent)).services.web!.owner?.epoch === newest, 'the epoch is told')

    const prober = await probing(made)
    // An Elastic IP carries no epoch: nothing may be written for what the old database says.
    const moves = cloud.moves.length
    await restart(async () => {
      for (const suffix of ['', '-wal', '-shm']) await rm(`${database}${suffix}`, { force: true })
      await copyFile(copy, database)
    })
    await untilWeb({ phase: 'degraded', higherEpoch: newest, owner: { node: 'n1', epoch: old } })
    // A lease and more, so that control believes what it hears and does not hear.
    await sleep(6_000)
    expect(cloud.moves).toHaveLength(moves)
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    expect(await prober.report()).toMatchObject({ lost: 0 })
    expect((await call('POST', '/v1/services/web/switchover', { to: 'n1' })).status).toBe(409)
    // What it says of an owner is refused by those who know better.
    expect((await statusOf(n2)).services.web!.owner).toMatchObject({ node: 'n2', epoch: newest })

    const reason = 'restored from a backup'
    expect((await call('POST', '/v1/services/web/acknowledge', { reason })).status).toBe(200)
    const after = await untilWeb({ phase: 'settled', owner: { node: 'n2' }, higherEpoch: null })
    expect(after.owner!.epoch).toBeGreaterThan(newest)
    expect(after.bindings).toMatchObject([{ observed: 'n2' }])
    expect(cloud.moves.at(-1)).toBe('n2')
    await until(async () => (await statusOf(n2)).services.web!.owner?.epoch === after.owner!.epoch, 'the agents follow')
    await expectAtRest(made, { holder: 'n2', agents: [n1, n2] })
    expect((await events()).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['higher-epoch', 'acknowledged', 'owner-changed']),
    )
    expect(await prober.report()).toMatchObject({ lost: 0 })
  })
})
