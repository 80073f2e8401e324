/** Every adapter that runs on Workers, in workerd, against its strict cloud: it looks, moves, and sees what it did. */
import { afterEach, expect, inject, test, vi } from 'vitest'
import type { Adapter, Observation } from '../../../adapters/adapter.ts'
import { builtIn } from '../../../adapters/registry.ts'
import { nameOf, service } from './names.ts'

const bindings = inject('bindings')
const patience = () => AbortSignal.timeout(10_000)

afterEach(() => vi.unstubAllEnvs())

test.each(bindings.map((binding) => [binding.adapter, binding] as const))(
  '%s moves in workerd',
  async (name, given) => {
    for (const [key, value] of Object.entries(given.env)) vi.stubEnv(key, value)
    const { config, targets } = given
    const adapter = await builtIn.create(name, { service, binding: nameOf(name), config, targets })
    const before = await adapter.observe(patience())
    expect(before, JSON.stringify(before)).toMatchObject({ kind: 'none' })
    await move(adapter, 'n1', { epoch: 1, before })
    await move(adapter, 'n2', { epoch: 2, before: await seen(adapter, 'n1') })
    await seen(adapter, 'n2')
    adapter.dispose()
  },
)

async function move(adapter: Adapter, node: string, { epoch, before }: { epoch: number; before: Observation }) {
  if (before.kind === 'unknown') throw new Error(before.failure.message)
  expect(await adapter.apply({ node, epoch, token: before.token }, patience())).toEqual({ kind: 'done' })
}

async function seen(adapter: Adapter, node: string): Promise<Observation> {
  const observation = await adapter.observe(patience())
  expect(observation).toMatchObject({ kind: 'node', node })
  return observation
}

test('only what needs a machine is left out, and the edge, whose own tests have it in workerd', () => {
  const left = builtIn.names.filter((name) => !bindings.some(({ adapter }) => adapter === name))
  expect(left).toEqual(['cloudflare-edge', 'exec', 'memory', 'rfc2136'])
})
