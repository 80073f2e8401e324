/**
 * One run: two nodes, control and a cloud under one virtual clock, with the faults of one seed.
 *
 *   n1 ══ LAN ══ n2          production: engine, turn, outbox, cluster, decide, reconcile, SQL store
 *     ╲         ╱            simulated: time, LAN, links, disk, cloud, power
 *      control ── cloud
 *
 * Faults end at `quietAt`. What must hold at rest is judged `settlingTime` later; what must hold always, all the time.
 */
import { createMemoryResource, type MemoryResource } from '../../adapters/memory.ts'
import { milliseconds } from '../../node-agent/vrrp/time.ts'
import { createRandom } from '../support/prng.ts'
import { address, virtualRouter } from '../support/routers.ts'
import { type ControlHost, createControlHost } from './control-host.ts'
import { drawFaults, type Fault } from './faults.ts'
import { createLan, type Lan } from './lan.ts'
import { createNode, type SimulatedNode } from './node.ts'
import { createTime, millisecond, type Simulated, second } from './time.ts'

export const virtualAddress = '10.77.0.50'

/** The slowest repair is the look that control takes at every binding once a minute. */
const settlingTime = 140 * second
const quietAt = 60 * second

/** More events than this within a millisecond are a loop that never ends. */
const busiestMillisecond = 10_000

export type World = {
  readonly time: Simulated
  readonly nodes: readonly SimulatedNode[]
  readonly control: ControlHost
  readonly resource: MemoryResource
  readonly lan: Lan
  readonly trace: readonly string[]
  /** States that routers entered, in order; `at` in microseconds. */
  readonly transitions: readonly Transition[]
  /** The durable epoch when an operator's hold was confirmed, and when he went to release it. */
  readonly holds: { readonly from: number; until: number | null }[]
}

export type Transition = { readonly at: number; readonly node: string; readonly to: string }

export type SimulationOptions = {
  readonly seed: number
  /** Instead of those that the seed would draw. */
  readonly faults?: readonly Fault[]
  /** Called after each event; throws when something is wrong. */
  readonly always?: (world: World) => void
}

export type Result = { readonly world: World; readonly faults: readonly Fault[] }

export async function simulate({ seed, faults: given, always }: SimulationOptions): Promise<Result> {
  const random = createRandom(seed)
  const faults = given ?? drawFaults(random, { most: 6, end: quietAt })
  const world = createWorld(seed)
  world.control.start()
  for (const node of world.nodes) node.start()
  for (const fault of faults) world.time.at(fault.at, () => inject(world, fault))
  world.time.at(quietAt, () => quieten(world))
  const end = quietAt + settlingTime
  for (let [instant, events] = [0, 0]; world.time.runNext(end); events += 1) {
    if (world.time.now() > instant + millisecond) [instant, events] = [world.time.now(), 0]
    if (events > busiestMillisecond)
      throw new Error(`seed ${seed}: time stands still at ${world.time.now() / second} s`)
    // Promises that the event has resolved run on before the next event.
    await settled()
    always?.(world)
  }
  return { world, faults }
}

/** All microtasks, however many follow one another. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function createWorld(seed: number): World {
  const time = createTime()
  const random = createRandom(seed ^ 0x5eed)
  const trace: string[] = []
  const transitions: Transition[] = []
  const say = (line: string): void => void trace.push(`${(time.now() / second).toFixed(6).padStart(11)}  ${line}`)
  const lan = createLan(time, random)
  const timers = {
    now: () => time.now() / millisecond,
    after: (ms: number, work: () => void) => void time.after(ms * millisecond, work),
  }
  const resource = createMemoryResource({ timers })
  const control = createControlHost({ time, random, nodes: ['n1', 'n2'], resource, trace: say })
  const node = (name: string, own: string, priority: number): SimulatedNode =>
    createNode({
      name,
      primaryAddress: address(own),
      router: virtualRouter({
        priority,
        addresses: [{ address: address(virtualAddress), prefixLength: 24 }],
        announce: { repeat: 2, again: milliseconds(0), refresh: milliseconds(0) },
      }),
      time,
      random,
      lan,
      connect: control.connect,
      trace: say,
      entered: (to) => transitions.push({ at: time.now(), node: name, to }),
    })
  return {
    time,
    nodes: [node('n1', '10.77.0.1', 200), node('n2', '10.77.0.2', 100)],
    control,
    resource,
    lan,
    trace,
    transitions,
    holds: [],
  }
}

function inject(world: World, fault: Fault): void {
  const { time, lan, control, resource } = world
  const node = (name: string): SimulatedNode => world.nodes.find((each) => each.name === name)!
  switch (fault.kind) {
    case 'lan-loss':
      lan.loss = fault.share
      time.at(fault.until, () => {
        lan.loss = 0
      })
      return
    case 'one-way':
      lan.cut.add(`${fault.from}>${fault.to}`)
      time.at(fault.until, () => lan.cut.delete(`${fault.from}>${fault.to}`))
      return
    case 'node-crash':
      if (node(fault.node).engine() === undefined) return
      node(fault.node).crash()
      // Without power no packet says goodbye; the new life's connection ends the old one at the latest.
      time.at(fault.until, () => {
        control.forget(fault.node)
        node(fault.node).start()
      })
      return
    case 'node-freeze':
      if (!node(fault.node).running()) return
      node(fault.node).freeze()
      time.at(fault.until, () => node(fault.node).thaw())
      return
    case 'link-partition':
      control.partition(fault.node)
      time.at(fault.until, () => control.heal(fault.node, fault.heals))
      return
    case 'control-crash':
      control.crash()
      time.at(fault.until, () => startControl(control))
      return
    case 'control-crash-at-call':
      control.crashAtCall(fault.nth)
      time.at(fault.until, () => startControl(control))
      return
    case 'cloud':
      resource.inject(fault.action, fault.fault, fault.times)
      return
    case 'somebody-else':
      resource.setOutOfBand(fault.node)
      return
    case 'switchover':
      forgetAnswer(control.cluster()?.switchover({ service: 'web', to: fault.to, ...operator }))
      return
    case 'hold':
      hold(world, fault.until)
      return
    case 'drain':
      forgetAnswer(control.cluster()?.drain({ node: fault.node, ...operator }))
      time.at(fault.until, () => forgetAnswer(control.cluster()?.undrain({ node: fault.node, ...operator })))
  }
}

const operator = { by: 'simulation', reason: null } as const

/** Control may die before it answers; what it did is judged by what is durable. */
function forgetAnswer(answer: Promise<unknown> | undefined): void {
  answer?.catch(() => undefined)
}

/** Notes the epoch at both ends of a hold that control has confirmed. */
function hold({ control, time, holds }: World, until: number): void {
  const answer = control.cluster()?.hold({ service: 'web', ...operator })
  if (answer === undefined) return
  const noted = answer.then((refused) => {
    if (refused === null) holds.push({ from: control.durableEpoch(), until: null })
    return holds.at(-1)
  })
  forgetAnswer(noted)
  time.at(until, () => {
    // One release ends every hold.
    for (const each of holds) each.until ??= control.durableEpoch()
    forgetAnswer(control.cluster()?.release({ service: 'web', ...operator }))
  })
}

function startControl(control: ControlHost): void {
  if (control.cluster() === undefined) control.start()
}

/** Every fault ends; nobody is restarted who would not restart by himself. */
function quieten({ lan, control, resource, nodes }: World): void {
  lan.loss = 0
  lan.cut.clear()
  resource.clearFaults()
  control.crashAtCall(Number.POSITIVE_INFINITY)
  for (const node of nodes) {
    control.heal(node.name, 'close')
    node.thaw()
    if (node.engine() === undefined) node.start()
  }
  startControl(control)
  // An operator whose control had died when he wanted to undo what he did comes back now.
  forgetAnswer(control.cluster()?.release({ service: 'web', ...operator }))
  for (const { name } of nodes) forgetAnswer(control.cluster()?.undrain({ node: name, ...operator }))
}
