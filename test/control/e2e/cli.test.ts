/** The commands that people type, each as a process of its own against a control that runs: what they print, and their exit codes. */
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceView } from '../../../control/core/view.ts'
import type { Operation } from '../../../control/decision.ts'
import type { EventRecord } from '../../../control/store/store.ts'
import { type Cloud, startCloud } from '../../support/cloud.ts'
import {
  type ControlProcess,
  createFolder,
  nodeToken,
  operatorToken,
  type Ran,
  runHoldfast,
  startControl,
  viewerToken,
  writeControlConfig,
} from '../../support/control-process.ts'
import type { ScriptedAgent } from '../../support/scripted-agent.ts'
import { nodesOf, setStages } from '../../support/stages.ts'

/** Control's clock runs this many times as fast, so that the 10 s for which a target is waited for are 2.5 s. */
const speed = 4
const stages = ['web', 'stuck', 'refused', 'lonely'] as const
type Stage = (typeof stages)[number]

const folder = createFolder()
let agents: ReadonlyMap<string, ScriptedAgent>
let cloud: Cloud
let control: ControlProcess

beforeAll(async () => {
  cloud = await startCloud({ nodes: ['web-1', 'web-2'] })
  const configFile = writeControlConfig({
    file: folder.file('control.json'),
    database: folder.file('control.db'),
    nodes: nodesOf(stages),
    services: { web: cloud.service, stuck: {}, refused: {}, lonely: {} },
  })
  control = await startControl(configFile, { speed })
  agents = await setStages(control, stages, { speed, lonely: ['lonely'] })
}, 60_000)

afterAll(async () => {
  control.signal('SIGTERM')
  await control.ended
  await cloud.ec2.close()
  folder.remove()
})

/** As somebody who has set both variables. */
const holdfast = (...args: string[]): Promise<Ran> =>
  runHoldfast(args, { HOLDFAST_URL: control.url, HOLDFAST_TOKEN: operatorToken })

const ownerOf = async (stage: Stage) => (await control.service(stage)).owner

test('switchover --wait prints each step with its time, and returns when the move is complete everywhere', async () => {
  const { code, stdout, stderr } = await holdfast(
    'switchover',
    'web',
    '--to',
    'web-2',
    '--wait',
    '--reason',
    'patching',
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const steps = stdout.trimEnd().split('\n')
  expect(steps.pop()).toMatch(/^web moved to web-2: operation op-\w+$/)
  for (const line of steps) expect(line).toMatch(/^ *\d+ ms {2}[a-z]/)
  expect(steps.map((line) => line.replace(/^ *\d+ ms {2}/, ''))).toEqual([
    'requested',
    'told',
    'target active',
    'owner moved',
    'old owner not active',
    'accepted eip',
    'visible eip',
    'settled',
  ])
  expect(cloud.at()).toBe('web-2')
  expect(await ownerOf('web')).toMatchObject({ node: 'web-2', epoch: 2 })
  const requested = (await control.events('web')).find(({ kind }) => kind === 'switchover-requested')
  expect(requested).toMatchObject({ text: 'ops asked web-2 to take over from web-1', detail: { reason: 'patching' } })

  const back = await holdfast('switchover', 'web', '--wait', '--json')
  expect(back).toMatchObject({ code: 0, stderr: '' })
  const operation = JSON.parse(back.stdout) as Operation
  expect(operation).toMatchObject({ service: 'web', from: 'web-2', to: 'web-1', by: 'ops', status: 'done' })
  expect(operation.steps.at(-1)?.name).toBe('settled')
  expect(cloud.at()).toBe('web-1')
  expect(cloud.writes()).toHaveLength(3)

  const unwaited = await holdfast('switchover', 'web', '--to', 'web-2')
  expect(unwaited).toMatchObject({ code: 0, stdout: expect.stringMatching(/^web moves to web-2: operation op-\w+\n$/) })
  await control.until('web', { phase: 'settled', owner: { node: 'web-2', epoch: 4 } })
})

test('switchover: a target that never becomes active', async () => {
  const target = agents.get('stuck-2')!
  target.onTakeOver = () => target.say('backup')
  const { code, stdout, stderr } = await holdfast('switchover', 'stuck', '--to', 'stuck-2', '--wait')
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'holdfast: stuck did not move: stuck-2 did not become active within 10 s\n',
  })
  expect(stdout).toMatch(/ms {2}told\n.*ms {2}failed\n$/)
  expect(await ownerOf('stuck')).toMatchObject({ node: 'stuck-1', epoch: 1 })
  // It was told again while it could still have got there, and then to forget it.
  expect(target.received.filter(({ kind }) => kind === 'take-over').length).toBeGreaterThan(1)
  await target.told('lower')
  expect((await control.events('stuck')).at(-1)).toMatchObject({ kind: 'switchover-failed', node: 'stuck-2' })
})

test('switchover: a target that refuses, and a second switchover meanwhile', async () => {
  const target = agents.get('refused-2')!
  target.onTakeOver = () => undefined
  const first = holdfast('switchover', 'refused', '--to', 'refused-2', '--wait', '--json')
  const { id } = await target.told('take-over')
  const second = await control.call('POST', '/v1/services/refused/switchover', { body: {} })
  expect(second).toMatchObject({ status: 409, body: { code: 'in-progress' } })
  target.say('backup', { results: [{ id, ok: false, reason: 'its check app fails' }] })
  const { code, stdout, stderr } = await first
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'holdfast: refused did not move: refused-2 refused: its check app fails\n',
  })
  expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', failure: 'refused-2 refused: its check app fails' })
  expect(await ownerOf('refused')).toMatchObject({ node: 'refused-1', epoch: 1 })
})

describe.concurrent('what cannot be done is one line on standard error, and 1', () => {
  test.each([
    { args: 'switchover lonely', said: 'control says: no other node is connected, healthy and able to take over' },
    { args: 'switchover lonely --to lonely-2', said: 'control says: lonely-2 has never reported lonely' },
    { args: 'switchover lonely --to lonely-1', said: 'control says: lonely-1 is the owner already' },
    { args: 'switchover nowhere', said: 'control says: there is no service nowhere' },
    { args: 'status nowhere', said: 'control says: there is no service nowhere' },
    {
      args: 'status --token wrong-token',
      said: /with a token that control knows \(give --token, or set HOLDFAST_TOKEN\)$/,
    },
    { args: `switchover web --token ${viewerToken}`, said: 'control says: needs the role operator; eye is viewer' },
    { args: `events --token ${nodeToken('web-1')}`, said: 'control says: needs the role viewer; web-1 is node' },
    {
      args: 'status --url http://127.0.0.1:9',
      said: /^no answer from control at http:\/\/127\.0\.0\.1:9: .*; is it running, and is --url right\?$/,
    },
  ])('$args', async ({ args, said }) => {
    const { code, stdout, stderr } = await holdfast(...args.split(' '))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.endsWith('\n')).toBe(true)
    const line = stderr.slice('holdfast: '.length, -1)
    if (typeof said === 'string') expect(line).toBe(said)
    else expect(line).toMatch(said)
  })
})

describe.concurrent('wrong usage says what is right, and is 2', () => {
  test.each([
    { args: 'swichover web', said: "holdfast: unknown command 'swichover' (Did you mean switchover?)\nTry " },
    { args: 'switchover web --too web-2', said: 'Did you mean --to?' },
    { args: 'switchover', said: "missing required argument 'service'" },
    { args: 'control', said: '--config <file>' },
    { args: 'control --config /nowhere/control.yaml', said: '/nowhere/control.yaml: there is no such file' },
    { args: 'events --since yesterday', said: '--since yesterday is not the number of an event' },
    { args: 'operations --limit many', said: '--limit many is not a number of moves; write 20' },
    { args: 'help swichover', said: 'there is no command swichover; holdfast --help lists them' },
    { args: 'status --url control', said: '--url control is not a URL; write http://10.0.0.9:8080' },
    { args: '', said: 'Usage: holdfast' },
  ])('holdfast $args', async ({ args, said }) => {
    const { code, stdout, stderr } = await holdfast(...args.split(' ').filter((word) => word !== ''))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(said)
  })

  test('no control is named', async () => {
    const { code, stderr } = await runHoldfast(['events'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'holdfast: which control? Give --url, or set HOLDFAST_URL\n' })
  })
})

describe.concurrent('every command that talks to control', () => {
  const commands = [
    'nodes',
    'events',
    'events --follow',
    'operations',
    'operation op-1',
    'switchover web',
    'hold web',
    'release web',
    'acknowledge web',
    'drain web-1',
    'undrain web-1',
    'token list',
    'token create x --role viewer',
    'token revoke x',
    'apply --yes -f SERVICES',
  ]
  test.each(commands)('%s: without one, with one that is away, and with a token that is wrong', async (typed) => {
    const services = folder.file('services.yaml')
    writeFileSync(services, 'services: {other: {}}')
    const args = typed.replace('SERVICES', services).split(' ')
    const nobody = await runHoldfast(args)
    const away = await runHoldfast([...args, '--url', 'http://127.0.0.1:9'])
    const wrong = await runHoldfast([...args, '--url', control.url, '--token', 'a-wrong-token'])
    expect(nobody).toEqual({
      code: 2,
      stdout: '',
      stderr: 'holdfast: which control? Give --url, or set HOLDFAST_URL\n',
    })
    expect(away).toMatchObject({ code: 1, stdout: '' })
    expect(away.stderr).toMatch(
      /^holdfast: no answer from control at http:\/\/127\.0\.0\.1:9: .*; is it running, .*\n$/,
    )
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toMatch(/^holdfast: .*\(give --token, or set HOLDFAST_TOKEN\)\n$/)
    expect(wrong.stderr).not.toContain('a-wrong-token')
  })

  test('a token that no header can carry is refused without being shown', async () => {
    const ran = await runHoldfast(['nodes', '--url', control.url], { HOLDFAST_TOKEN: 'secret-\nsecret' })
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toBe(
      'holdfast: the token has a character that no token has: look at --token or HOLDFAST_TOKEN\n',
    )
  })
})

test('status shows services to people and to programs', async () => {
  const text = await runHoldfast(['status', '--url', control.url, '--token', viewerToken])
  expect(text.code).toBe(0)
  const [heading, ...rows] = text.stdout.trimEnd().split('\n')
  expect(heading).toMatch(/^SERVICE +PHASE +OWNER +SINCE +BINDINGS$/)
  expect(rows.find((row) => row.startsWith('web '))).toMatch(
    /^web +settled +web-2 \(dc1\) +\d+s +eip settled at web-2$/,
  )
  expect(rows.at(-1)).toBe('4 services, all well')
  const json = await holdfast('status', 'web', '--json')
  const { owner, bindings } = await control.service('web')
  expect(JSON.parse(json.stdout) as ServiceView).toMatchObject({ service: 'web', phase: 'settled', owner, bindings })
  const all = JSON.parse((await holdfast('status', '--json')).stdout) as ServiceView[]
  expect(all.map(({ service }) => service)).toEqual(['lonely', 'refused', 'stuck', 'web'])
})

test('events prints the whole audit trail, however many pages it has, and what is new since', async () => {
  const lines = (await holdfast('events', '--json')).stdout.trimEnd().split('\n')
  const events = lines.map((line) => JSON.parse(line) as EventRecord)
  expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1))
  const owners = events.filter(({ kind, service }) => kind === 'owner-changed' && service === 'web')
  expect(owners.map(({ epoch, node }) => `${epoch} ${node}`)).toEqual(['1 web-1', '2 web-2', '3 web-1', '4 web-2'])
  const last = events.at(-1)!
  const since = await holdfast('events', '--since', String(last.id - 1))
  expect(since).toMatchObject({ code: 0, stdout: `${last.id}  ${last.at}  ${last.service}: ${last.text}\n` })
  expect((await holdfast('events', '--since', String(last.id))).stdout).toBe('')
})

describe('check-config', () => {
  test('a good control file', async () => {
    const file = folder.file('control.json')
    expect(await holdfast('check-config', file)).toEqual({
      code: 0,
      stdout: `${file}: control configuration, no mistakes\n`,
      stderr: '',
    })
  })

  test.each([
    { name: 'only services, as for apply', text: 'services: {web: {flap: {moves: 3}}}', kind: 'control' },
    { name: 'a node without control', text: 'services: {web: {mode: solo}}', kind: 'agent' },
    {
      name: 'a key of the other kind',
      text: 'database: x.db\nlisten: 127.0.0.1:1\nsocket: /tmp/x.sock',
      kind: 'control',
    },
  ])('tells agent and control apart: $name', async ({ text, kind }) => {
    const file = folder.file('some.yaml')
    writeFileSync(file, text)
    const { stdout, stderr } = await holdfast('check-config', '--elsewhere', file)
    // Either kind says which keys it has, where one is not its own.
    const isControl = stdout.includes('control configuration') || stderr.includes('this file has the keys listen')
    expect(isControl ? 'control' : 'agent', stdout + stderr).toBe(kind)
  })

  test('every mistake of a bad one: where, what, and what to do', async () => {
    const file = folder.file('bad.yaml')
    writeFileSync(
      file,
      `listen: 8080
databse: control.db
tokens:
  - {name: ops, role: boss, token: a-token-that-is-secret}
  - {name: n1, role: node, token: "\${NO_SUCH_TOKEN}"}
services:
  web:
    confirm: 150
    bindings:
      - {name: eip, adapter: aws-eip, config: {region: eu-west-1, allocationId: eip-1}, targets: {}}
`,
    )
    const { code, stdout, stderr } = await holdfast('check-config', file)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const lines = stderr.trimEnd().split('\n')
    const places = lines.map((line) => /^(.*?):(\d+): ([^:]*): ./.exec(line)!.slice(1, 4).join(' '))
    expect(places.map((place) => place.replace(`${file} `, ''))).toEqual([
      '1 listen',
      '2 databse',
      '4 tokens[0].role',
      '5 tokens[1].token',
      '5 tokens[1].node',
      '8 services.web.confirm',
      '10 services.web.bindings[0].config.allocationId',
      '10 services.web.bindings[0].targets',
    ])
    expect(stderr).toContain('database')
    expect(stderr).toContain('set NO_SUCH_TOKEN where holdfast is started')
    expect(stderr).toContain('write 150ms or 150s')
    expect(stderr).not.toContain('secret')
    const json = await holdfast('check-config', '--json', file)
    expect(json.code).toBe(2)
    expect((JSON.parse(json.stdout) as { problems: unknown[] }).problems).toHaveLength(lines.length)
    const started = await runHoldfast(['control', '--config', file])
    expect(started).toMatchObject({ code: 2, stdout: '' })
    expect(started.stderr.replace('holdfast: ', '')).toBe(stderr)
  })
})
