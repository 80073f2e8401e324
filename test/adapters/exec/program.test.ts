/** What is particular to programs: what they are given, what they say, and that nothing of them is left. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { rowsOf } from '../../../adapters/documentation.ts'
import { execSchema } from '../../../adapters/exec/schema.ts'
import type { RunLimits } from '../../../adapters/runtime/program.ts'
import { run as runInWorker } from '../../../adapters/runtime/worker/exec.ts'
import { adapterOf, example, newFolder, secret, useSecret } from './worlds.ts'

const signal = new AbortController().signal
const move = { node: 'n2', epoch: 7, token: 'as seen' }
const quick: RunLimits = { termMs: 200, killMs: 400, endMs: 5_000, outputBytes: 10_000 }

let folder: string

beforeEach(() => {
  folder = newFolder()
  useSecret()
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** An adapter for a program that is these lines of shell; `$1` is the test's folder. */
const shell = (script: string, more: Parameters<typeof adapterOf>[1] = {}) =>
  adapterOf(['/bin/sh', '-c', script, 'sh', folder], more)

const written = (name: string): string => readFileSync(join(folder, name), 'utf8')

/** Whether process `pid` still runs; one that nobody has reaped yet does not. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const untilGone = (pid: number) => vi.waitFor(() => expect(runs(pid)).toBe(false), { timeout: 10_000 })
const untilThere = (name: string) =>
  vi.waitFor(() => expect(existsSync(join(folder, name))).toBe(true), { timeout: 10_000 })

test('a move is told whole on standard input', async () => {
  const targets = { n1: {}, n2: { data: { member: 'green' } } }
  const adapter = shell('cat >"$1/told"; echo \'{"result":"done"}\'', { config: { data: { pool: 7 } }, targets })
  expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
  expect(JSON.parse(written('told'))).toEqual({
    verb: 'apply',
    service: 'web',
    binding: 'pool',
    node: 'n2',
    epoch: 7,
    token: 'as seen',
    target: { member: 'green' },
    targets: { n1: {}, n2: { member: 'green' } },
    config: { pool: 7 },
  })
})

test('a look is told what there is to tell', async () => {
  const adapter = shell('cat >"$1/told"; echo \'{"node":"n1","token":"t","epochSeen":3}\'')
  expect(await adapter.observe(signal)).toEqual({
    ...{ kind: 'node', node: 'n1', token: 't', epochSeen: 3, raw: { at: 'n1', epochSeen: '3' } },
  })
  expect(JSON.parse(written('told'))).toMatchObject({
    verb: 'observe',
    node: null,
    epoch: null,
    token: null,
    target: null,
  })
})

test("the environment is what is configured and the call's own words, and nothing of control's", async () => {
  vi.stubEnv('HOLDFAST_ADMIN_TOKEN', 'of control')
  vi.stubEnv('LANG', 'C.UTF-8')
  const script = 'tr "\\0" "\\n" </proc/$$/environ >"$1/environment"; echo \'{"result":"done"}\''
  await shell(script, { config: { env: ['PROGRAM_TOKEN'] } }).apply(move, signal)
  expect(written('environment').trim().split('\n').sort()).toEqual([
    'HOLDFAST_BINDING=pool',
    'HOLDFAST_EPOCH=7',
    'HOLDFAST_NODE=n2',
    'HOLDFAST_SERVICE=web',
    'HOLDFAST_TOKEN=as seen',
    'HOLDFAST_VERB=apply',
    'LANG=C.UTF-8',
    `PATH=${process.env.PATH}`,
    `PROGRAM_TOKEN=${secret}`,
  ])
})

test('no shell reads the arguments', async () => {
  const adapter = adapterOf(['/usr/bin/printf', '{"foreign":"%s"}', '$(id); `id` * ~'])
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'foreign', what: '$(id); `id` * ~' })
})

test.each([
  ['{"node":null}', { kind: 'none', token: null }],
  ['{"node":null,"token":"t","epochSeen":null}', { kind: 'none', token: 't' }],
  ['{"node":"n7"}', { kind: 'foreign', what: 'n7' }],
  ['{"node":"toString"}', { kind: 'foreign', what: 'toString' }],
  ['{"foreign":"10.0.0.9"}', { kind: 'foreign', what: '10.0.0.9' }],
  ['{"foreign":"n1"}', { kind: 'foreign', what: 'n1' }],
])('a look that is answered with %s', async (answer, seen) => {
  expect(await adapterOf(['/bin/echo', answer]).observe(signal)).toMatchObject(seen)
})

test.each([
  '',
  'n1',
  '{}',
  '[]',
  '{"node":1}',
  '{"node":"n1","foreign":"x"}',
  '{"nodes":"n1"}',
  '{"result":"done"}',
  '{"node":"n',
])('what is no answer (%s) is neither nothing nor done', async (answer) => {
  const adapter = adapterOf(['/bin/echo', answer])
  const failure = { kind: 'permanent', code: 'BadAnswer' }
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure })
  const says = answer === '{"result":"done"}' ? { kind: 'done' } : { kind: 'unknown', code: 'BadAnswer' }
  expect(await adapter.apply(move, signal)).toMatchObject(says)
})

test.each([
  ['{"result":"conflict","message":"moved"}', { kind: 'conflict', code: 'Said', message: 'moved' }],
  ['{"result":"retry"}', { kind: 'retry', message: 'no reason was given' }],
  ['{"result":"retry","afterMs":1500}', { kind: 'throttled', afterMs: 1500 }],
  ['{"result":"permanent","message":"two\\nlines"}', { kind: 'permanent', message: 'two lines' }],
  ['{"result":"unknown","message":"no answer"}', { kind: 'unknown' }],
])('%s is what it says', async (answer, failure) => {
  const adapter = adapterOf(['/bin/echo', answer])
  expect(await adapter.apply(move, signal)).toMatchObject(failure)
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'unknown', failure })
})

test.each([
  [
    'exit 75',
    { kind: 'retry', code: 'exit 75', message: 'the program ended with 75, and says nothing on standard error' },
  ],
  [
    'echo no such pool >&2; exit 1',
    { kind: 'permanent', code: 'exit 1', message: 'the program ended with 1: no such pool' },
  ],
  ['echo \'{"result":"done"}\'; exit 64', { kind: 'permanent', code: 'exit 64' }],
  ['nonsense', { kind: 'permanent', code: 'exit 127' }],
  ['kill -9 $$', { kind: 'unknown', code: 'SIGKILL' }],
  ['kill -15 $$', { kind: 'unknown', code: 'SIGTERM' }],
  ['head -c 200000 /dev/zero | tr "\\0" "x " >&2; echo the end >&2; exit 3', { kind: 'permanent', code: 'exit 3' }],
])('a program that ends so: %s', async (script, failure) => {
  const outcome = await shell(script).apply(move, signal)
  expect(outcome).toMatchObject(failure)
  expect(JSON.stringify(outcome).length).toBeLessThan(500)
})

test.each([
  ['/nonexistent/program', null, 'ENOENT'],
  ['plain', '', 'EACCES'],
  ['interpreted', '#!/nonexistent/interpreter\n', 'ENOENT'],
])('a program that cannot be started: %s', async (name, text, code) => {
  const path = name.startsWith('/') ? name : join(folder, name)
  if (text !== null) writeFileSync(path, text)
  if (text?.startsWith('#!')) chmodSync(path, 0o755)
  const outcome = await adapterOf([path]).apply(move, signal)
  expect(outcome).toMatchObject({ kind: 'permanent', code, message: expect.stringContaining('cannot be started') })
})

test('a program that reads nothing of much is no trouble', async () => {
  const data = { text: 'x'.repeat(16_000) }
  const targets = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, { data }]))
  const adapter = adapterOf(['/bin/echo', '{"result":"done"}'], { targets })
  for (let i = 0; i < 5; i += 1) expect(await adapter.apply(move, signal)).toEqual({ kind: 'done' })
})

test('a program that takes too long is made to end, with all that it started', async () => {
  const script = 'trap "" TERM; sleep 600 & echo $! >"$1/child"; echo $$ >"$1/own"; wait; sleep 600'
  const outcome = await shell(script, { limits: quick }).apply(move, signal)
  expect(outcome).toEqual({
    kind: 'unknown',
    code: 'TimedOut',
    message: 'the program took too long and was made to end',
  })
  for (const name of ['own', 'child']) await untilGone(Number(written(name)))
})

test('a program is asked to end before it is made to', async () => {
  const script = 'trap \'echo asked >"$1/asked"; exit 0\' TERM; while :; do sleep 0.02; done'
  expect(await shell(script, { limits: { ...quick, killMs: 4_000 } }).apply(move, signal)).toMatchObject({
    kind: 'unknown',
    code: 'TimedOut',
  })
  expect(written('asked')).toBe('asked\n')
})

test('a call that is given up ends at once, and its program soon after', async () => {
  const controller = new AbortController()
  const script = 'trap "" TERM; sleep 600 & echo $! >"$1/child.new"; mv "$1/child.new" "$1/child"; wait; sleep 600'
  const ended = shell(script).observe(controller.signal)
  await untilThere('child')
  const aborted = performance.now()
  controller.abort()
  expect(await ended).toMatchObject({ kind: 'unknown', failure: { kind: 'unknown', code: 'Aborted' } })
  expect(performance.now() - aborted).toBeLessThan(500)
  await untilGone(Number(written('child')))
})

test('a program that writes without end is made to end', async () => {
  const outcome = await shell('echo $$ >"$1/own"; exec yes', {
    limits: { ...quick, termMs: 20_000, killMs: 20_200, endMs: 25_000 },
  }).apply(move, signal)
  expect(outcome).toMatchObject({ kind: 'unknown', code: 'TooLong' })
  await untilGone(Number(written('own')))
})

test('what a program leaves holding its output is ended, and its answer taken', async () => {
  const adapter = shell('sleep 600 & echo $! >"$1/child"; echo \'{"node":"n1"}\'')
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  await untilGone(Number(written('child')))
})

test('what has left its group and holds its output does not keep the answer back', async () => {
  const adapter = shell('setsid sleep 600 & echo $! >"$1/child"; echo \'{"node":"n1"}\'')
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n1' })
  const pid = Number(written('child'))
  if (runs(pid)) process.kill(pid, 'SIGKILL')
})

test('many at once do not get in the way of each other, and leave no zombies', async () => {
  const answers = Array.from({ length: 24 }, (_, i) => `place ${i}`)
  const seen = await Promise.all(
    answers.map((what) => adapterOf(['/bin/echo', JSON.stringify({ foreign: what })]).observe(signal)),
  )
  expect(seen.map((one) => one.kind === 'foreign' && one.what)).toEqual(answers)
  await vi.waitFor(async () => expect(await zombiesOf(process.pid)).toEqual([]))
})

async function zombiesOf(parent: number): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')))
  return stats.filter((text) => text.includes(`) Z ${parent} `))
}

test('what a program is trusted with is withheld from what it says, wherever it says it', async () => {
  const config = { env: ['PROGRAM_TOKEN'] }
  const said = [
    await shell('echo "bad token: $PROGRAM_TOKEN" >&2; exit 1', { config }).apply(move, signal),
    await shell('printf \'{"result":"retry","message":"%s"}\' "$PROGRAM_TOKEN"', { config }).apply(move, signal),
    await shell('echo "$PROGRAM_TOKEN"', { config }).apply(move, signal),
    await shell('printf \'{"foreign":"at %s"}\' "$PROGRAM_TOKEN"', { config }).observe(signal),
    await shell('printf \'{"result":"failed","message":"%s"}\' "$PROGRAM_TOKEN"', { config }).preflight(signal),
  ]
  expect(JSON.stringify(said)).not.toContain(secret)
  expect(JSON.stringify(said).match(/withheld/g)?.length).toBeGreaterThanOrEqual(6)
})

test('a variable that control does not have starts nothing', async () => {
  const adapter = shell('echo >"$1/ran"', { config: { env: ['NOT_SET_ANYWHERE'] } })
  expect(await adapter.apply(move, signal)).toMatchObject({ kind: 'permanent', code: 'NoCredentials' })
  expect(existsSync(join(folder, 'ran'))).toBe(false)
})

test('preflight finds the program and asks it for each node', async () => {
  const state = join(folder, 'state')
  expect(await adapterOf([example, state]).preflight(signal)).toEqual([
    { check: `execute ${example}`, result: 'passed', message: null },
    { check: `${example} preflight (n1)`, result: 'passed', message: null },
    { check: `${example} preflight (n2)`, result: 'passed', message: null },
  ])
  expect(existsSync(state)).toBe(false)
})

test.each([
  ['a program that does not try moves', 'echo no such verb >&2; exit 64', { result: 'untried' }],
  ['one that says no', 'echo \'{"result":"failed","message":"no pool"}\'', { result: 'failed', message: 'no pool' }],
])('preflight with %s', async (_name, script, finding) => {
  expect(await shell(script).preflight(signal)).toMatchObject([{ result: 'passed' }, finding, finding])
})

test('preflight says why a program cannot be run, and runs nothing', async () => {
  const plain = join(folder, 'plain')
  writeFileSync(plain, '#!/bin/sh\n')
  for (const [path, why] of [
    [plain, 'may not be executed'],
    [folder, 'it is no file'],
    ['/nonexistent', 'it does not exist'],
  ] as const) {
    const message = expect.stringContaining(why)
    expect(await adapterOf([path]).preflight(signal)).toEqual([{ check: `execute ${path}`, result: 'failed', message }])
  }
})

test('a Worker says that it runs no programs', async () => {
  const program = { command: ['/bin/true'] as const, env: {}, input: '', limits: quick }
  expect(await runInWorker({ ...program, command: ['/bin/true'] }, signal)).toMatchObject({
    kind: 'not-started',
    retry: false,
    why: expect.stringContaining('webhook'),
  })
})

test.each([
  ['no program', { command: [] }, /command/],
  ['a program by its name', { command: ['move-pool'] }, /absolute path/],
  ['a command line', { command: '/bin/move-pool --now' }, /command/],
  ['a NUL', { command: ['/bin/echo', 'a\0b'] }, /NUL/],
  ['a variable with its value', { command: ['/bin/echo'], env: ['A=b'] }, /named like/],
  ['what is set for each call', { command: ['/bin/echo'], env: ['HOLDFAST_TOKEN'] }, /only HOLDFAST_SECRET_/],
  ['an unknown key', { command: ['/bin/echo'], shell: true }, /shell/],
])('the configuration refuses %s', (_name, config, words) => {
  const parsed = execSchema.config.safeParse(config)
  expect(parsed.success).toBe(false)
  expect(parsed.error!.message).toMatch(words)
})

test('of HOLDFAST_* variables those that are meant for adapters are passed on', () => {
  expect(execSchema.config.safeParse({ command: ['/bin/sh'], env: ['HOLDFAST_SECRET_POOL'] }).success).toBe(true)
})

test('the documentation describes each key, and the permissions name program and variables', () => {
  const rows = [...rowsOf(execSchema.config), ...rowsOf(execSchema.target)]
  expect(rows.map(({ key }) => key)).toEqual(['command', 'env', 'data', 'fenced', 'settleSeconds', 'data'])
  expect(rows.filter(({ what }) => what === '')).toEqual([])
  const config = execSchema.config.parse({ command: ['/bin/move'], env: ['A', 'B'] })
  expect(execSchema.permissions({ config, targets: {} })).toMatchObject([
    {
      grants: [
        'the user that control runs as may execute /bin/move',
        "control's environment has A",
        "control's environment has B",
      ],
    },
  ])
})
