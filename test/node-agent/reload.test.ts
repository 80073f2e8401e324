/** What is different between two configurations, and that reloads are refused, made and told one after the other. */
import { expect, test } from 'vitest'
import { changesBetween, fixedChanges, routersChanged } from '../../node-agent/config/changes.ts'
import type { AgentConfig } from '../../node-agent/config.ts'
import type { LogEntry } from '../../node-agent/log.ts'
import { createReloads, describeChanges, type Reread } from '../../node-agent/reload.ts'
import { read as readText } from '../support/agent-config.ts'

const web = { interface: 'eth0', vrid: 51, addresses: ['10.77.0.50/24'] }
const plain = { services: { web }, checks: { app: { tcp: '127.0.0.1:1' } } }
const read = (file: object): AgentConfig => readText(JSON.stringify(file))
const before = read(plain)

const changed = (keys: object) => changesBetween(before, read({ ...plain, services: { web: { ...web, ...keys } } }))

test('the same file is no difference', () => {
  const changes = changesBetween(before, read(plain))
  expect(changes).toEqual({ services: [], checks: [], control: false, peers: false })
  expect(describeChanges(changes)).toEqual(['nothing is different'])
  expect(routersChanged(before, read(plain))).toBe(false)
})

test.each([
  ['priority', { priority: 150 }],
  ['interface', { interface: 'eth1' }],
  ['vrid', { vrid: 52 }],
  ['addresses', { addresses: ['10.77.0.50/24', '10.77.0.51/24'] }],
  ['addresses', { addresses: ['10.77.0.50/24', 'fd77::50/64'] }],
  ['interval', { interval: '500ms' }],
  ['down', { down: 4 }],
  ['version', { version: 2 }],
  ['checksum', { checksum: 'rfc5798' }],
  ['acceptChecksum', { acceptChecksum: 'rfc5798' }],
  ['profile', { profile: 'strict' }],
  ['preempt', { preempt: false }],
  ['preempt', { preempt: { delay: '5s' } }],
  ['startDelay', { startDelay: '1s' }],
  ['announce', { announce: { repeat: 1 } }],
  ['resign', { resign: 'now' }],
  ['accept', { accept: false }],
  ['virtualMac', { virtualMac: true }],
  ['unicast', { unicast: { peers: ['10.77.0.2'] } }],
  ['checks', { checks: ['app'] }],
])('%s of a service', (key, keys) => {
  expect(changed(keys).services).toEqual([{ kind: 'changed', name: 'web', keys: [key] }])
})

test('a password is different, and what it is or was is not said', () => {
  const withPassword = (password: string) =>
    read({ services: { web: { ...web, version: 2, authentication: { type: 'pass', password } } } })
  const changes = changesBetween(withPassword('hunter22'), withPassword('hunter23'))
  expect(changes.services).toEqual([{ kind: 'changed', name: 'web', keys: ['authentication'] }])
  expect(JSON.stringify(changes)).not.toContain('hunter')
})

test('services come, go, and lay down VRRP; checks, control and peers change', () => {
  const control = { url: 'http://c', token: 't' }
  const peers = { listen: '10.77.0.1:9556', nodes: { n2: '10.77.0.2:9556' } }
  const api = { ...web, vrid: 52, addresses: ['10.77.0.52/24'] }
  const after = read({
    ...{ services: { web: { mode: 'solo' }, api }, control, peers },
    checks: { app: { tcp: '127.0.0.1:1', rise: 5, interval: '2s' }, more: { tcp: '127.0.0.1:2' } },
  })
  const changes = changesBetween(before, after)
  expect(changes).toMatchObject({ control: true, peers: true })
  expect(describeChanges(changes)).toEqual([
    expect.stringMatching(/^web: changed \(mode, .*interface/),
    'api: added',
    'check app: changed (interval, timeout, rise)',
    'check more: added',
    'control: changed',
    'peers: changed',
  ])
  expect(describeChanges(changesBetween(after, before))).toEqual(
    expect.arrayContaining(['api: removed', 'check more: removed']),
  )
})

test('what a running agent keeps', () => {
  const others = { node: 'n9', site: 'x', socket: '/tmp/x.sock', realtime: false }
  expect(fixedChanges(before, read({ ...plain, ...others }))).toEqual(['node', 'site', 'socket', 'realtime'])
})

function begin(reread: Reread, works: () => Promise<string | null> = () => Promise.resolve(null)) {
  let current = before
  const logged: LogEntry[] = []
  const applied: AgentConfig[] = []
  const reloads = createReloads({
    current: () => current,
    reread,
    async apply(next) {
      applied.push(next)
      const problem = await works()
      if (problem === null) current = next
      return problem
    },
    log: (_, entry) => void logged.push(entry),
  })
  return { ...reloads, logged, applied }
}

const higher = () => ({ config: read({ ...plain, services: { web: { ...web, priority: 150 } } }) })

test('a bad file changes nothing, and says why to whoever asked and in the log', async () => {
  const problems = ['n1.yaml:3: services.web.vrid: must be 1..255']
  const it = begin(() => ({ problems }))
  expect(await it.reload()).toEqual({ kind: 'refused', problems })
  expect(it.applied).toEqual([])
  expect(it.logged).toMatchObject([{ event: 'reload-refused', problems, msg: expect.stringContaining('n1.yaml:3') }])
})

test('nor does one for another node, or for another start', async () => {
  const it = begin(() => ({ config: read({ ...plain, node: 'n9', realtime: false }) }))
  expect(await it.reload()).toEqual({
    kind: 'refused',
    problems: [
      'node can’t change while the agent runs: restart the agent',
      'realtime can’t change while the agent runs: restart the agent',
    ],
  })
  expect(it.applied).toEqual([])
})

test('a good one is applied, and a second reload finds nothing different', async () => {
  const it = begin(higher)
  const services = [{ kind: 'changed', name: 'web', keys: ['priority'] }]
  expect(await it.reload()).toMatchObject({ kind: 'reloaded', services })
  expect(it.logged).toMatchObject([{ event: 'reloaded', msg: 'reloaded: web: changed (priority)' }])
  expect(await it.reload()).toMatchObject({ kind: 'reloaded', services: [] })
})

test('what the machine does not do is a failure', async () => {
  const it = begin(higher, () => Promise.resolve('nft is not installed'))
  expect(await it.reload()).toEqual({ kind: 'failed', problem: 'nft is not installed' })
  expect(it.logged).toMatchObject([{ event: 'reload-failed' }])
})

test('one after the other, and none any more once the agent leaves', async () => {
  const first = Promise.withResolvers<string | null>()
  const it = begin(higher, () => first.promise)
  const [one, two] = [it.reload(), it.reload()]
  await Promise.resolve()
  expect(it.applied).toHaveLength(1)
  const ended = it.end()
  first.resolve(null)
  expect(await one).toMatchObject({ kind: 'reloaded' })
  expect(await two).toMatchObject({ kind: 'failed', problem: 'the agent is stopping' })
  await ended
  expect(it.applied).toHaveLength(1)
})
