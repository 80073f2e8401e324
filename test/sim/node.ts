/**
 * A simulated node: the production engine, turn and outbox, on simulated ports.
 *
 * Its supervisor is a few lines here, as it is a few lines there: status of the engine into the outbox, commands of
 * control into the engine.
 */
import { type Command, heartbeatMs, type Report } from '../../control/contract.ts'
import { createOutbox, nextRetry, type Outbox, type OutboxEvent, stepOutbox } from '../../node-agent/link/outbox.ts'
import { turn } from '../../node-agent/perform.ts'
import type { FromVrrp, VrrpPorts } from '../../node-agent/ports.ts'
import { reportsOf } from '../../node-agent/reports.ts'
import { hear, type Told, untold, yieldsBecause } from '../../node-agent/told.ts'
import { createEngine, type Engine, type Input } from '../../node-agent/vrrp/engine.ts'
import type { VirtualRouter } from '../../node-agent/vrrp/router.ts'
import { plainStanding, type ServiceStatus } from '../../node-agent/vrrp/slot.ts'
import type { Instant } from '../../node-agent/vrrp/time.ts'
import { type Address, formatAddress } from '../../node-agent/wire/address.ts'
import type { Random } from '../support/prng.ts'
import type { Lan } from './lan.ts'
import { millisecond, type Simulated } from './time.ts'

/** A connection to control, as the node holds it. */
export type NodeLink = { readonly send: (report: Report) => void; readonly ping: () => void }

export type SimulatedNode = {
  readonly name: string
  readonly engine: () => Engine | undefined
  /** The virtual addresses it has on its interface. */
  readonly addresses: () => ReadonlySet<string>
  /** Power on, with an empty memory. */
  readonly start: () => void
  /** Power off: nothing is said to anybody. */
  readonly crash: () => void
  /** SIGSTOP and SIGCONT of everything on it. */
  readonly freeze: () => void
  readonly thaw: () => void
  readonly running: () => boolean
  readonly opened: (link: NodeLink) => void
  readonly closed: () => void
  readonly commanded: (commands: readonly Command[]) => void
  /** Control has answered a ping. */
  readonly ponged: () => void
}

export type NodeOptions = {
  readonly name: string
  readonly primaryAddress: Address
  readonly router: VirtualRouter
  readonly time: Simulated
  readonly random: Random
  readonly lan: Lan
  readonly connect: (node: SimulatedNode) => void
  readonly trace: (line: string) => void
  /** Its router has entered a state. */
  readonly entered: (state: string) => void
}

export function createNode({
  name,
  primaryAddress,
  router,
  time,
  random,
  lan,
  connect,
  trace,
  entered,
}: NodeOptions): SimulatedNode {
  let engine: Engine | undefined
  let frozen = false
  let queue: Input[] = []
  let held = new Set<string>()
  let outbox: Outbox = createOutbox({ node: name, site: 'dc1', incarnation: 'not-started' })
  let link: NodeLink | undefined
  let wake: () => void = () => {}
  let retry: () => void = () => {}
  let told: Told = untold
  let incarnations = 0
  let life = 0
  /** Work that a frozen process does when it thaws. */
  let postponed: (() => void)[] = []

  const whenAwake = (work: () => void): void => {
    if (frozen) postponed.push(work)
    else work()
  }
  /** As `time.after`, for a process: nothing happens when it has died, and late when it is frozen. */
  const after = (microseconds: number, work: () => void): (() => void) => {
    const mine = life
    return time.after(microseconds, () => mine === life && whenAwake(() => mine === life && work()))
  }

  const ports: VrrpPorts = {
    now: () => time.now() as Instant,
    drain: () => queue.splice(0),
    wait: () => {},
    sendAdvertisements: (outgoing) => {
      for (const { datagram } of outgoing) lan.send(name, datagram)
    },
    changeAddresses(changes) {
      for (const { kind, prefix } of changes) {
        if (kind === 'add') held.add(formatAddress(prefix.address))
        else held.delete(formatAddress(prefix.address))
      }
    },
    announce: () => {},
    publish: (message) => after(random.between(50, 500), () => heard(message)),
  }

  const takeTurn = (): void => {
    if (engine === undefined || frozen) return
    turn(engine, ports)
    wake()
    const deadline = engine.nextDeadline()
    // A timer is a little late, and now and then more than a little: the machine is busy.
    const lateness = random.chance(0.01) ? random.between(0, 30 * millisecond) : random.between(20, 300)
    if (deadline !== undefined) wake = after(deadline - time.now() + lateness, takeTurn)
  }

  const input = (item: Input): void => {
    if (engine === undefined) return
    queue.push(item)
    after(random.between(10, 100), takeTurn)
  }

  const heard = (message: FromVrrp): void => {
    if (message.kind === 'transition') {
      entered(message.to)
      trace(`${name} ${message.from} -> ${message.to} (${message.reason})`)
    }
    if (message.kind === 'answer')
      say({
        kind: 'result',
        result: { id: message.id, ok: message.ok, ...(message.reason ? { reason: message.reason } : {}) },
      })
    if (message.kind === 'status') state(message.services)
  }

  const state = (
    services: Readonly<Record<string, ServiceStatus>>,
    answers: readonly string[] = [],
    pulse = false,
  ): void => {
    const known = Object.entries(services).map(
      ([service, status]) => [service, { status, since, solo: false, epochSeen: told.owner?.epoch ?? null }] as const,
    )
    say({ kind: 'state', services: reportsOf(Object.fromEntries(known)), answers, pulse })
  }

  const obey = (command: Command): void => {
    if (engine === undefined) return
    if (command.kind === 'ask') state(engine.services(), [command.id])
    else if (command.kind === 'take-over' || command.kind === 'lower') input(command)
    else beTold(command)
  }

  const beTold = (command: Extract<Command, { kind: 'yield' | 'owner' }>): void => {
    const { id, service } = command
    const heard = hear(told, command)
    if ('refusal' in heard) {
      say({ kind: 'result', result: { id, ok: false, reason: heard.refusal } })
      return
    }
    told = heard.told
    const yielding = yieldsBecause(told, rules, 'keep') !== null
    input({ kind: 'standing', id, service, standing: { ...plainStanding(router), yielding } })
  }

  const say = (event: OutboxEvent): void => {
    const stepped = stepOutbox(outbox, event, time.now() / millisecond)
    outbox = stepped.outbox
    for (const effect of stepped.effects) {
      if (effect.kind === 'send') link?.send(effect.report)
      else if (effect.kind === 'ping') link?.ping()
      else connect(node)
    }
    retry()
    const retryAt = nextRetry(outbox)
    if (retryAt !== undefined)
      retry = after(Math.ceil(retryAt * millisecond) + 1 - time.now(), () => say({ kind: 'tick' }))
  }

  const pulse = (): void => {
    if (engine !== undefined) state(engine.services(), [], true)
    after(heartbeatMs * millisecond, pulse)
  }

  const node: SimulatedNode = {
    name,
    engine: () => engine,
    addresses: () => held,
    running: () => engine !== undefined && !frozen,
    start() {
      life += 1
      incarnations += 1
      trace(`${name} starts`)
      engine = createEngine({ routers: [router] })
      told = untold
      outbox = createOutbox({ node: name, site: 'dc1', incarnation: `${name}-incarnation-${incarnations}` })
      const own = { address: primaryAddress, prefixLength: 24 }
      input({ kind: 'interface', interface: router.interface, status: { up: true, addresses: [own] } })
      say({ kind: 'tick' })
      pulse()
    },
    crash() {
      trace(`${name} loses power`)
      life += 1
      engine = undefined
      link = undefined
      queue = []
      held = new Set()
      frozen = false
      postponed = []
    },
    freeze() {
      trace(`${name} freezes`)
      frozen = true
    },
    thaw() {
      if (!frozen) return
      trace(`${name} thaws`)
      frozen = false
      for (const work of postponed.splice(0)) work()
      takeTurn()
    },
    opened(opening) {
      whenAwake(() => {
        link = opening
        say({ kind: 'opened' })
      })
    },
    closed() {
      whenAwake(() => {
        link = undefined
        say({ kind: 'closed', random: random.next() })
      })
    },
    commanded(commands) {
      whenAwake(() => {
        for (const command of commands) obey(command)
      })
    },
    ponged() {
      whenAwake(() => say({ kind: 'pong' }))
    },
  }
  // Datagrams wait in the socket of a frozen process; one without power has none.
  lan.join(name, (bytes) => {
    if (engine === undefined) return
    if (frozen) queue.push({ kind: 'datagram', interface: router.interface, bytes })
    else input({ kind: 'datagram', interface: router.interface, bytes })
  })
  return node
}

/** As the service is configured where its configuration says nothing of all this. */
const rules = { onLost: 'hold', split: 'keep' } as const

/** Shown to people only; the simulation's wall clock stands still. */
const since = '2026-11-22T09:00:00.000Z'
