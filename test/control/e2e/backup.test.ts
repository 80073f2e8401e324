/** `holdfast control backup FILE` against a control that is at work; and what it refuses. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  adminToken,
  type ControlProcess,
  createFolder,
  operatorToken,
  runHoldfast,
  startControl,
  writeControlConfig,
} from '../../support/control-process.ts'
import { eventually } from '../../support/eventually.ts'
import { type Receiver, startReceiver } from '../../support/otlp-receiver.ts'
import { createAgent } from '../../support/scripted-agent.ts'

const folder = createFolder()
const database = folder.file('control.db')
const settings = { nodes: ['n1', 'n2'], services: { web: { nodes: ['n1', 'n2'] } } }
let receiver: Receiver
let control: ControlProcess

beforeAll(async () => {
  receiver = await startReceiver()
  const trace = { url: receiver.url, headers: { 'x-key': 'a-secret-of-the-collector' } }
  const file = folder.file('control.json')
  control = await startControl(writeControlConfig({ file, database, ...settings, more: { trace } }))
})
afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  await receiver.close()
  folder.remove()
})

const backup = (file: string, token: string, ...flags: string[]) =>
  runHoldfast(['control', 'backup', file, '--url', control.url, '--token', token, ...flags])

test('a backup taken under load is whole, opens as a control, and is only for its owner’s eyes', async () => {
  const agents = [
    createAgent({ node: 'n1', service: 'web', priority: 200 }),
    createAgent({ node: 'n2', service: 'web', priority: 100 }),
  ] as const
  for (const agent of agents) await agent.connect(control.url)
  let working = true
  const load = (async () => {
    for (let i = 0; working; i++) {
      agents[i % 2]!.say('backup')
      agents[(i + 1) % 2]!.say('active')
      await control.service('web')
    }
  })()
  await control.until('web', { owner: { epoch: expect.any(Number) } })
  const before = await control.events('web')
  const file = folder.file('backup.db')
  const ran = await backup(file, adminToken)
  working = false
  await load
  expect(ran).toEqual({ code: 0, stdout: `${file}: the database of control, checked\n`, stderr: '' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder.path).filter((name) => /copy-|partial-/.test(name))).toEqual([])

  const copy = new DatabaseSync(file, { readOnly: true })
  const ids = copy.prepare('SELECT id FROM events ORDER BY id').all()
  const [owner] = copy.prepare('SELECT max(epoch) AS epoch FROM events').all()
  const [kept] = copy.prepare('SELECT epoch FROM services').all()
  copy.close()
  expect(ids.length).toBeGreaterThanOrEqual(before.length)
  expect(ids.map(({ id }) => id)).toEqual(ids.map((_, i) => i + 1))
  expect(kept!.epoch).toBe(owner!.epoch)

  const restored = await startControl(
    writeControlConfig({ file: folder.file('restored.json'), database: file, ...settings }),
  )
  expect((await restored.service('web')).owner!.epoch).toBe(kept!.epoch)
  restored.signal('SIGTERM')
  expect(await restored.ended).toBe(0)
})

test('a file that is there is not replaced, unless that is asked for', async () => {
  const file = folder.file('there.db')
  writeFileSync(file, 'mine')
  expect(await backup(file, adminToken)).toMatchObject({ code: 2, stderr: expect.stringContaining('give --force') })
  expect(statSync(file).size).toBe(4)
  expect((await backup(file, adminToken, '--force')).code).toBe(0)
  expect(statSync(file).size).toBeGreaterThan(4_096)
})

test('it is for administrators', async () => {
  const file = folder.file('forbidden.db')
  const ran = await backup(file, operatorToken)
  expect(ran).toMatchObject({ code: 1, stderr: 'holdfast: control says: needs the role admin; ops is operator\n' })
  expect(existsSync(file)).toBe(false)
})

test('a folder that is not there, and a control that is not there, are said in a line', async () => {
  expect(await backup(folder.file('no/such.db'), adminToken)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no such folder'),
  })
  const args = ['control', 'backup', folder.file('x.db'), '--url', 'http://127.0.0.1:9', '--token', 'x']
  expect(await runHoldfast(args)).toMatchObject({ code: 1, stderr: expect.stringContaining('is it running') })
  expect(await runHoldfast(['control'])).toMatchObject({ code: 2, stderr: expect.stringContaining('give --config') })
})

test('its moves were traced, its metrics tell of the process, and the collector’s key is nowhere', async () => {
  await eventually(
    () => receiver.spans,
    (spans) => expect(spans.map(({ name }) => name)).toContain('failover web'),
  )
  expect(receiver.requests[0]!.headers).toMatchObject({ 'x-key': 'a-secret-of-the-collector' })
  expect(control.output()).not.toContain('a-secret-of-the-collector')
  const answer = await fetch(`${control.url}/metrics`, { headers: { authorization: `Bearer ${operatorToken}` } })
  const text = await answer.text()
  for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'holdfast_event_loop_lag_seconds_count'])
    expect(text).toMatch(new RegExp(`^${name} [1-9]`, 'm'))
})
