/**
 * The disk under the database fills up while control works: what needs a write is refused with the reason, everything
 * else goes on, and all is made up for when there is room again.
 *
 * Control runs in a mount namespace of its own, on a file system of a few megabytes that exists only there.
 */
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { NodeView } from '../../../control/core/view.ts'
import { sandboxProblem } from '../../../infra/lab/sandbox.ts'
import {
  adminToken,
  type ControlProcess,
  createFolder,
  startControl,
  writeControlConfig,
} from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { describeWith } from '../../support/peers.ts'
import { createAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
afterAll(() => folder.remove())

const services = { web: { nodes: ['n1', 'n2'] } }
const script = 'mount -t tmpfs -o size=2m,mode=700 tmpfs "$1" && shift && exec "$@"'

function smallDisk(name: string) {
  const disk = folder.file(name)
  mkdirSync(disk)
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const through = ['unshare', ...user, '--mount', 'sh', '-c', script, 'sh', disk]
  const configFile = writeControlConfig({
    file: folder.file(`${name}.json`),
    database: join(disk, 'control.db'),
    nodes: ['n1', 'n2'],
    services,
  })
  return { disk, through, configFile }
}

/** The last byte of the disk, as its control sees it. Returns how to make room again. */
function fill(control: ControlProcess, disk: string): () => void {
  const inside = `/proc/${control.pid}/root${disk}`
  const { bsize } = statfsSync(inside)
  for (let size = 1 << 20; size >= bsize; ) {
    try {
      writeFileSync(join(inside, 'ballast'), Buffer.alloc(size), { flag: 'a' })
    } catch {
      size >>= 1
    }
  }
  expect(statfsSync(inside).bfree).toBe(0)
  return () => rmSync(join(inside, 'ballast'))
}

const count = (control: ControlProcess, event: string): number =>
  control.output().split(`"event":"${event}"`).length - 1

describeWith({ name: 'mount namespaces', missing: sandboxProblem() }, 'a full disk', () => {
  test('control says so, goes on with what needs no write, and recovers by itself', { timeout: 60_000 }, async () => {
    const { disk, through, configFile } = smallDisk('small')
    const control = await startControl(configFile, { through })
    const n1 = createAgent({ node: 'n1', service: 'web', priority: 200 })
    const n2 = createAgent({ node: 'n2', service: 'web', priority: 100 })
    await n1.connect(control.url)
    await n2.connect(control.url)
    n1.say('active')
    n2.say('backup')
    await control.until('web', { owner: { node: 'n1', epoch: 1 } })
    const before = await control.events('web')
    const makeRoom = fill(control, disk)
    n1.say('backup')
    n2.say('active')

    // What needs a write is refused with the reason, and nothing of it happens.
    const full = { code: 'storage-full', detail: expect.stringContaining('make room there') }
    const switchover = () => control.call('POST', '/v1/services/web/switchover', { body: { to: 'n2' } })
    expect(await switchover()).toMatchObject({ status: 503, type: 'application/problem+json', body: full })
    const readyz = () => control.call('GET', '/readyz', { token: null })
    expect(await readyz()).toMatchObject({ status: 503, body: full })
    expect(await control.service('web')).toMatchObject({ owner: { node: 'n1', epoch: 1 } })

    // What needs none goes on: reports are heard, and everything can be read.
    expect((await control.call('GET', '/healthz', { token: null })).status).toBe(200)
    expect(await control.events('web')).toEqual(before)
    const heard = async () => ((await control.call('GET', '/v1/nodes')).body as { nodes: NodeView[] }).nodes
    const then = await heard()
    await eventually(heard, (nodes) => {
      for (const [i, { lastReport }] of nodes.entries()) expect(lastReport > then[i]!.lastReport).toBe(true)
    })
    expect(await control.service('web')).toMatchObject({ owner: { node: 'n1', epoch: 1 } })
    // Said when it begins, and again only when something small had found room in between.
    expect(count(control, 'storage-failed')).toBeGreaterThanOrEqual(1)
    expect(count(control, 'storage-failed')).toBeLessThanOrEqual(count(control, 'storage-works') + 1)
    expect(control.output()).not.toContain('store-failed')

    makeRoom()
    await control.until('web', { owner: { node: 'n2', epoch: 2 } })
    await eventually(readyz, ({ status }) => expect(status).toBe(200))
    expect(count(control, 'storage-failed')).toBe(count(control, 'storage-works'))
    const events = await control.events('web')
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
    const moves = events.filter(({ kind }) => kind === 'owner-changed')
    expect(moves).toMatchObject([
      { node: 'n1', epoch: 1 },
      { node: 'n2', epoch: 2 },
    ])
    expect(await switchover()).toMatchObject({ status: 409 })
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
  })

  test('a backup that does not fit is refused, and leaves nothing behind', { timeout: 60_000 }, async () => {
    const { disk, through, configFile } = smallDisk('backup')
    const control = await startControl(configFile, { through })
    const makeRoom = fill(control, disk)
    const options = { token: adminToken }
    expect(await control.call('GET', '/v1/backup', options)).toMatchObject({
      status: 503,
      body: { code: 'storage-full' },
    })
    expect(readdirSync(`/proc/${control.pid}/root${disk}`).sort()).toEqual(['ballast', 'control.db', 'control.db-wal'])
    makeRoom()
    const headers = { authorization: `Bearer ${adminToken}` }
    const taken = await fetch(`${control.url}/v1/backup`, { headers })
    expect(taken.status).toBe(200)
    await taken.arrayBuffer()
    control.signal('SIGTERM')
    expect(await control.ended).toBe(0)
  })
})
