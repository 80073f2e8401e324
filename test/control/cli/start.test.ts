/** What a short command loads, and where what it compiled is kept: what its start costs, measured without a clock. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import manifest from '../../../package.json' with { type: 'json' }
import { createFolder } from '../../support/control-process.ts'

const cli = join(import.meta.dirname, '../../../control/cli')
const folder = createFolder()
afterAll(() => folder.remove())

/** Prints every module that the program loaded, and Node's own, when it ends. */
const watch = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
process.on('exit', () => process.stdout.write('\\nLOADED ' + JSON.stringify([...loaded, ...process.moduleLoadList])))
`)}`

function loadedBy(...args: string[]): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', watch, join(cli, 'main.ts'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  })
  const list = /LOADED (.*)/.exec(stdout)
  if (list === null) throw new Error(stderr)
  return JSON.parse(list[1]!) as string[]
}

const nowhere = ['--url', 'http://127.0.0.1:1']

test.each([
  ['--version'],
  ['status', '--help'],
  ['status', '--socket', '/nowhere.sock'],
  ['status', ...nowhere],
  ['switchover', 'web', ...nowhere],
  ['events', ...nowhere],
  ['nodes', ...nowhere],
  ['operations', ...nowhere],
  ['operation', 'op-1', ...nowhere],
  ['hold', 'web', ...nowhere],
  ['drain', 'n1', ...nowhere],
  ['token', 'list', ...nowhere],
  ['completion', 'bash'],
  ['names', 'services', ...nowhere],
  ['help', 'status'],
])('%s %s loads nothing that it does not use', (...args) => {
  const loaded = loadedBy(...args)
  expect(loaded.filter((url) => /\/(zod|yaml|hono|koffi|pino|ws|@aws-sdk)\/|undici/.test(url))).toEqual([])
  const ours = loaded.filter((url) => /^file:.*\.(ts|mjs)$/.test(url) && !url.includes('/node_modules/'))
  // Beside the commands' own, only what knows how to put a move's times into words.
  expect(ours.filter((url) => !/\/control\/(cli\/|operation\.ts$)/.test(url))).toEqual([])
  expect(ours.length).toBeGreaterThan(2)
})

test('--version is that of the package', () => {
  const { stdout } = spawnSync(process.execPath, [join(cli, 'main.ts'), '--version'], { encoding: 'utf8' })
  expect(stdout).toBe(`${manifest.version}\n`)
})

function start(program: string, env: Record<string, string>) {
  const all = { PATH: process.env.PATH, ...env }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(cli, program), 'completion', 'fish'], {
    encoding: 'utf8',
    env: all,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

test('what was compiled is kept below the user’s own home, and holdfast is the same program as main.ts', () => {
  const home = folder.file('home')
  mkdirSync(home)
  const first = start('holdfast.mjs', { HOME: home })
  expect(existsSync(join(home, '.cache/holdfast/compiled'))).toBe(true)
  expect(start('holdfast.mjs', { HOME: home })).toBe(first)
  expect(start('main.ts', { HOME: home, XDG_CACHE_HOME: folder.file('xdg') })).toBe(first)
  expect(existsSync(folder.file('xdg/holdfast/compiled'))).toBe(true)
})

test('nothing is kept below a home that is none or cannot be written, and the program runs all the same', () => {
  start('holdfast.mjs', {})
  start('holdfast.mjs', { HOME: folder.file('nowhere') })
  expect(existsSync(folder.file('nowhere'))).toBe(false)
  const home = folder.file('closed')
  mkdirSync(home)
  chmodSync(home, 0o500)
  start('holdfast.mjs', { HOME: home })
})

test.skipIf(process.getuid?.() !== 0)('nothing is read from or kept below somebody else’s home', () => {
  const home = folder.file('theirs')
  mkdirSync(home)
  chownSync(home, 65534, 65534)
  start('holdfast.mjs', { HOME: home })
  expect(existsSync(join(home, '.cache'))).toBe(false)
})
