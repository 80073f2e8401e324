/**
 * Who holds an address, and since when, to the millisecond: what the kernel of every node says while it changes.
 *
 * A node holds an address when a device of it has the address and carrier. An unplugged node holds nothing, and neither
 * does a backup whose device is down (FRR's, or one with a virtual MAC).
 */
import { nowMs } from './clock.ts'
import { inRealTime } from './real-time.ts'
import type { Lab } from './topology.ts'

/** From `at` on, in milliseconds of the lab's clock, these nodes hold it. */
export type Holders = { readonly at: number; readonly nodes: readonly string[] }

export type Holding = {
  /** Every change, in order; it grows. Two neighbours differ. */
  readonly changes: readonly Holders[]
  now(): readonly string[]
  /** Resolves with the instant since which exactly these hold it. Rejects at the deadline, saying who does. */
  until(nodes: readonly string[], deadlineMs?: number): Promise<number>
  /** The next change to who holds it, or undefined when there is none for so long. */
  change(withinMs: number): Promise<Holders | undefined>
  /** Since when this node holds it. Throws when it does not. */
  since(node: string): number
  /** How long, since an instant, more than one held it, in all. */
  overlapMs(since: number): number
}

/** To be called before anybody can hold it. It ends with the lab. */
export async function watchHolding(lab: Lab, address: string): Promise<Holding> {
  const holding = createHolding(address)
  await Promise.all(lab.nodes.map((node) => watchNode(lab, node, holding)))
  return holding
}

async function watchNode(lab: Lab, node: string, holding: ReturnType<typeof createHolding>): Promise<void> {
  const listening = Promise.withResolvers<void>()
  const clockOffset = Date.now() - nowMs()
  const devices = new Map<string, Device>()
  const [program, ...args] = inRealTime(['ip', '-ts', '-o', 'monitor', 'address', 'link'])
  await lab.spawn(program, args, {
    in: node,
    env: { TZ: 'UTC' },
    onLine: (line) => {
      listening.resolve()
      const said = parseLine(line)
      if (said === undefined) return
      tell(devices, said)
      const holds = [...devices.values()].some(({ up, addresses }) => up && addresses.has(holding.address))
      holding.set(node, holds, Date.parse(`${said.at}Z`) - clockOffset)
    },
  })
  // It does not say when it listens, but then it says what we do to the loopback device.
  const poke = 'ip addr replace 127.0.0.2/32 dev lo; ip addr del 127.0.0.2/32 dev lo'
  const timer = setInterval(() => void lab.run('sh', ['-c', poke], { in: node }).catch(() => {}), 20)
  await listening.promise
  clearInterval(timer)
}

type Device = { up: boolean; readonly addresses: Set<string> }

type Said = {
  readonly at: string
  readonly gone: boolean
  readonly index: string
  readonly about:
    | { readonly kind: 'link'; readonly up: boolean }
    | { readonly kind: 'address'; readonly address: string }
}

/** Such as `[2026-11-25T13:07:32.535810] Deleted 3: eth0    inet 10.77.0.50/24 scope …`, or with `<BROADCAST,UP,LOWER_UP>`. */
function parseLine(line: string): Said | undefined {
  const found = /^\[([^\]]+)\] (Deleted )?(\d+): \S+ +(?:<([^>]*)>|inet6? ([^/ ]+))/.exec(line)
  if (found === null) return undefined
  const [, at, deleted, index, flags, address] = found
  const about =
    address === undefined
      ? { kind: 'link' as const, up: flags!.split(',').includes('LOWER_UP') }
      : { kind: 'address' as const, address }
  return { at: at!, gone: deleted !== undefined, index: index!, about }
}

function tell(devices: Map<string, Device>, { index, gone, about }: Said): void {
  // What was there before we listened is up: the lab makes it so.
  const device = devices.get(index) ?? { up: true, addresses: new Set() }
  devices.set(index, device)
  if (about.kind === 'link') {
    if (gone) devices.delete(index)
    else device.up = about.up
  } else if (gone) device.addresses.delete(about.address)
  else device.addresses.add(about.address)
}

function createHolding(address: string): Holding & {
  readonly address: string
  set(node: string, holds: boolean, at: number): void
} {
  const changes: Holders[] = []
  const waiting = new Set<() => void>()
  const now = (): readonly string[] => changes.at(-1)?.nodes ?? []
  const next = async (deadline: number): Promise<boolean> => {
    const told = Promise.withResolvers<boolean>()
    const hear = (): void => told.resolve(true)
    waiting.add(hear)
    const timer = setTimeout(() => told.resolve(false), Math.max(0, deadline - nowMs()))
    const heard = await told.promise
    clearTimeout(timer)
    waiting.delete(hear)
    return heard
  }
  return {
    address,
    changes,
    now,
    set: (node, holds, at) => {
      const before = now()
      if (before.includes(node) === holds) return
      changes.push({ at, nodes: holds ? [...before, node].sort() : before.filter((each) => each !== node) })
      for (const hear of [...waiting]) hear()
    },
    until: async (nodes, deadlineMs = 30_000) => {
      const wanted = [...nodes].sort().join(', ')
      const deadline = nowMs() + deadlineMs
      while (now().join(', ') !== wanted) {
        if (await next(deadline)) continue
        throw new Error(`after ${deadlineMs} ms ${address} is held by [${now().join(', ')}], not by [${wanted}]`)
      }
      return changes.at(-1)?.at ?? 0
    },
    change: async (withinMs) => ((await next(nowMs() + withinMs)) ? changes.at(-1) : undefined),
    since: (node) => {
      const lastWithout = changes.findLastIndex(({ nodes }) => !nodes.includes(node))
      const first = changes[lastWithout + 1]
      if (first === undefined) throw new Error(`${node} does not hold ${address}`)
      return first.at
    },
    // The kernels of two nodes may tell us in another order than it was.
    overlapMs: (since) => {
      const spans = changes.map(({ at, nodes }, i) => ({ at, nodes, end: changes[i + 1]?.at ?? nowMs() }))
      const doubled = spans.filter(({ nodes, end }) => nodes.length > 1 && end > since)
      return doubled.reduce((sum, { at, end }) => sum + Math.max(0, end - Math.max(at, since)), 0)
    },
  }
}
