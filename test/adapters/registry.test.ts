/** The registry: what control's configuration relies on. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { builtIn } from '../../adapters/registry.ts'

const { names: adapterNames, schemaOf: adapterSchemaOf, create: createAdapter } = builtIn

const names = { service: 'web', binding: 'eip' }

test('every name has schemas of that name', () => {
  expect(adapterNames).toEqual(['aws-eip', 'cloudflare-edge', 'memory', 'route53'])
  expect(adapterNames.map((name) => adapterSchemaOf(name)?.name)).toEqual(adapterNames)
})

test('a name that is none has no schemas, also when every object has it', () => {
  expect(adapterSchemaOf('aws-epi')).toBeUndefined()
  expect(adapterSchemaOf('toString')).toBeUndefined()
})

test('an adapter that does not exist is refused with those that do', async () => {
  await expect(createAdapter('toString', { ...names, config: {}, targets: {} })).rejects.toThrow(
    'there are aws-eip, cloudflare-edge, memory',
  )
})

test('the configuration of the design is accepted, with its defaults filled in', () => {
  const { config, target } = adapterSchemaOf('aws-eip')!
  const given = { region: 'eu-west-1', allocationId: 'eipalloc-1', endpoint: 'http://127.0.0.1:5000' }
  expect(config.parse(given)).toEqual({ ...given, strict: false })
  const place = { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.11' }
  expect(target.parse(place)).toEqual(place)
})

test.each([
  ['an unknown key', { region: 'eu-west-1', allocationId: 'eipalloc-1', alocation: 'x' }],
  ['an address instead of an allocation', { region: 'eu-west-1', allocationId: '203.0.113.10' }],
  ['an endpoint without a scheme', { region: 'eu-west-1', allocationId: 'eipalloc-1', endpoint: '127.0.0.1:5000' }],
  ['credentials in the endpoint', { region: 'eu-west-1', allocationId: 'eipalloc-1', endpoint: 'http://a:b@h/' }],
  ['no region', { allocationId: 'eipalloc-1' }],
])('aws-eip refuses %s', (_name, config) => {
  expect(adapterSchemaOf('aws-eip')!.config.safeParse(config).success).toBe(false)
})

test('a configuration that is wrong makes no adapter', async () => {
  await expect(createAdapter('aws-eip', { ...names, config: {}, targets: {} })).rejects.toMatchObject({
    name: 'ZodError',
  })
})

test('the memory adapter starts at nothing, and moves', async () => {
  const adapter = await createAdapter('memory', { ...names, config: {}, targets: { n1: {}, n2: {} } })
  const signal = new AbortController().signal
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'none' })
  expect(await adapter.apply({ node: 'n2', epoch: 1, token: null }, signal)).toEqual({ kind: 'done' })
  expect(await adapter.observe(signal)).toMatchObject({ kind: 'node', node: 'n2' })
})

test('a control without an AWS binding does not load the SDK', () => {
  // In a process of its own: here other tests may have loaded it.
  const registry = join(import.meta.dirname, '..', '..', 'adapters', 'registry.ts')
  const program = `
    const { builtIn: { create: createAdapter } } = await import(${JSON.stringify(registry)})
    const { createRequire } = await import('node:module')
    const loaded = () => Object.keys(createRequire(${JSON.stringify(registry)}).cache).some((name) => name.includes('client-ec2'))
    const names = { service: 'web', binding: 'eip' }
    await createAdapter('memory', { ...names, config: {}, targets: {} })
    const before = loaded()
    await createAdapter('aws-eip', { ...names, config: { region: 'eu-west-1', allocationId: 'eipalloc-1' }, targets: {} })
    console.log(JSON.stringify([before, loaded()]))`
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(JSON.parse(printed)).toEqual([false, true])
})
