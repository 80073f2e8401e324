/**
 * What `adapters/README.md` says is so: its example is a whole adapter that passes the suite which is exported for other
 * people's, and its tables are those of the schemas.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import type { AdapterInput, AdapterPackage } from '../../../adapters/adapter.ts'
import { builtIn } from '../../../adapters/registry.ts'
import { withAdapters } from '../../../infra/docs/adapters-readme.ts'
import { adapterCases, type Place, type World } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { createManualTimers } from '../manual-timers.ts'
import { createConsul, write } from './consul.ts'

const text = readFileSync(join(import.meta.dirname, '../../../adapters/README.md'), 'utf8')
const code = /<!-- example -->\n```js\n(.*?)```\n<!-- end of example -->/s.exec(text)?.[1] ?? ''

// Inside the project, so that it finds zod as an installed package would.
const cache = join(import.meta.dirname, '../../../node_modules/.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'holdfast-readme-'))
const file = join(folder, 'consul-kv.mjs')
writeFileSync(file, code)
const example = ((await import(/* @vite-ignore */ file)) as { default: AdapterPackage<never, never> }).default
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const key = 'services/web/owner'

function adapterAt(endpoint: string) {
  const input = { service: 'web', binding: 'kv', config: { endpoint, key }, targets: { n1: {}, n2: {} } }
  return example.create(input as unknown as AdapterInput<never, never>)
}

async function setup() {
  const timers = createManualTimers()
  const consul = await createConsul(timers)
  const actionOf = { observe: 'get', apply: 'put' } as const
  const held = (): { node: Place; epoch: number } => {
    const value = consul.state().keys[key]?.value
    return value === undefined ? { node: null, epoch: 0 } : (JSON.parse(value) as { node: Place; epoch: number })
  }
  const world: World = {
    owner: async () => held().node,
    // The epoch stays as it is: a person has changed the rest.
    setOutOfBand: async (node) =>
      consul.setOutOfBand((state) => write(state, key, JSON.stringify({ node, epoch: held().epoch }))),
    inject: (action, fault) => {
      const scope = { action: actionOf[action], next: 1 }
      if (fault === 'lost-response') consul.faults.add({ ...scope, kind: 'reset-after' })
      else if (fault === 'hang') consul.faults.add({ ...scope, kind: 'hang-after' })
      else consul.faults.add({ ...scope, kind: 'error', code: fault })
    },
    lag: (what, ms) => {
      consul.faults.clear()
      if (what === 'late-write') consul.faults.add({ kind: what, action: 'put', ms })
      if (what === 'stale-reads') consul.faults.add({ kind: what, ms })
    },
    pass: async (ms) => timers.pass(ms),
    hanging: () => vi.waitFor(() => expect(consul.requests.at(-1)?.outcome).toContain('not answered')),
    unreachable: async () => {
      const gone = await createConsul(timers)
      await gone.close()
      return adapterAt(gone.url)
    },
    secrets: [],
    end: () => consul.close(),
  }
  return { adapter: await adapterAt(consul.url), world }
}

adapterCases({ name: 'the example of the README', setup })
faultMatrix({ name: 'the example of the README', setup })

test('it is as short as it says', () => {
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !/^\s*(\/\*\*|import)/.test(line))
  expect(lines.length).toBeLessThanOrEqual(60)
})

test('the tables are those of the schemas: npm run docs:adapters', async () => {
  expect(await withAdapters(text)).toBe(text)
})

test.each(builtIn.names)('every key of %s says what it is', (name) => {
  const { moves, example: shown, config, target } = builtIn.schemaOf(name)!
  expect(moves).not.toBe('')
  expect(() => config.parse(shown.config)).not.toThrow()
  for (const each of Object.values(shown.targets)) expect(() => target.parse(each)).not.toThrow()
})
