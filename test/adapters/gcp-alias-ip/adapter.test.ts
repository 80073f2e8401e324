/** gcp-alias-ip against the strict Compute Engine: the shared suite, and what is particular to aliases and tokens. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { adapterCases } from '../adapter-cases.ts'
import { faultMatrix } from '../fault-matrix.ts'
import { adapterAt, gcpAliasIpWorld, useKey, vip } from './worlds.ts'

beforeEach(() => useKey())

adapterCases({ name: 'gcp-alias-ip', setup: () => gcpAliasIpWorld() })
faultMatrix({ name: 'gcp-alias-ip', setup: () => gcpAliasIpWorld() })

const signal = new AbortController().signal

async function made(operations: Parameters<typeof gcpAliasIpWorld>[0] = {}) {
  const all = await gcpAliasIpWorld(operations)
  onTestFinished(() => all.world.end())
  return all
}

async function moveTo(adapter: Awaited<ReturnType<typeof made>>['adapter'], node: string) {
  const seen = await adapter.observe(signal)
  return adapter.apply({ node, epoch: 1, token: seen.kind === 'unknown' ? null : seen.token }, signal)
}

test('other aliases of both interfaces survive a move', async () => {
  const { adapter, google } = await made()
  for (const node of ['n1', 'n2', 'n1']) expect(await moveTo(adapter, node)).toEqual({ kind: 'done' })
  const { instances } = google.state()
  expect(instances['z1/web-1']![0]!.aliasIpRanges.map((each) => each.ipCidrRange)).toEqual(['10.1.0.77/32', vip])
  expect(instances['z2/web-2']![0]!.aliasIpRanges).toEqual([{ ipCidrRange: '10.1.0.78/32' }])
})

test('a write between read and write is refused by Google, and is a conflict', async () => {
  const { adapter, google } = await made()
  google.faults.add({ kind: 'error', code: 'conditionNotMet', action: 'updateNetworkInterface', next: 1 })
  expect(await moveTo(adapter, 'n1')).toMatchObject({ kind: 'conflict', code: 'conditionNotMet' })
})

test('a change of another alias makes the token stale', async () => {
  const { adapter, google, world } = await made()
  const seen = await adapter.observe(signal)
  google.setOutOfBand((state) => {
    const [nic] = state.instances['z1/web-1']!
    return { ...state, instances: { ...state.instances, 'z1/web-1': [{ ...nic!, version: 2, aliasIpRanges: [] }] } }
  })
  const token = seen.kind === 'unknown' ? null : seen.token
  expect(await adapter.apply({ node: 'n1', epoch: 1, token }, signal)).toMatchObject({ kind: 'conflict' })
  expect(await world.owner()).toBe(null)
})

test('an address that an instance outside of the binding has is a conflict, in words', async () => {
  const { adapter, google } = await made()
  google.setOutOfBand((state) => {
    const nic = { ...state.instances['z1/web-1']![0]!, aliasIpRanges: [{ ipCidrRange: vip }] }
    return { ...state, instances: { ...state.instances, 'z1/web-9': [nic] } }
  })
  expect(await moveTo(adapter, 'n1')).toMatchObject({ kind: 'conflict', message: expect.stringContaining('10.1.0.9') })
})

test('a token is fetched once, and renewed once when it is refused', async () => {
  const { adapter, google } = await made()
  await adapter.observe(signal)
  await adapter.observe(signal)
  expect(google.tokens).toHaveLength(1)
  google.revoke()
  await adapter.observe(signal)
  google.revoke()
  expect(await moveTo(adapter, 'n1')).toEqual({ kind: 'done' })
  expect(google.tokens.length).toBeLessThanOrEqual(5)
})

test.each([
  ['no JSON', 'secret words'],
  ['a key of another kind', '{"type":"authorized_user"}'],
])('%s for a key is permanent, and not quoted', async (_name, key) => {
  const { adapter } = await made()
  useKey(key)
  const seen = await adapter.observe(signal)
  expect(seen).toMatchObject({ kind: 'unknown', failure: { kind: 'permanent', code: 'NoCredentials' } })
  expect(JSON.stringify(seen)).not.toContain(key)
})

test('preflight finds what is there and what is not', async () => {
  const { google } = await made()
  const good = await adapterAt(google.url).preflight(signal)
  expect(good.map(({ result }) => result)).toEqual([
    'passed',
    'passed',
    'passed',
    'untried',
    'passed',
    'passed',
    'untried',
  ])
  const bad = await adapterAt(google.url, { address: '10.9.9.9' }).preflight(signal)
  expect(bad.filter(({ result }) => result === 'failed')).toHaveLength(2)
})

test('an operation that outlasts the call was accepted, but not when it only takes the address away', async () => {
  const { google, world } = await made({ operationMs: 60_000 })
  const adapter = adapterAt(google.url, {}, { callTimeoutMs: 1_500 })
  expect(await moveTo(adapter, 'n1')).toEqual({ kind: 'done' })
  expect(await moveTo(adapter, 'n2')).toMatchObject({ kind: 'unknown', code: 'StillRunning' })
  expect(await world.owner()).toBe(null)
  expect(await moveTo(adapter, 'n2')).toEqual({ kind: 'done' })
  expect(await world.owner()).toBe('n2')
})

test.each(['rateLimitExceeded', 'tooMany', 'backendError', 'forbidden'])(
  'an operation that cannot be asked about, for %s, was accepted',
  async (code) => {
    const { adapter, google, world } = await made()
    google.faults.add({ kind: 'error', code, action: 'getOperation' })
    expect(await moveTo(adapter, 'n1')).toEqual({ kind: 'done' })
    expect(await world.owner()).toBe('n1')
  },
)

test('instances that are read at once share a token, which is fetched once', async () => {
  const { google } = await made()
  await adapterAt(google.url).observe(signal)
  expect(google.tokens.length).toBe(1)
})
