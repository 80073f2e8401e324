/** Control, two nodes and an outside that can be made to go wrong, for the scenarios. */
import { expect } from 'vitest'
import { createMemoryAdapter, createMemoryResource, type MemoryResource } from '../../adapters/memory.ts'
import { bindingDefaults, type ServiceConfig, serviceDefaults } from '../../control/config/service-config.ts'
import { leaseMs, type RouterState } from '../../control/contract.ts'
import { createClock, createWorld, type WorldOptions } from './world.ts'

type Setting = {
  readonly service?: Partial<ServiceConfig>
  readonly bindings?: readonly string[]
  readonly cas?: 'none' | 'atomic'
  readonly resources?: Readonly<Record<string, MemoryResource>>
  /** Default: dc1. */
  readonly siteOf?: Readonly<Record<string, string>>
} & Pick<WorldOptions, 'store' | 'time' | 'probe' | 'ports'>

const bindingOf = (name: string) => ({
  ...bindingDefaults,
  name,
  adapter: 'memory',
  config: {},
  targets: { n1: {}, n2: {} },
})

/** Control and its outside, before any node has spoken. */
export async function begin({
  service,
  bindings = ['eip'],
  cas = 'none',
  resources,
  store,
  time = createClock(),
  probe,
  ports,
  siteOf = {},
}: Setting = {}) {
  const timers = {
    now: time.clock.now,
    after: (ms: number, call: () => void) => void time.timer.at(time.clock.now() + ms, call),
  }
  const made = resources ?? Object.fromEntries(bindings.map((name) => [name, createMemoryResource({ timers, cas })]))
  const capabilities = { settleMs: 5_000, maxInFlightMs: 12_000 }
  const adapters = new Map(
    Object.entries(made).map(([name, resource]) => {
      const adapter = createMemoryAdapter({ resource, nodes: ['n1', 'n2'], capabilities })
      return [name, { ...adapter, apply: counted(adapter.apply, name) }]
    }),
  )
  const writes: string[] = []
  function counted(apply: ReturnType<typeof createMemoryAdapter>['apply'], name: string): typeof apply {
    return (move, signal) => {
      writes.push(`${name} ${move.node} ${move.epoch}`)
      return apply(move, signal)
    }
  }
  const config = { ...serviceDefaults, bindings: Object.keys(made).map(bindingOf), ...service }
  const it = await createWorld({
    services: { web: config },
    adapters,
    time,
    ...(store === undefined ? {} : { store }),
    ...(probe === undefined ? {} : { probe }),
    ...(ports === undefined ? {} : { ports }),
  })
  it.cluster.start()
  await it.idle()
  const say = async (node: string, state: RouterState, more: object = {}): Promise<void> => {
    await it.cluster.report(it.said(node, state, { site: siteOf[node] ?? 'dc1', ...more }), 'link')
    await it.idle()
  }
  const view = () => it.cluster.service('web')!
  const events = () => it.store.events({ since: 0, limit: 1_000 }).map(({ kind }) => kind)
  return { ...it, say, view, events, writes, resources: made, eip: made.eip! }
}

type Scenario = Awaited<ReturnType<typeof begin>>

/** n1 owns, n2 is its backup, everything is settled; what was written until then is forgotten. */
export async function settled(setting: Setting = {}) {
  const it = await begin(setting)
  const [one, two] = [it.connect('n1'), it.connect('n2')]
  await it.say('n1', 'active')
  await it.say('n2', 'backup')
  await talk(it, leaseMs + 1_000, { n1: 'active', n2: 'backup' })
  expect(it.view().phase).toBe('settled')
  it.writes.length = 0
  return { ...it, one, two }
}

/** Time passes while nodes go on saying the same. */
export async function talk(it: Scenario, ms: number, states: Readonly<Record<string, RouterState>>): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    for (const [node, state] of Object.entries(states)) await it.say(node, state)
    await it.pass(500)
  }
}

export const failover = async (it: Awaited<ReturnType<typeof settled>>): Promise<void> => {
  it.one.close()
  await it.say('n2', 'active')
}
