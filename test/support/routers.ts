/** Virtual routers for tests: VRID 51, 192.0.2.100 on eth0, our own address 192.0.2.2. */
import type { Event, State, VirtualRouter } from '../../node-agent/vrrp/router.ts'
import { type RunningRouter, step } from '../../node-agent/vrrp/step.ts'
import { type Centiseconds, type Instant, type Microseconds, milliseconds } from '../../node-agent/vrrp/time.ts'
import { type Address, parseAddress } from '../../node-agent/wire/address.ts'

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`${text} is no address`)
  return parsed
}

/** As configured. */
export function virtualRouter(changes: Partial<VirtualRouter> = {}): VirtualRouter {
  return {
    name: 'web',
    interface: 'eth0',
    family: 'ipv4',
    version: 3,
    vrid: 51,
    priority: 100,
    preemptMode: true,
    preemptDelay: 0 as Microseconds,
    startDelay: 0 as Microseconds,
    downMultiplier: 3,
    advertisementInterval: 100 as Centiseconds,
    addresses: [{ address: address('192.0.2.100'), prefixLength: 24 }],
    riders: [],
    checksum: 'rfc9568',
    acceptChecksum: 'auto',
    profile: 'interop',
    password: null,
    transport: { kind: 'multicast' },
    virtualMac: false,
    announce: { repeat: 5, again: milliseconds(5_000), refresh: milliseconds(60_000) },
    resign: 'handover',
    ...changes,
  }
}

export function router({
  primaryAddress = address('192.0.2.2'),
  yielding = false,
  ...changes
}: Partial<RunningRouter> = {}): RunningRouter {
  return { ...virtualRouter(changes), primaryAddress, yielding }
}

/** An instant in milliseconds after the test began; the origin is not zero, so that a forgotten `now` shows. */
export function at(ms: number): Instant {
  return (1_000_000_000 + ms * 1_000) as Instant
}

export function advertisement(
  changes: { priority?: number; source?: string; interval?: number } = {},
): Event & { kind: 'advertisement' } {
  const { priority = 150, source = '192.0.2.3', interval = 100 } = changes
  return { kind: 'advertisement', source: address(source), priority, maxAdvertiseInterval: interval as Centiseconds }
}

/** Plays events, each with its time in milliseconds; the last step, and every effect as a word. */
export function play(
  running: RunningRouter,
  events: readonly (readonly [ms: number, Event])[],
  from: State = { kind: 'initialize' },
): { state: State; effects: string[]; reason: string | undefined } {
  let state = from
  let effects: string[] = []
  let reason: string | undefined
  for (const [ms, event] of events) {
    const stepped = step(running, state, event, at(ms))
    state = stepped.state
    effects = stepped.effects.map((effect) =>
      effect.kind === 'send-advertisement' ? `send ${effect.priority}` : effect.kind,
    )
    reason = stepped.reason
  }
  return { state, effects, reason }
}
