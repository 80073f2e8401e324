/** Holding, draining and watching: commands that operators type while things happen, against a control that runs. */
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceView } from '../../../control/core/view.ts'
import type { EventRecord } from '../../../control/store/store.ts'
import { hasTerminals, startHoldfast } from '../../support/cli-process.ts'
import {
  type ControlProcess,
  createFolder,
  operatorToken,
  type Ran,
  runHoldfast,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import type { ScriptedAgent } from '../../support/scripted-agent.ts'
import { nodesOf, setStages } from '../../support/stages.ts'

const folder = createFolder()
let agents: ReadonlyMap<string, ScriptedAgent>
const stages = ['web', 'db', 'idle', 'stuck'] as const
let control: ControlProcess

/** `listen`: where it listened before. */
const configured = (listen?: string): string =>
  writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: nodesOf(stages),
    services: Object.fromEntries(stages.map((stage) => [stage, {}])),
    ...(listen === undefined ? {} : { listen }),
  })

beforeAll(async () => {
  control = await startControl(configured())
  agents = await setStages(control, stages)
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  folder.remove()
})

/** Control ends, and another one comes to where it was. */
async function restart(between: () => Promise<unknown> = async () => undefined): Promise<void> {
  const { host } = new URL(control.url)
  control.signal('SIGTERM')
  await control.ended
  await between()
  control = await startControl(configured(host))
  for (const agent of agents.values()) await agent.connect(control.url)
}

const env = (): Record<string, string> => ({ HOLDFAST_URL: control.url, HOLDFAST_TOKEN: operatorToken })
const holdfast = (...args: string[]): Promise<Ran> => runHoldfast(args, env())

test('hold and release say what they do, status says it too, and neither is done twice', async () => {
  expect(await holdfast('hold', 'web', '--reason', 'switch replacement')).toEqual({
    code: 0,
    stdout: 'web is held at web-1, whatever fails, until: holdfast release web\n',
    stderr: '',
  })
  const { stdout } = await holdfast('status', 'web')
  expect(stdout).toMatch(
    /\n {2}held by ops since .*Z \(switch replacement\): .* -> .*: holdfast release web\n1 service, all well\n$/,
  )
  const refused = await holdfast('switchover', 'web')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('it is held by ops (switch replacement)') })
  const released = await holdfast('release', 'web', '--reason', 'done', '--json')
  expect(released).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(released.stdout) as ServiceView).toMatchObject({ service: 'web', hold: null })
  expect(await holdfast('release', 'web')).toMatchObject({
    code: 1,
    stderr: 'holdfast: control says: web is not held\n',
  })
  const [, done] = (await control.events('web')).filter(({ kind }) => kind === 'held' || kind === 'released')
  expect(done?.detail).toMatchObject({ by: 'ops', reason: 'done' })
})

test('acknowledge without anything to acknowledge', async () => {
  expect(await holdfast('acknowledge', 'web')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'holdfast: control says: no epoch above 1 was found\n',
  })
})

test('drain --wait stays until the node is empty, undrain lets it take part again', async () => {
  const drained = await holdfast('drain', 'db-1', '--wait', '--reason', 'firmware')
  expect(drained).toMatchObject({ code: 0, stderr: '' })
  expect(drained.stdout).toMatch(/^ +\d+ ms {2}requested\n[\s\S]* ms {2}settled\ndb moved to db-2: operation op-\S+\n/)
  expect(drained.stdout).toMatch(/\ndb-1 is empty, and stays so until: holdfast undrain db-1\n$/)
  expect(await control.service('db')).toMatchObject({ owner: { node: 'db-2' } })
  const nodes = await holdfast('nodes')
  expect(nodes.stdout).toMatch(/^NODE +SITE +LINK +HEARD +DRAINED +SERVICES\n/)
  expect(nodes.stdout).toMatch(/\ndb-1 +dc1 +connected +\ds ago +by ops \d+s ago: firmware +db backup\n/)
  expect(await holdfast('undrain', 'db-1')).toEqual({ code: 0, stdout: 'db-1 takes part again\n', stderr: '' })
  expect(await holdfast('undrain', 'db-1')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not being emptied'),
  })
  expect(await holdfast('drain', 'nowhere')).toMatchObject({
    code: 1,
    stderr: 'holdfast: control says: there is no node nowhere\n',
  })

  const operations = await holdfast('operations', '--service', 'db')
  const [heading, row] = operations.stdout.split('\n')
  expect(heading).toMatch(/^OPERATION +BEGAN +KIND +SERVICE +MOVE +BY +STATUS +RESULT$/)
  expect(row).toMatch(/^op-\S+ +\d+s ago +drain +db +db-1 -> db-2 +ops +done +/)
  const id = row!.split(' ')[0]!
  const operation = await holdfast('operation', id)
  expect(operation).toMatchObject({ code: 0, stderr: '' })
  expect(operation.stdout).toMatch(/^op-\S+: drain of db from db-1 to db-2 at epoch 2, asked for by ops: firmware\n/)
  expect(operation.stdout).toMatch(/ ms {2}settled\nit is done\n/)
  expect(operation.stdout).toMatch(/\ndecided +\d+ ms +after the first sign/)
  expect(JSON.parse((await holdfast('operation', id, '--json')).stdout)).toMatchObject({ id, status: 'done' })
  expect(await holdfast('operation', 'op-none')).toMatchObject({ code: 1, stdout: '' })
})

test('drain of what nobody can take says so, and does not wait for ever', async () => {
  agents.get('idle-2')!.say('fault')
  await control.until('idle', { members: [{}, { state: 'fault' }] })
  const asked = await holdfast('drain', 'idle-1')
  expect(asked).toMatchObject({ code: 0, stderr: '' })
  expect(asked.stdout).toBe(
    'idle stays at idle-1 until somebody can take over; see holdfast status\n' +
      'idle-1 is being emptied, and stays so until: holdfast undrain idle-1\n',
  )
  expect(await holdfast('drain', 'idle-1', '--wait')).toMatchObject({
    code: 1,
    stderr: 'holdfast: idle-1 still owns idle: see holdfast status for why\n',
  })
  const { stdout } = await holdfast('status', 'idle')
  expect(stdout).toContain(
    'idle-1 is being emptied and owns it still: nobody can take over -> bring another node to backup',
  )
  expect(stdout).toMatch(/\n1 service, 1 needs you\n$/)
  expect(await holdfast('undrain', 'idle-1')).toMatchObject({ code: 0 })
  agents.get('idle-2')!.say('backup')
})

describe('Ctrl-C', () => {
  test.skipIf(!hasTerminals)('leaves a move running, and says how to look', async () => {
    agents.get('stuck-2')!.onTakeOver = () => undefined
    const waiting = startHoldfast(['switchover', 'stuck', '--wait'], { env: env() })
    await waiting.prints('told')
    waiting.interrupt()
    const { code, stderr } = await waiting.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^stuck goes on moving to stuck-2; how it goes: holdfast operation op-\S+\n$/)
    const id = /op-\S+/.exec(stderr)![0]
    expect(await holdfast('operation', id)).toMatchObject({ stdout: expect.stringContaining('it is under way') })
    // At a terminal, a line tells what is awaited while it is.
    const watched = startHoldfast(['operation', id, '--wait'], { env: env(), terminal: true })
    await watched.prints(/… \d+\.\d s {2}stuck waits for the target to become active \(Ctrl-C leaves it running\)/)
    agents.get('stuck-2')!.say('active')
    agents.get('stuck-1')!.say('backup')
    const ended = await watched.ended
    expect(ended.code).toBe(0)
    expect(stripVTControlCharacters(ended.stdout)).toContain('it is done')
  })
})

test('--wait stays while control is restarted', async () => {
  await control.until('stuck', { phase: 'settled', owner: { node: 'stuck-2' } })
  agents.get('stuck-1')!.onTakeOver = () => undefined
  const waiting = startHoldfast(['switchover', 'stuck', '--wait'], { env: env() })
  await waiting.prints('told')
  await restart()
  agents.get('stuck-1')!.say('active')
  agents.get('stuck-2')!.say('backup')
  const { code, stdout, stderr } = await waiting.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/ ms {2}settled\nstuck moved to stuck-1: operation op-\w+\n$/)
})

describe('events --follow', () => {
  const follow = (...args: string[]) => startHoldfast(['events', '--follow', '--json', ...args], { env: env() })
  const eventsOf = (text: string): EventRecord[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as EventRecord)

  test('goes on over a restart of control, without a gap and without repeating anything', async () => {
    const following = follow('--since', '0')
    await following.prints('"kind":"owner-changed"')
    await restart(() => following.prints('trying again', 'stderr'))
    await following.prints('connected again; nothing is missing', 'stderr')
    expect(await holdfast('hold', 'web', '--reason', 'after the restart')).toMatchObject({ code: 0 })
    await following.prints('after the restart')
    following.interrupt()
    const { code, stdout } = await following.ended
    expect(code).toBe(0)
    const events = eventsOf(stdout)
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
    await holdfast('release', 'web')
  })

  test('only of a service, only of a node, and where it comes in', async () => {
    const [ofService, ofNode] = [follow('--service', 'web'), follow('--node', 'db-2', '--since', '0')]
    await ofService.prints('"service":"web"')
    await ofNode.prints('"node":"db-2"')
    for (const following of [ofService, ofNode]) following.interrupt()
    const [web, db] = [await ofService.ended, await ofNode.ended]
    expect(eventsOf(web.stdout).length).toBeLessThanOrEqual(10)
    expect(new Set(eventsOf(web.stdout).map(({ service }) => service))).toEqual(new Set(['web']))
    expect(new Set(eventsOf(db.stdout).map(({ node }) => node))).toEqual(new Set(['db-2']))
    expect([web.code, db.code]).toEqual([0, 0])
  })

  test('--limit gives the newest, of all or of a service', async () => {
    const all = eventsOf((await holdfast('events', '--json')).stdout)
    const newest = eventsOf((await holdfast('events', '--json', '--limit', '5')).stdout)
    expect(newest.map(({ id }) => id)).toEqual(all.slice(-5).map(({ id }) => id))
    const ofDb = eventsOf((await holdfast('events', '--json', '--limit', '3', '--service', 'db')).stdout)
    expect(ofDb.map(({ id }) => id)).toEqual(
      all
        .filter(({ service }) => service === 'db')
        .slice(-3)
        .map(({ id }) => id),
    )
    const next = eventsOf((await holdfast('events', '--json', '--limit', '2', '--since', '3')).stdout)
    expect(next.map(({ id }) => id)).toEqual([4, 5])
    expect(await holdfast('events', '--limit', 'many')).toMatchObject({
      code: 2,
      stderr: 'holdfast: --limit many is not a number of events; write 20\n',
    })
  })
})

describe('status --watch', () => {
  test('through a pipe it prints what changes', async () => {
    const watching = startHoldfast(['status', 'web', '--watch'], { env: env() })
    await watching.prints('1 service, all well')
    await holdfast('hold', 'web')
    await watching.prints('held by ops')
    await holdfast('release', 'web')
    watching.interrupt()
    const { code, stdout, stderr } = await watching.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    // The heading and the summary are no news the second time.
    expect(stdout.split('\n').filter((line) => line.startsWith('SERVICE '))).toHaveLength(1)
  })

  test.skipIf(!hasTerminals)(
    'a control that is away is said, with the age of what is shown, until it is back',
    async () => {
      const watching = startHoldfast(['status', '--watch'], { env: env(), terminal: true })
      await watching.prints('as it was 0 s ago; Ctrl-C ends')
      await restart(() => watching.prints(/\d s old: no answer from control at .*; asked again until it answers/))
      await holdfast('hold', 'web', '--reason', 'seen after the restart')
      await watching.prints('seen after the restart')
      await holdfast('release', 'web')
      watching.interrupt()
      expect(await watching.ended).toMatchObject({ code: 0 })
    },
  )

  test('as JSON through a pipe: a line for each change, and on standard error that control is away and back', async () => {
    const watching = startHoldfast(['status', 'web', '--watch', '--json'], { env: env() })
    await watching.prints('"service":"web"')
    await restart(() => watching.prints('no answer from control', 'stderr'))
    await watching.prints('it answers again', 'stderr')
    await holdfast('hold', 'web', '--reason', 'as JSON')
    await watching.prints('"reason":"as JSON"')
    await holdfast('release', 'web')
    watching.interrupt()
    const { code, stdout, stderr } = await watching.ended
    expect(code).toBe(0)
    for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject({ service: 'web' })
    expect(stderr).toMatch(/^(holdfast: no answer from control at [^\n]*\n)+holdfast: it answers again\n/)
  })

  test.skipIf(!hasTerminals)('at a terminal it is drawn in place, in colours', async () => {
    const watching = startHoldfast(['status', '--watch'], { env: env(), terminal: true })
    await watching.prints('Ctrl-C ends')
    await watching.prints('\x1b[J')
    watching.interrupt()
    const { code, stdout } = await watching.ended
    expect(code).toBe(0)
    expect(stdout).toContain('\x1b[32msettled\x1b[39m')
  })
})

test.skipIf(!hasTerminals).each([
  { name: 'a pipe', options: {}, coloured: false },
  { name: 'a terminal', options: { terminal: true }, coloured: true },
  { name: 'a terminal with NO_COLOR', options: { terminal: true, env: { NO_COLOR: '1' } }, coloured: false },
])('status in $name', async ({ options, coloured }) => {
  const { env: more = {}, ...where } = options as { env?: Record<string, string>; terminal?: boolean }
  const { code, stdout } = await startHoldfast(['status'], { ...where, env: { ...env(), ...more } }).ended
  expect(code).toBe(0)
  expect(stdout).toContain('services, ')
  expect(stdout.includes('\x1b[')).toBe(coloured)
})

test('what a viewer may not do, and how each ends', async () => {
  for (const args of [
    ['hold', 'web'],
    ['release', 'web'],
    ['acknowledge', 'web'],
    ['drain', 'web-1'],
    ['undrain', 'web-1'],
  ]) {
    const ran = await runHoldfast(args, { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: viewerToken })
    expect(ran).toEqual({
      code: 1,
      stdout: '',
      stderr: 'holdfast: control says: needs the role operator; eye is viewer\n',
    })
  }
})
