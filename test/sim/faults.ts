/** What goes wrong in a run: drawn from the seed before it begins, so that a fault does not depend on another's luck. */
import type { MemoryAction, MemoryFault } from '../../adapters/memory.ts'
import type { Random } from '../support/prng.ts'
import { millisecond, second } from './time.ts'

/** `at` and `until` are microseconds of simulated time. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'lan-loss'; readonly until: number; readonly share: number }
  | { readonly kind: 'one-way'; readonly until: number; readonly from: string; readonly to: string }
  | { readonly kind: 'node-crash'; readonly until: number; readonly node: string }
  | { readonly kind: 'node-freeze'; readonly until: number; readonly node: string }
  | {
      readonly kind: 'link-partition'
      readonly until: number
      readonly node: string
      readonly heals: 'deliver' | 'close'
    }
  | { readonly kind: 'control-crash'; readonly until: number }
  /** Control dies at its nth port call from then on: between two awaits. */
  | { readonly kind: 'control-crash-at-call'; readonly until: number; readonly nth: number }
  | { readonly kind: 'cloud'; readonly action: MemoryAction; readonly fault: MemoryFault; readonly times: number }
  | { readonly kind: 'somebody-else'; readonly node: string | null }
  | { readonly kind: 'switchover'; readonly to: string | null }
  /** An operator freezes the service, and releases it at the end. */
  | { readonly kind: 'hold'; readonly until: number }
  /** An operator empties a node, and lets it take part again at the end. */
  | { readonly kind: 'drain'; readonly until: number; readonly node: string }
)

const nodes = ['n1', 'n2'] as const

/** Up to `most` faults before `end`, in order of time. */
export function drawFaults(random: Random, { most, end }: { readonly most: number; readonly end: number }): Fault[] {
  const count = 1 + Math.floor(random.next() * most)
  const faults = Array.from({ length: count }, () => drawFault(random, end))
  return faults.sort((a, b) => a.at - b.at)
}

function drawFault(random: Random, end: number): Fault {
  const at = random.between(5 * second, end)
  const until = Math.min(end, at + random.between(50 * millisecond, 12 * second))
  const node = random.pick(nodes)
  switch (Math.floor(random.next() * 13)) {
    case 0:
      return { at, kind: 'lan-loss', until, share: random.between(0.05, 1) }
    case 1: {
      const [from, to] = random.chance(0.5) ? (['n1', 'n2'] as const) : (['n2', 'n1'] as const)
      return { at, kind: 'one-way', until, from, to }
    }
    case 2:
      return { at, kind: 'node-crash', until, node }
    case 3:
      return { at, kind: 'node-freeze', until, node }
    case 4:
      return { at, kind: 'link-partition', until, node, heals: random.pick(['deliver', 'close'] as const) }
    case 5:
      return { at, kind: 'control-crash', until }
    case 6:
    case 7:
      return { at, kind: 'control-crash-at-call', until, nth: 1 + Math.floor(random.next() * 12) }
    case 8:
      return { at, kind: 'somebody-else', node: random.pick(['n1', 'n2', 'stranger', null]) }
    case 9:
      return { at, kind: 'switchover', to: random.pick(['n1', 'n2', null]) }
    case 10:
      return { at, kind: 'hold', until }
    case 11:
      return { at, kind: 'drain', until, node }
    default:
      return { at, kind: 'cloud', ...drawCloudFault(random), times: 1 + Math.floor(random.next() * 3) }
  }
}

function drawCloudFault(random: Random): { action: MemoryAction; fault: MemoryFault } {
  const failure = (kind: 'retry' | 'conflict' | 'permanent') =>
    ({ kind, code: 'Injected', message: 'injected' }) as const
  const faults: (() => { action: MemoryAction; fault: MemoryFault })[] = [
    () => ({ action: 'apply', fault: { kind: 'latency', ms: random.between(1, 7_000) } }),
    () => ({ action: 'observe', fault: { kind: 'latency', ms: random.between(1, 7_000) } }),
    () => ({ action: 'apply', fault: { kind: 'lost-response' } }),
    () => ({ action: 'apply', fault: { kind: 'hang' } }),
    () => ({ action: 'observe', fault: { kind: 'hang' } }),
    () => ({ action: 'apply', fault: { kind: 'late-write', ms: random.between(100, 10_000) } }),
    () => ({ action: 'observe', fault: { kind: 'stale-reads', ms: random.between(100, 4_000) } }),
    () => ({
      action: 'apply',
      fault: { kind: 'refused', failure: failure(random.pick(['retry', 'conflict', 'permanent'] as const)) },
    }),
    () => ({
      action: 'observe',
      fault: { kind: 'refused', failure: failure(random.pick(['retry', 'permanent'] as const)) },
    }),
    () => ({
      action: random.pick(['apply', 'observe'] as const),
      fault: {
        kind: 'refused',
        failure: { kind: 'throttled', code: 'Injected', message: 'injected', afterMs: random.between(100, 5_000) },
      },
    }),
  ]
  return random.pick(faults)()
}
