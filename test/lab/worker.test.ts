/**
 * Control on workerd, as it is deployed to Cloudflare, with real agents: killed in the middle of a move, restarted
 * under agents that are at rest, and left alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { NodeView, ServiceView } from '../../control/core/view.ts'
import type { EventRecord } from '../../control/store/store.ts'
import { startWorker, type WorkerProcess } from '../../infra/lab/worker.ts'
import { buildWorker } from '../../infra/worker/build.ts'
import { expectAtRest, labFor, startWeb, vip } from '../support/agents.ts'
import { eventually } from '../support/eventually.ts'
import { lab } from '../support/lab.ts'
import { startLabCloud } from '../support/lab-cloud.ts'
import { describeWith } from '../support/peers.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-worker-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const token = (name: string): string => `lab-token-of-${name}`

/** Each write takes a second, so that there is a middle to be killed in. */
const cloudLatencyMs = 1_000

describeWith(lab, 'control on workerd', () => {
  let bundle: string
  beforeAll(async () => {
    bundle = (await buildWorker(folder)).file
  })

  async function world() {
    const made = await labFor()
    const cloud = await startLabCloud(made, cloudLatencyMs)
    const tokens = [
      { name: 'ops', role: 'operator', token: token('ops') },
      ...['n1', 'n2'].map((node) => ({ name: node, role: 'node', node, token: token(node) })),
    ]
    const worker = await startWorker(made, {
      bundle,
      variables: {
        ...cloud.credentials,
        HOLDFAST_CONFIG: JSON.stringify({ tokens, services: { web: cloud.service } }),
        HOLDFAST_LOG_LEVEL: 'debug',
      },
    })
    onTestFinished(() => worker[Symbol.asyncDispose]())
    const control = (node: string) => ({ control: { url: worker.url, token: token(node) } })
    const [n1, n2] = await Promise.all([
      startWeb(made, 'n1', {}, control('n1')),
      startWeb(made, 'n2', { priority: 100 }, control('n2')),
    ])
    await n1.untilState('active')
    await n2.untilState('backup')
    const { get, service, untilSettled } = client(worker)
    // Which of the two was active first is chance, so the epoch is whatever it is.
    const first = await untilSettled('n1')
    await eventually(
      async () => (await get<{ nodes: NodeView[] }>('/v1/nodes')).nodes,
      (nodes) =>
        expect(nodes.map(({ node, connected }) => `${node} ${connected}`).toSorted()).toEqual(['n1 true', 'n2 true']),
    )
    return { made, cloud, worker, n1, n2, get, service, untilSettled, epoch: first.owner!.epoch }
  }

  test.each<'decided' | 'in flight' | 'applied'>(['decided', 'in flight', 'applied'])(
    'killed when a move was %s, it ends the move: one owner, at the right epoch',
    async (moment) => {
      const { made, cloud, worker, n1, n2, get, untilSettled, epoch } = await world()
      const [from, seen] = [worker.log.length, cloud.moves.length]
      await made.cableOut('n1')
      await worker.until(({ text }) => text.includes('"event":"owner-changed"') && text.includes('"node":"n2"'), from)
      if (moment === 'in flight') await new Promise((resolve) => setTimeout(resolve, cloudLatencyMs / 4))
      if (moment === 'applied') await cloud.untilAt('n2', seen)
      await worker.kill()
      await worker.restart()
      await untilSettled('n2', epoch + 1)
      expect(cloud.moves.at(-1)).toBe('n2')
      await made.untilHeldBy(vip, ['n2'])
      // The audit trail has no gap, and no epoch was given twice.
      const { events } = await get<{ events: EventRecord[] }>('/v1/events?limit=1000')
      expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
      const epochs = events.filter(({ kind }) => kind === 'owner-changed').map((event) => event.epoch)
      expect(epochs).toEqual(Array.from({ length: epoch + 1 }, (_, i) => i + 1))

      await made.cableIn('n1')
      await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
      await untilSettled('n1', epoch + 2)
      expect(cloud.moves.at(-1)).toBe('n1')
    },
  )

  test('killed and started again under agents at rest, it takes nobody for dead', async () => {
    const { made, cloud, worker, n1, n2, service, untilSettled, epoch } = await world()
    const moves = cloud.moves.length
    for (let round = 0; round < 3; round += 1) {
      const from = worker.log.length
      await worker.kill()
      await worker.restart()
      for (const node of ['n1', 'n2']) {
        await worker.until(({ text }) => text.includes('"node-connected"') && text.includes(`"${node}"`), from)
      }
    }
    await untilSettled('n1', epoch)
    // Longer than the lease that it gives everybody after its start.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    expect((await service()).owner).toMatchObject({ node: 'n1', epoch })
    expect(cloud.moves).toHaveLength(moves)
    await expectAtRest(made, { holder: 'n1', agents: [n1, n2] })
  })

  test('left alone it sleeps: heartbeats do not run it, and their senders count as heard', async () => {
    const { worker, get, epoch, service } = await world()
    await worker.until(({ text }) => text.includes('"event":"binding-settled"'))
    const from = worker.log.length
    // Nothing that starts (a trial of what a move would need within twenty seconds, all said again each 30 s) keeps it up
    // for good: it is put to sleep with both links open, and something that is due wakes it.
    const awakeAt = worker.log.at(-1)!.at
    const woken = await worker.until(({ text }) => text.includes('"event":"started","links":2'), from, 100_000)
    const ran = worker.log.slice(from).map(({ text }) => /"event":"ran","by":"([\w-]+)"/.exec(text)?.[1])
    const minutes = (woken.at - awakeAt) / 60_000
    // Two agents with a heartbeat a second, none of which runs it; each says all of it every 30 s.
    expect(ran.filter((by) => by === 'message').length).toBeLessThanOrEqual(2 + 4 * minutes)
    expect(ran.filter((by) => by === 'alarm').length).toBeLessThanOrEqual(4 + 4 * minutes)
    const { nodes } = await get<{ nodes: NodeView[] }>('/v1/nodes')
    expect(nodes.map(({ node, connected, fresh }) => `${node} ${connected} ${fresh}`).toSorted()).toEqual([
      'n1 true true',
      'n2 true true',
    ])
    expect((await service()).owner).toMatchObject({ node: 'n1', epoch })
  })
})

function client(worker: WorkerProcess) {
  const get = async <T>(path: string): Promise<T> => {
    const headers = { authorization: `Bearer ${token('ops')}` }
    return (await (await fetch(`${worker.outsideUrl}${path}`, { headers })).json()) as T
  }
  const service = () => get<ServiceView>('/v1/services/web')
  const untilSettled = (node: string, epoch?: number) =>
    eventually(
      service,
      (seen) =>
        expect(seen).toMatchObject({
          phase: 'settled',
          owner: { node, ...(epoch === undefined ? {} : { epoch }) },
          bindings: [{ state: 'settled', observed: node }],
        }),
      { withinMs: 60_000, everyMs: 100 },
    )
  return { get, service, untilSettled }
}
