/** Adapters of other people: real packages in a folder, found from where the configuration is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigError } from '../../../control/config/config-file.ts'
import { loadControlConfig } from '../../../control/node/load-config.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-packages-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const good = `
const adapter = {
  schema: {
    name: 'powerbar', moves: 'a socket of a power bar', config: z.strictObject({ socket: z.int() }), target: z.strictObject({}),
    example: { config: { socket: 1 }, targets: { n1: {} } }, permissions: () => [], budget: () => null,
  },
  create: ({ config, service, binding }) => ({
    capabilities: { cas: 'none', dryRun: false, ipv6: false, settleMs: 0, maxInFlightMs: 0 },
    observe: async () => ({ kind: 'none', token: null, raw: { of: service + '/' + binding + ' ' + config.socket } }),
    apply: async () => ({ kind: 'done' }),
    preflight: async () => [],
    dispose: () => {},
  }),
}
export default adapter
`

function install(name: string, text: string): void {
  const at = join(folder, 'node_modules', name)
  mkdirSync(at, { recursive: true })
  writeFileSync(join(at, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', main: 'index.js' }))
  writeFileSync(join(at, 'index.js'), `import { z } from ${JSON.stringify(import.meta.resolve('zod'))}\n${text}`)
}

function configure(adapters: readonly string[], binding: object): string {
  const file = join(folder, 'control.json')
  const tokens = [{ name: 'ops', role: 'admin', token: 'x'.repeat(32) }]
  const services = { web: { bindings: [{ name: 'bar', targets: { n1: {} }, ...binding }] } }
  writeFileSync(file, JSON.stringify({ adapters, tokens, services }, null, 1))
  return file
}

async function problemsOf(file: string): Promise<string> {
  try {
    await loadControlConfig(file)
    return ''
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

test('a package is found from where the file is, and its adapter is one like ours', async () => {
  install('@acme/powerbar', good)
  const file = configure(['@acme/powerbar'], { adapter: 'powerbar', config: { socket: 4 } })
  const { registry, config } = await loadControlConfig(file)
  expect(registry.names).toContain('powerbar')
  const [binding] = config.services.web!.bindings
  const made = await registry.create('powerbar', { service: 'web', binding: 'bar', ...binding! })
  expect(await made.observe(AbortSignal.timeout(1_000))).toMatchObject({ raw: { of: 'web/bar 4' } })
})

test('its schema judges what is configured, with line and key', async () => {
  install('@acme/powerbar', good)
  const file = configure(['@acme/powerbar'], { adapter: 'powerbar', config: { socket: 'four' } })
  expect(await problemsOf(file)).toMatch(/control\.json:\d+: services\.web\.bindings\[0\]\.config\.socket: must be/)
})

test('without the package the adapter is unknown, and the names that there are help', async () => {
  const file = configure([], { adapter: 'powerbar', config: {} })
  expect(await problemsOf(file)).toMatch(/bindings\[0\]\.adapter: must be one of aws-eip/)
})

test.each([
  [
    'a package that is not there',
    '@acme/nothing',
    '',
    /adapters\[0\]: there is no package @acme\/nothing \(npm install/,
  ],
  ['one that throws', 'broken', "throw new Error('no licence')", /broken cannot be loaded: no licence/],
  [
    'one that is no adapter',
    'other',
    'export default { create: 3 }',
    /other is no adapter: .*schema.*adapters\/README\.md/s,
  ],
  [
    'one that takes a name of ours',
    'thief',
    good.replace("'powerbar'", "'aws-eip'"),
    /there is an adapter aws-eip already/,
  ],
])('%s is refused by name, and nothing is started', async (_, name, text, says) => {
  if (text !== '') install(name, text)
  expect(await problemsOf(configure([name], { adapter: 'memory', config: {} }))).toMatch(says)
})
