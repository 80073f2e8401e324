/** Interfaces that hear the mutated packets: between them every kind of router that the receive rules tell apart. */
import type { Receiver } from '../../node-agent/vrrp/admit.ts'
import { createEngine, type Engine, type InterfaceStatus } from '../../node-agent/vrrp/engine.ts'
import type { Transport, VirtualRouter } from '../../node-agent/vrrp/router.ts'
import type { Instant } from '../../node-agent/vrrp/time.ts'
import { address, virtualRouter } from '../support/routers.ts'
import { hexOf } from './oracle.ts'

export type World = {
  readonly routers: readonly VirtualRouter[]
  /** In hex, as the oracle wants them. */
  readonly own: readonly string[]
  readonly receiver: Receiver<VirtualRouter>
  readonly engine: Engine
  /** What the engine must have counted. */
  readonly discards: Map<string, number>
  now: Instant
}

const password = new TextEncoder().encode('secret12')

const six = {
  family: 'ipv6',
  addresses: ['fe80::100', '2001:db8::100'].map((vip) => ({ address: address(vip), prefixLength: 64 })),
} as const

const peers = (minTtl: number, ...texts: readonly string[]): { transport: Transport } => ({
  transport: { kind: 'unicast', source: null, peers: texts.map(address), ttl: 255, minTtl },
})

/** One router of each family at most has VRID 51 at an interface. */
const kinds: readonly (readonly Partial<VirtualRouter>[])[] = [
  [{ priority: 90 }, { ...six, priority: 90 }],
  [
    { profile: 'strict', acceptChecksum: 'rfc9568' },
    { ...six, profile: 'strict' },
  ],
  [{ acceptChecksum: 'rfc5798', checksum: 'rfc5798', priority: 200, preemptMode: false }],
  [{ version: 2 }, { ...six, priority: 255 }],
  [{ version: 2, profile: 'strict', password }],
  [{ version: 2, profile: 'strict' }],
  [{ version: 2, priority: 255 }],
  [{ priority: 255 }, { ...six, ...peers(64, '2001:db8::2', 'fe80::2') }],
  [peers(255, '192.0.2.2', '192.0.2.3')],
  [peers(1, '192.0.2.2'), { ...six, profile: 'strict', ...peers(255, 'fe80::2', '2001:db8::2') }],
]

/** The addresses of the vectors' receivers; of one world those of their senders, so that some hear themselves. */
const ownAddresses = ['192.0.2.3', 'fe80::3']
const sendersAddresses = ['192.0.2.2', 'fe80::2']

export function createWorlds(): World[] {
  return kinds.map((changes, at) => createWorld(changes, at === 1 ? sendersAddresses : ownAddresses))
}

function createWorld(kind: readonly Partial<VirtualRouter>[], ownTexts: readonly string[]): World {
  const routers = kind.map((changes, at) => virtualRouter({ name: `router ${at}`, ...changes }))
  const own = ownTexts.map(address)
  const status: InterfaceStatus = { up: true, addresses: own.map((one) => ({ address: one, prefixLength: 24 })) }
  const engine = createEngine({ routers })
  const now = 1_000_000 as Instant
  engine.handle({ kind: 'interface', interface: 'eth0', status }, now)
  engine.takeOutputs()
  return {
    routers,
    own: own.map(hexOf),
    receiver: {
      routerOf: (family, vrid) => routers.find((router) => router.family === family && router.vrid === vrid),
      ownAddresses: () => status.addresses,
    },
    engine,
    discards: new Map(),
    now,
  }
}
